"""Mutated files of every format that Pillow opens: each is read, or refused in words."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from fuzzing import Mutant, check_cases, random_of
from known_pictures import known_pictures
from mutations import mutated
from sounds import sine, wav_bytes, whole_numbers
from test_image_formats import HEIC

from cnnkit.data.check.image_faults import facts_of
from cnnkit.data.decoding.bit_depths import read_samples
from cnnkit.data.decoding.image_formats import FORMATS, open_image, picture_format
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.image_facts import image_facts
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError

_SETTINGS = [
    PixelSettings((16, 20)),
    PixelSettings((24, 8), "grayscale", "crop"),
    PixelSettings((31, 31), "rgb", "pad", 0, (0, 4095)),
    PixelSettings((64, 64), "grayscale", "pad", 128),
]


def _sources():
    tone = sine(440, 8_000, 0.1)
    kinds = {"8": whole_numbers(tone, np.uint8), "16": whole_numbers(tone), "float": tone}
    sounds = {f"WAV-{name}.wav": wav_bytes(kind, 8_000) for name, kind in kinds.items()}
    return {**known_pictures(), "HEIC-0.heic": HEIC, **sounds}


def mutant(index):
    """Return a damaged picture; the first ones are undamaged, with right and wrong endings."""
    random, sources = random_of(index), _sources()
    names = list(sources)
    name = names[index % len(names)]
    ending = Path(name if random.random() < 0.8 else random.choice(names)).suffix
    content = sources[name]
    if index >= len(names):
        content = mutated(content, list(sources.values()), random)
    return Mutant(f"{Path(name).stem}{ending}", content)


def uses(case, folder):
    """Decode a picture, measure it and check it, as training, `data stats` and `data check` do."""
    settings = _SETTINGS[len(case.content) % len(_SETTINGS)]
    place = LocalFile(str(folder / "cases" / case.name))

    def decode():
        with suppress(ImageError):
            pixels = read_pixels(case.content, settings)
            assert pixels.shape == settings.shape and pixels.dtype == "uint8"

    def measure():
        with suppress(ImageError):
            read_samples(case.content)

    yield decode
    yield measure
    yield lambda: picture_format(str(place))
    yield lambda: facts_of(place)
    yield lambda: image_facts([place], settings)


def prepare(folder):
    """Let each case be written to a file before it is used."""
    (folder / "cases").mkdir(exist_ok=True)


def before(case, folder):
    """Write the file of a case."""
    (folder / "cases" / case.name).write_bytes(case.content)


def test_the_pictures_are_of_every_format_and_can_be_read():
    found = set()
    for content in _sources().values():
        with suppress(ImageError):
            found.add(open_image(content).format.upper())
            read_pixels(content, _SETTINGS[0])
    assert set(FORMATS) <= found


def test_damaged_pictures_are_read_or_refused(tmp_path):
    check_cases("test_fuzz_images", range(200), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_ten_thousand_damaged_pictures_are_read_or_refused(part, tmp_path):
    check_cases("test_fuzz_images", range(500 * part, 500 * (part + 1)), tmp_path)

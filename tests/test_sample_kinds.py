"""Which samples are black and white is said once, and a picture is decoded once to be examined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from images import file_bytes
from PIL import Image
from PIL.ImageFile import ImageFile
from tiffs import TWELVE, ramp, tiff

from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.check.image_faults import facts_of
from cnnkit.data.decoding.bit_depths import read_samples
from cnnkit.data.decoding.sample_kinds import sample_kind
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.image_facts import image_facts
from cnnkit.data.pixels import PixelSettings, read_pixels

COLOURS = ramp(12, 8, 8, channels=3)[0]


def grey(height, width, **changes):
    return PixelSettings((height, width), "grayscale", **changes)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (file_bytes(Image.new("RGB", (2, 2))), ""),
        (file_bytes(Image.new("RGB", (2, 2)), "JPEG"), ""),
        (file_bytes(Image.new("L", (2, 2)), "TIFF"), ""),
        (file_bytes(Image.new("P", (2, 2)), "GIF"), ""),
        (file_bytes(Image.fromarray(TWELVE.astype(np.uint16))), "wide"),
        (tiff(TWELVE, 16), "wide"),
        (tiff(COLOURS, 16), "wide"),
        (tiff(TWELVE, 12), "stated"),
        (tiff(TWELVE, 16, more=[(281, 4095)]), "stated"),
        (b"P5 2 1 4095 " + bytes(4), "stated"),
        (b"P5 2 1 255 " + bytes(2), ""),
        (b"no image", ""),
        (tiff(TWELVE, 16)[:40], ""),
    ],
)
def test_the_header_shows_the_depth_of_the_samples(data, expected):
    assert sample_kind(data) == expected


def test_the_range_that_applies_is_said_once_also_for_cached_pixels(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    contents = {
        "a.png": file_bytes(Image.fromarray(TWELVE.astype(np.uint16))),
        "b.tif": tiff(TWELVE, 16),
        "c.tif": tiff(TWELVE, 12),
        "cut.tif": tiff(TWELVE + 1, 16)[:-9],
        "d.png": file_bytes(Image.new("L", (8, 8), 7)),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [LocalFile(tmp_path / name) for name in contents]

    def notes(names=tuple(contents), **changes):
        said = []
        chosen = [file for file in files if Path(file).name in names]
        open_pixels(chosen, grey(8, 8, **changes), note=said.append)
        return [sentence for sentence in said if sentence.startswith("samples: ")]

    expected = (
        "samples: 3 pictures of more than 8 bits; black is 0 and white is 65535, except in 1 file "
        "that states its own. If your camera has another range, set data.sample_range; `cnnkit "
        "data stats` shows the samples."
    )
    assert notes() == [expected]
    assert notes() == [expected]
    assert notes(sample_range=(0, 4095)) == [
        "samples: 3 pictures of more than 8 bits; black is 0 and white is 4095 (data.sample_range)."
    ]
    assert notes(["c.tif"]) == [
        "samples: 1 picture of more than 8 bits; black and white are those that each file states."
    ]
    assert notes(["d.png"]) == []


@pytest.mark.parametrize("sample_range", [None, (0, 4095)])
@pytest.mark.parametrize(
    "data",
    [
        file_bytes(Image.fromarray(TWELVE.astype(np.uint16))),
        file_bytes(Image.fromarray(TWELVE.astype(np.uint16)), transparency=4095),
        tiff(TWELVE, 16, white_is_zero=True),
        tiff(TWELVE, 12, more=[(274, 6)]),
        tiff(COLOURS, 16),
        file_bytes(Image.new("RGB", (9, 7), (1, 2, 3))),
    ],
)
def test_samples_that_were_read_before_give_the_same_pixels(data, sample_range):
    settings = PixelSettings((8, 16), sample_range=sample_range)
    found = read_pixels(data, settings, read_samples(data))
    assert np.array_equal(found, read_pixels(data, settings))


@pytest.mark.parametrize("examine", [facts_of, lambda file: image_facts([file], grey(8, 8))])
@pytest.mark.parametrize(
    "picture", [TWELVE.astype(np.uint16), np.zeros((8, 8, 3), np.uint8)], ids=["16", "8"]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_is_decoded_once_to_be_examined(tmp_path, monkeypatch, examine, picture, kind):
    path = tmp_path / "a"
    content = picture.copy()
    content[..., 0] = 9  # not one colour, for which another look at the whole picture is needed
    content[0] = 200
    path.write_bytes(file_bytes(Image.fromarray(content), kind))
    decoded = []
    prepare = ImageFile.load_prepare
    monkeypatch.setattr(
        ImageFile, "load_prepare", lambda image: decoded.append(image) or prepare(image)
    )
    examine(LocalFile(path))
    assert len(decoded) == 1

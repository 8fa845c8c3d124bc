"""Print a table of how many changed copies of images `cnnkit data check` finds.

    python scripts/planted_leaks.py FOLDER...

A copy of each image, changed in one way, is put into a test split; the originals are the train
split. A copy is found if it is in one group with its original. A false pair is two images of
different originals; look at them, because the folder may have contained copies before.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cnnkit.config.data_section import DataConfig
from cnnkit.data.check import check_data
from cnnkit.data.check.fault_kinds import Finding
from cnnkit.data.sources.folder_walk import image_files
from cnnkit.data.sources.ignored import Ignored

# Changes that people and programs make to pictures that they copy.
_QUALITY = (30, 95)  # of JPEG
_SCALE = (0.5, 2.0)
_CROP = (0.02, 0.06)  # of a side, drawn for each side
_COPY_QUALITY = 90  # high, so that the other change is what is tested

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def _resized(image: Image.Image, random: np.random.Generator) -> Image.Image:
    scale = random.uniform(*_SCALE)
    size = round(image.width * scale), round(image.height * scale)
    return image.resize(size, Image.Resampling.BICUBIC)


def _cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    left, right = random.uniform(*_CROP, 2) * image.width
    top, bottom = random.uniform(*_CROP, 2) * image.height
    return image.crop(tuple(map(round, (left, top, image.width - right, image.height - bottom))))


def _mirrored(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


def _mirrored_and_cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(_cropped(image, random))


def _unchanged(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return image


CHANGES: dict[str, Change | None] = {
    "exact": None,
    "re-encoded": _unchanged,
    "resized": _resized,
    "mirrored": _mirrored,
    "cropped": _cropped,
    "mirrored and cropped": _mirrored_and_cropped,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="of images, at any depth")
    print("| images | copies | found | false pairs per 1,000 images |")
    print("|---|---|---|---|")
    for folder in parser.parse_args().folders:
        for name, change in CHANGES.items():
            with tempfile.TemporaryDirectory() as work:
                number = plant(folder, Path(work), change)
                found, false = score(Path(work))
            print(
                f"| {folder.name} ({number:,}) | {name} | {found / number:.1%} "
                f"| {1000 * len(false) / (2 * number):.2f} |",
                flush=True,
            )
            for pair in false:
                print(f"false pair: {pair[0]} {pair[1]}")


def plant(folder: Path, work: Path, change: Change | None) -> int:
    """Write train/ with the images of a folder and test/ with their copies; return their number."""
    files = [Path(file) for file in image_files(str(folder), Ignored())]
    for index, file in enumerate(files):
        random = np.random.default_rng([0, index])
        content = file.read_bytes()
        copy = content if change is None else _copy(content, change, random)
        for split, data in (("train", content), ("test", copy)):
            # The classes do not matter, but a source has to have two.
            path = work / split / ("even", "odd")[index % 2] / f"{index:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return len(files)


def _copy(content: bytes, change: Change, random: np.random.Generator) -> bytes:
    image = Image.open(io.BytesIO(content)).convert("RGB")
    quality = int(random.integers(*_QUALITY)) if change is _unchanged else _COPY_QUALITY
    stream = io.BytesIO()
    change(image, random).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def score(work: Path) -> tuple[int, list[tuple[str, str]]]:
    """Return how many copies are in one group with their original, and the false pairs."""
    checked = check_data(DataConfig(source=str(work), image_size=(224, 224)))
    groups = [finding.paths for finding in checked.findings if "duplicate" in finding.kind]
    found = {
        name
        for paths in groups
        for name in {Path(path).name for path in paths}
        if {f"{split}/{_label(name)}/{name}" for split in ("train", "test")} <= set(paths)
    }
    return len(found), sorted(set(_false_pairs(checked.findings)))


def _label(name: str) -> str:
    return ("even", "odd")[int(name[:5]) % 2]


def _false_pairs(findings: tuple[Finding, ...]) -> Iterator[tuple[str, str]]:
    for finding in findings:
        for pair in finding.pairs:
            if Path(pair.paths[0]).name != Path(pair.paths[1]).name:
                yield pair.paths
        if finding.kind.startswith("duplicate") and len({Path(p).name for p in finding.paths}) > 1:
            yield finding.paths[:2]


if __name__ == "__main__":
    main()

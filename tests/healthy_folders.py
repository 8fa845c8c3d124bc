"""A healthy folder of images, and how faults that tests put into it are declared."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

FAULTS = []


def fault(*expected, **options):
    """Declare what the check must find, and nothing else, in a healthy folder that was spoiled.

    The function returns the source to check, or None for the folder itself.

    Args:
        expected: (kind, path, path...) of each finding.
        options: of the data config.
    """

    def declare(spoil):
        FAULTS.append(pytest.param(spoil, expected, options, id=spoil.__name__))
        return spoil

    return declare


def write_healthy(folder, seed=0):
    for number, label in enumerate(("cat", "dog")):
        (folder / label).mkdir(parents=True)
        for index in range(12):
            scene(seed + 100 * number + index).save(folder / label / f"{index:02d}.png")
    return folder


def scene(seed, width=96, height=80):
    """Return a picture of random discs, in which there is enough to tell it from another."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        x, y, size = random.uniform(0, width), random.uniform(0, height), random.uniform(3, 20)
        colour = tuple(random.integers(0, 256, 3).tolist())
        draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)
    return image


def put(folder, path, content):
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def into_splits(folder):
    """Make the folder one with train and test, and with its classes in both."""
    classes = [path for path in folder.iterdir()]
    (folder / "train").mkdir()
    for path in classes:
        path.rename(folder / "train" / path.name)
    write_healthy(folder / "test", seed=5000)


def write_more(folder, seed=9000):
    folder.mkdir()
    for index in range(4):
        scene(seed + index).save(folder / f"{index}.png")


def write_table(folder, **changes):
    """Write a table of all images, in train or test; column=({1, 2}, value) changes two rows."""
    columns = ("path", "label", "split", "group", "sha256")
    rows = [",".join(columns)]
    for index, path in enumerate(sorted(folder.glob("*/*.png"))):
        row = {"path": path, "label": path.parent.name, "split": ("train", "test")[index % 4 == 3]}
        row.update({column: value for column, (at, value) in changes.items() if index in at})
        rows.append(",".join(str(row.get(column, "")) for column in columns))
    table = folder.parent / "table.csv"
    table.write_text("\n".join(rows))
    return table

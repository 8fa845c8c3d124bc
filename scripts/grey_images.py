"""Small grey images to learn from, and changes of them, for `scripts/troubles.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Images:
    """Grey images to learn from.

    Args:
        pixels: (num_images, 16, 16), from 0 to 255.
        labels: the class name of each.
    """

    pixels: np.ndarray
    labels: Sequence[str]


def digits() -> Images:
    """Return the 1,797 handwritten digits of scikit-learn."""
    from sklearn.datasets import load_digits  # takes seconds, and folders of images do not need it

    pixels, labels = load_digits(return_X_y=True)
    doubled = pixels.reshape(-1, 8, 8).repeat(2, axis=1).repeat(2, axis=2)
    return Images(doubled * 255 / 16, [str(label) for label in labels])


def images_in(folder: Path) -> Images:
    """Return the images in class folders, at any depth, in grey and at 16 x 16 pixels."""
    files = sorted(folder.rglob("*.png"))
    pixels = [np.asarray(Image.open(file).convert("L").resize((16, 16))) for file in files]
    return Images(np.stack(pixels).astype(float), [file.parent.name for file in files])


def split_images(
    folder: Path,
    seed: int,
    images: Images,
    *,
    counts: tuple[int, int, int] = (1000, 300, 300),
    change: Callable[[np.ndarray, str, np.random.Generator], np.ndarray] | None = None,
) -> list[list[str]]:
    """Write PNG files, changed by split, and return rows of path, label and split.

    Args:
        folder: to write to.
        seed: of the order and the changes.
        images: to take.
        counts: images of each split if there were as many as digits; less in proportion.
        change: from pixels, split and random numbers to other pixels.
    """
    generator = np.random.default_rng(seed)
    number = len(images.labels)
    order = generator.permutation(number)
    splits = np.repeat(SPLITS, [min(count, count * number // 1797) for count in counts])
    rows = []
    for index, split in zip(order, splits, strict=False):
        pixels = images.pixels[index]
        if change is not None:
            pixels = change(pixels, split, generator)
        name = f"{index}_{split}.png"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name)
        rows.append([name, images.labels[index], str(split)])
    return rows


def noisy(deviation: float, *splits: str) -> Callable[..., np.ndarray]:
    def change(pixels: np.ndarray, split: str, generator: np.random.Generator) -> np.ndarray:
        if split not in splits:
            return pixels
        return pixels + generator.normal(0, deviation, pixels.shape)

    return change


def inverted_test(pixels: np.ndarray, split: str, generator: np.random.Generator) -> np.ndarray:
    """White on black in training, grey strokes on a light ground in the test images."""
    return 255 - 0.6 * pixels if split == "test" else pixels

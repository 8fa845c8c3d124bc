"""The built-in data sets: `digits`, `shapes` and the known sets, as class folders in the cache."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cnnkit.config import DataConfig, ShapesConfig
from cnnkit.data.cache.folder import cache_folder, folder_made_whole
from cnnkit.data.sources.builtin_names import DIGIT_NAMES, SHAPE_NAMES, is_builtin
from cnnkit.data.sources.known_sets import KNOWN_SETS, Report, known_set_folder

_DRAWN_LARGER = 4  # shapes are drawn four times as large and scaled down: smooth edges
# Of the 442 between black and white: a shape must be seen on its background.
_MIN_COLOR_DISTANCE = 120.0
# To be raised if any pixel changes: it is part of the folder's name.
_VERSION = 1


def builtin_folder(name: str, shapes: ShapesConfig, report: Report | None = None) -> Path:
    """Return the folder of a built-in; its images are written on the first call.

    Args:
        name: `digits` (1,797 real handwritten digits of 8 x 8 pixels from scikit-learn), `shapes`,
            or a known set, which is downloaded.
        shapes: `num_images`, `image_size`, `seed` and `style` of the drawn shapes.
        report: where notes and the progress of a download go; None for nowhere.

    Raises:
        DataError: the download failed; the text says where to put the file by hand.
    """
    if name in KNOWN_SETS:
        return known_set_folder(name, report)
    parent = cache_folder() / "builtin"
    if name == "digits":
        folder = parent / f"digits-v{_VERSION}"
    else:
        size, seed, number = shapes.image_size, shapes.seed, shapes.num_images
        style = "" if shapes.style == "filled" else f"-{shapes.style}"
        folder = parent / f"shapes-v{_VERSION}-{size}px-seed{seed}-{number}{style}"
    if not folder.is_dir():
        with folder_made_whole(folder) as temporary:
            if name == "digits":
                _write_digits(temporary)
            else:
                _write_shapes(temporary, shapes)
    return folder


def make_builtin(data_config: DataConfig, report: Report) -> None:
    """Write the images of a built-in with progress, so that they exist when its folder is listed.

    Any other source needs nothing. Raises as `builtin_folder`.
    """
    if is_builtin(data_config.source):
        builtin_folder(data_config.source, data_config.shapes, report)


def _write_digits(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # 16 is their white
    for name in DIGIT_NAMES:
        (folder / name).mkdir()
    for index, (image, label) in enumerate(zip(images, digits.target, strict=True)):
        Image.fromarray(image).save(folder / str(label) / f"{index:04d}.png")


def _write_shapes(folder: Path, shapes: ShapesConfig) -> None:
    # Fewer than four images are not of all classes, and a folder without images is a mistake.
    for name in SHAPE_NAMES[: shapes.num_images]:
        (folder / name).mkdir()
    for index in range(shapes.num_images):
        name = SHAPE_NAMES[index % len(SHAPE_NAMES)]
        image = _drawn(index, shapes)
        Image.fromarray(image).save(folder / name / f"{index:06d}.png")


def _drawn(index: int, shapes: ShapesConfig) -> np.ndarray:
    how = {"image_size": shapes.image_size, "seed": shapes.seed}
    if shapes.style == "filled":
        return draw_shape(index, **how)
    return draw_outline(index, **how, by_hand=shapes.style == "sketch")


def draw_shape(index: int, *, image_size: int, seed: int) -> np.ndarray:
    """Draw shape number `index`, uint8 (image_size, image_size, 3), always the same pixels.

    The classes take turns, so that they are balanced. Position, size, angle, colours and noise
    depend on (seed, index) alone, so that a larger set begins with the smaller one.
    """
    random = np.random.default_rng([seed, index])
    # The order of the draws from `random` is part of the pixels: do not reorder these lines.
    background, color = _two_colors(random)
    side = image_size * _DRAWN_LARGER
    canvas = Image.new("RGB", (side, side), background)
    radius = random.uniform(0.18, 0.38) * side
    center = random.uniform(radius, side - radius, size=2)
    angle = random.uniform(0, 2 * math.pi)
    name = SHAPE_NAMES[index % len(SHAPE_NAMES)]
    _draw(ImageDraw.Draw(canvas), name, center, radius, angle, color)
    return _scaled_down(canvas, image_size, random)


def draw_outline(index: int, *, image_size: int, seed: int, by_hand: bool) -> np.ndarray:
    """Draw the outline of shape number `index`, in all else like `draw_shape`.

    Args:
        index: number of the shape.
        image_size: height and width in pixels.
        seed: another one draws other outlines.
        by_hand: True for one to three shaky strokes of dark ink on light paper, with noise; False
            for one clean stroke, black on white.
    """
    # 1 + by_hand: outlines, sketches and filled shapes of one seed are different pictures.
    random = np.random.default_rng([seed, index, 1 + by_hand])
    side = image_size * _DRAWN_LARGER
    paper, ink = _color(random, 190, 256), _color(random, 0, 90)
    if not by_hand:
        paper, ink = (255,) * 3, (0,) * 3
    canvas = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(canvas)
    radius = random.uniform(0.2, 0.38) * side
    center = random.uniform(radius, side - radius, size=2)
    outline = _outline(SHAPE_NAMES[index % len(SHAPE_NAMES)], random.uniform(0, 2 * math.pi))
    for _ in range(random.integers(1, 4) if by_hand else 1):
        shaken = outline + random.normal(0, 0.05 * by_hand, size=outline.shape)
        points = [tuple(center + radius * corner) for corner in [*shaken, *shaken[:2]]]
        width = int(random.integers(1, 4)) * _DRAWN_LARGER
        draw.line(points, fill=ink, width=width, joint="curve")
    if not by_hand:
        return np.asarray(canvas.resize((image_size, image_size), Image.Resampling.BOX))
    return _scaled_down(canvas, image_size, random)


def _scaled_down(canvas: Image.Image, image_size: int, random: np.random.Generator) -> np.ndarray:
    """Return the picture scaled down to image_size, with noise."""
    small = canvas.resize((image_size, image_size), Image.Resampling.BOX)
    noise = random.normal(0, random.uniform(0, 20), size=(image_size, image_size, 3))
    return np.clip(np.rint(np.asarray(small) + noise), 0, 255).astype(np.uint8)


def _color(random: np.random.Generator, low: int, high: int) -> tuple[int, ...]:
    """Draw the three channels of a colour, each at least `low` and below `high`."""
    return tuple(map(int, random.integers(low, high, size=3)))


def _two_colors(random: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    while True:
        first, second = random.integers(0, 256, size=(2, 3))
        if np.linalg.norm(first - second) >= _MIN_COLOR_DISTANCE:
            return tuple(map(int, first)), tuple(map(int, second))


def _draw(
    draw: ImageDraw.ImageDraw,
    name: str,
    center: np.ndarray,
    radius: float,
    angle: float,
    color: tuple[int, ...],
) -> None:
    if name == "circle":
        draw.ellipse([*(center - radius), *(center + radius)], fill=color)
        return
    corners = center + radius * _outline(name, angle)
    draw.polygon([tuple(point) for point in corners], fill=color)


def _outline(name: str, angle: float) -> np.ndarray:
    """Return the corners of a shape of radius 1, float64 (num_corners, 2); a circle has 24."""
    every = {"circle": [1.0] * 24, "square": [1.0] * 4, "triangle": [1.0] * 3}
    radii = {**every, "star": [1.0, 0.4] * 5}[name]
    angles = angle + np.arange(len(radii)) * (2 * math.pi / len(radii))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.array(radii)[:, None]

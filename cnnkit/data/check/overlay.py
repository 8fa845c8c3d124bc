"""Measure how alike two small grey pictures are when one is laid over the other."""

from __future__ import annotations

import numpy as np

# The bounds leave room for a crop of 6 % on each side of either picture.
_STEPS = 8
_LARGEST_STEP = 0.05
_SCALES = (0.8, 1.25)
_LARGEST_SHIFT = 0.2  # of half a side
_AT_ONCE = 16  # pairs; the arrays of so few stay in the cache of the processor
_DAMPING = 1e-4  # keeps the equations solvable for pictures with little detail


def correlation(
    pictures: np.ndarray, others: np.ndarray, scale: np.ndarray, *, steps: int = _STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """Lay one picture of each pair over the other, and correlate the two where both have pixels.

    Scale and shift along both axes are fitted by steps of least squares, together with a change of
    contrast and brightness.

    Args:
        pictures: uint8 (num_pairs, side, side).
        others: the same shape.
        scale: (num_pairs,) the scale to begin with; below 1, the picture is a part of the other.
        steps: number of steps; with 0, the scale is used as it is.

    Returns:
        Two arrays (num_pairs,) of values up to 1: the correlation of the grey values, and that of
        the detail (the output of a Laplacian), which is high for the same picture only, not for
        similar scenes.

    Source: Lucas and Kanade 1981, "An iterative image registration technique".
    """
    parts = [
        _correlated(pictures[part], others[part], scale[part], steps)
        for start in range(0, len(pictures), _AT_ONCE)
        for part in [slice(start, start + _AT_ONCE)]
    ]
    if not parts:
        return np.empty(0), np.empty(0)
    whole, detail = zip(*parts, strict=True)
    return np.concatenate(whole), np.concatenate(detail)


def _correlated(
    pictures: np.ndarray, others: np.ndarray, scale: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    pictures, others = pictures.astype(np.float32), others.astype(np.float32)
    place = np.zeros((len(pictures), 4), np.float32)  # scale x, scale y, shift x, shift y
    place[:, :2] = scale[:, None]
    laid, gradients, inside = _lay(others, place)
    for _ in range(steps):
        place += _step(pictures, laid, gradients, inside)
        place[:, :2] = np.clip(place[:, :2], *_SCALES)
        place[:, 2:] = np.clip(place[:, 2:], -_LARGEST_SHIFT, _LARGEST_SHIFT)
        laid, gradients, inside = _lay(others, place)
    # The outermost pixels lack a neighbour, so their detail is not known.
    inner = inside[:, 1:-1, 1:-1]
    return (
        _correlation(pictures, laid, inside),
        _correlation(_detail(pictures), _detail(laid), inner),
    )


def _lay(
    others: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Sample pictures bilinearly at their place.

    Returns:
        The sampled pictures, their slopes along x and y, and 1 wherever there was a pixel to
        sample, else 0.
    """
    side = others.shape[1]
    half = (side - 1) / 2
    centred = np.arange(side, dtype=np.float32) - half
    x = place[:, :1] * centred + (place[:, 2:3] + 1) * half
    y = place[:, 1:2] * centred + (place[:, 3:] + 1) * half
    left, top = (np.clip(np.floor(axis), 0, side - 2).astype(np.int64) for axis in (x, y))
    right_share, lower_share = (x - left)[:, None, :], (y - top)[:, :, None]
    flat = others.reshape(len(others), -1)
    corner = (top[:, :, None] * side + left[:, None, :]).reshape(len(others), -1)
    a, b, c, d = (
        np.take_along_axis(flat, corner + step, axis=1).reshape(others.shape)
        for step in (0, 1, side, side + 1)
    )
    upper, lower = a + (b - a) * right_share, c + (d - c) * right_share
    slope_x = (b - a) * (1 - lower_share) + (d - c) * lower_share
    inside = _within(y, side)[:, :, None] * _within(x, side)[:, None, :]
    return upper + (lower - upper) * lower_share, (slope_x, lower - upper), inside


def _within(positions: np.ndarray, side: int) -> np.ndarray:
    # Positions are centres of pixels, and a pixel reaches half a step further on each side.
    return ((positions >= -0.5) & (positions <= side - 0.5)).astype(np.float32)


def _step(
    pictures: np.ndarray,
    laid: np.ndarray,
    gradients: tuple[np.ndarray, np.ndarray],
    inside: np.ndarray,
) -> np.ndarray:
    """Return the change of place after which the pictures differ least, (num_pairs, 4)."""
    num_pairs, side, _ = pictures.shape
    half = (side - 1) / 2
    centred = np.arange(side, dtype=np.float32) - half
    slope_x, slope_y = gradients
    # Two pictures may also differ in contrast and brightness. These are solved for with the place,
    # and then dropped.
    columns = (
        slope_x * centred, slope_y * centred[:, None], slope_x * half, slope_y * half,
        laid, np.ones_like(laid),
    )  # fmt: skip
    changes = np.stack([column.reshape(num_pairs, -1) for column in columns], axis=-1)
    weighted = (changes * inside.reshape(num_pairs, -1, 1)).transpose(0, 2, 1)
    normal = weighted @ changes
    trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    normal += np.eye(6, dtype=np.float32) * (_DAMPING * trace / 6 + 1e-3)
    rest = (pictures - laid).reshape(num_pairs, -1, 1)
    solved = np.linalg.solve(normal, weighted @ rest)[:, :4, 0]
    # The slopes hold for small steps only.
    return np.clip(solved, -_LARGEST_STEP, _LARGEST_STEP)


def _detail(pictures: np.ndarray) -> np.ndarray:
    inner = pictures[:, 1:-1, 1:-1]
    around = pictures[:, :-2, 1:-1] + pictures[:, 2:, 1:-1]
    return inner - (around + pictures[:, 1:-1, :-2] + pictures[:, 1:-1, 2:]) / 4


def _correlation(first: np.ndarray, second: np.ndarray, inside: np.ndarray) -> np.ndarray:
    area = np.maximum(inside.sum((1, 2), keepdims=True), 1)
    first = (first - (first * inside).sum((1, 2), keepdims=True) / area) * inside
    second = (second - (second * inside).sum((1, 2), keepdims=True) / area) * inside
    energies = (first**2).sum((1, 2)) * (second**2).sum((1, 2))
    # A picture of one grey level has no energy: its correlation becomes 0 instead of 0 / 0.
    return (first * second).sum((1, 2)) / np.sqrt(energies + 1e-6)

"""Group the files that show the same picture: hashes propose pairs, pixels decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnkit.data.check.overlay import correlation
from cnnkit.data.check.similar_hashes import Candidates, similar_hashes
from cnnkit.data.check.thumbnails import CROP, Look
from cnnkit.data.connected import connected_groups, connecting_pairs
from cnnkit.data.decoding.bit_depths import own_range, read_samples
from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.parallel import compute_all
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError

# The smallest (correlation, correlation of the detail) of two copies. The limits are between the
# values of copies and those of different pictures, as scripts/planted_leaks.py measures them.
_UNALIGNED = 0.8  # a first look, before one picture is laid over the other
_SMALL = (0.92, 0.6)  # of the thumbnails
_LARGER = (0.97, 0.75)  # of pictures twice as large
_SIDE = 64

# Digits of 28 pixels are alike without being copies. Small pictures are copies only if they are
# nearly equal and both show the whole.
_LITTLE_DETAIL = (0.985, 0.92)
_FEW_BITS = 4

_ALIKE_IN_COLOUR = 12  # mean difference in grey levels
_NO_COLOUR = 4  # grey levels between the channels of a grey picture
_PAIRS_AT_ONCE = 256  # few, because pairs in one group by then need not be compared
_MOST_COMPARED = 16  # pairs of two groups, or of a picture and a group
_MOST_KEPT = 16_384  # pictures that were read again; 67 MB

MeasuredPair = tuple[int, int, int, float, bool]


class Picture(NamedTuple):
    """A file, what it looks like, and the shorter side of its picture in pixels."""

    file: ImageFile
    look: Look
    side: int


def near_duplicates(pictures: Sequence[Picture]) -> list[list[MeasuredPair]]:
    """Return groups of pictures that are copies of each other.

    The hashes propose pairs. A pair shows the same picture if the thumbnails agree when one is laid
    over the other, and after that the pictures at 64 pixels, for which both files are read again.
    Pictures that are already in one group are not compared again, so a group has only as many pairs
    as connect it. After 16 comparisons of two groups, those of their nearest pictures, no more
    follow: with the frames of a film, which are all alike, they would take minutes.

    Args:
        pictures: with different contents.

    Returns:
        For each group a list of (index, index, distance in bits, correlation, mirrored).
    """
    if len(pictures) < 2:
        return []
    candidates = _once(similar_hashes(np.stack([picture.look.hashes for picture in pictures])))
    comparison = _Comparison(pictures)
    groups: np.ndarray = np.arange(len(pictures))  # each is named after its first picture
    compared: Counter[tuple[int, int]] = Counter()
    found: list[MeasuredPair] = []
    for start in range(0, len(candidates), _PAIRS_AT_ONCE):
        rows = candidates[start : start + _PAIRS_AT_ONCE]
        between = [tuple(pair) for pair in np.sort(groups[rows[:, :2]], axis=1).tolist()]
        open_ = [pair[0] != pair[1] and compared[pair] < _MOST_COMPARED for pair in between]
        compared.update(pair for pair, is_open in zip(between, open_, strict=True) if is_open)
        copies = comparison.copies(rows[np.array(open_, bool)])
        if copies:
            found += copies
            pairs = [(groups[first], groups[second]) for first, second, *_ in copies]
            numbers = connected_groups(len(groups), pairs)[groups]
            _, firsts, numbers = np.unique(numbers, return_index=True, return_inverse=True)
            groups = firsts[numbers]
    needed = connecting_pairs(len(pictures), [pair[:2] for pair in found])
    by_group: dict[int, list[MeasuredPair]] = {}
    for pair in sorted(found[position] for position in needed):
        by_group.setdefault(groups[pair[0]], []).append(pair)
    return list(by_group.values())


def _once(candidates: Candidates) -> np.ndarray:
    """Return rows of (first, second, variant, distance), the nearest first.

    Two whole pictures are candidates in both directions, but one comparison is enough.
    """
    columns = candidates.first, candidates.second, candidates.variant, candidates.distance
    rows = np.stack(columns, axis=1)
    ends = np.sort(rows[:, :2], axis=1)
    # The larger index of a pair is always below 2**29, see similar_hashes.py.
    codes = (ends[:, 0] << 29) | ends[:, 1]
    _, places = np.unique(codes[rows[:, 2] == 0], return_index=True)
    is_first = rows[:, 2] != 0
    is_first[np.flatnonzero(rows[:, 2] == 0)[places]] = True
    return rows[is_first]


class _Comparison:
    """Compares the pixels of pairs, given as rows of (first, second, variant, distance)."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._files = [picture.file for picture in pictures]
        self._grey = np.stack([picture.look.grey for picture in pictures])
        self._colours = np.stack([picture.look.colours for picture in pictures])
        self._sides = np.array([picture.side for picture in pictures])
        self._read_again: dict[int, np.ndarray] = {}

    def copies(self, rows: np.ndarray) -> list[MeasuredPair]:
        """Return the pairs that show the same picture."""
        rows = rows[~self._is_small(rows) | ((rows[:, 3] <= _FEW_BITS) & (rows[:, 2] % 2 == 0))]
        wide = _mirrored(self._grey, rows)
        alike, _ = correlation(self._grey[rows[:, 1]], wide, _scale(rows), steps=0)
        rows = rows[(alike >= _UNALIGNED) & self._same_colours(rows)]
        rows = rows[_agreement(self._grey, rows, np.broadcast_to(_SMALL, (len(rows), 2))) > 0]
        limits = np.where(self._is_small(rows)[:, None], _LITTLE_DETAIL, _LARGER)
        whole = self._larger_agreement(rows, limits)
        same = whole > 0
        return [
            (first, second, distance, round(float(value), 3), variant >= 2)
            for (first, second, variant, distance), value in zip(
                rows[same].tolist(), whole[same], strict=True
            )
        ]

    def _is_small(self, rows: np.ndarray) -> np.ndarray:
        return np.maximum(self._sides[rows[:, 0]], self._sides[rows[:, 1]]) < _SIDE

    def _same_colours(self, rows: np.ndarray) -> np.ndarray:
        """Tell which pairs agree in hue; a grey picture may be a copy of one in colour."""
        first = _mirrored(self._colours, rows).astype(np.int16)
        second = self._colours[rows[:, 1]].astype(np.int16)
        hues = [np.diff(colours, axis=-1) for colours in (first, second)]
        grey = [np.abs(hue).max((1, 2, 3)) < _NO_COLOUR for hue in hues]
        apart = np.abs(hues[0] - hues[1]).mean((1, 2, 3))
        return (apart <= _ALIKE_IN_COLOUR) | grey[0] | grey[1]

    def _larger_agreement(self, rows: np.ndarray, limits: np.ndarray) -> np.ndarray:
        """Read the files again, twice as large as the thumbnails, and compare them."""
        needed, places = np.unique(rows[:, :2], return_inverse=True)
        unread = [index for index in needed.tolist() if index not in self._read_again]
        if len(self._read_again) > _MOST_KEPT:
            self._read_again, unread = {}, needed.tolist()
        read = compute_all(_read, [self._files[index] for index in unread])
        self._read_again.update(zip(unread, read, strict=True))
        again = [self._read_again[index] for index in needed.tolist()]
        pictures = np.array(again, np.uint8).reshape(-1, _SIDE, _SIDE)
        rows = np.concatenate([places.reshape(-1, 2), rows[:, 2:]], axis=1)
        return _agreement(pictures, rows, limits)


def _read(file: ImageFile) -> np.ndarray:
    """Return uint8 (64, 64); black if the file has just been removed."""
    try:
        data = read_file(file)
        samples = read_samples(data)
        settings = PixelSettings((_SIDE, _SIDE), "grayscale", sample_range=own_range(samples))
        return read_pixels(data, settings, samples)[..., 0]
    except ImageError:
        return np.zeros((_SIDE, _SIDE), np.uint8)


def _mirrored(pictures: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the first picture of each pair, mirrored if its variant is."""
    first, mirrored = pictures[rows[:, 0]], rows[:, 2] >= 2
    first[mirrored] = first[mirrored][:, :, ::-1]
    return first


def _scale(rows: np.ndarray) -> np.ndarray:
    # Variants 1 and 3 are the middle of a picture, see `Candidates`.
    return np.where(rows[:, 2] % 2 == 1, 1 - 2 * CROP, 1.0).astype(np.float32)


def _agreement(pictures: np.ndarray, rows: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the correlation of each pair, 0 if it does not show the same picture.

    Each picture of a pair is laid over the other, because the search may succeed in only one of the
    two directions.

    Args:
        pictures: uint8 (num_pictures, side, side).
        rows: (num_pairs, 4).
        limits: (num_pairs, 2), the smallest correlations of the whole and of the detail.
    """
    first, second, scale = _mirrored(pictures, rows), pictures[rows[:, 1]], _scale(rows)
    agreement = np.zeros(len(rows))
    # Both ways, because either picture may be the one that was cropped.
    for below, above, begin in ((second, first, scale), (first, second, 1 / scale)):
        left = np.flatnonzero(agreement == 0)
        whole, detail = correlation(below[left], above[left], begin[left])
        enough = (whole >= limits[left, 0]) & (detail >= limits[left, 1])
        agreement[left[enough]] = whole[enough]
    return agreement

"""Find pairs of similar perceptual hashes in near-linear time, without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MAX_DISTANCE = 12  # bits of 64; a pair is only proposed, the pixels decide
_BANDS = 4
_BAND_BITS = 64 // _BANDS
_KEYS = 1 << _BAND_BITS
_WINDOW = 32  # hashes compared, of those with the same band
_NEAREST = 16  # pairs kept per picture and variant
_ROOM = 1 << 20  # pairs compared at once, which bounds the memory


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of similar hashes in arrays of the same length, the most similar pairs first.

    Args:
        first: index of the picture of which a variant was compared.
        second: index of the picture that was compared as a whole.
        variant: of the first picture: 0 the whole, 1 its middle, 2 and 3 the same mirrored.
        distance: number of different bits.
    """

    first: np.ndarray
    second: np.ndarray
    variant: np.ndarray
    distance: np.ndarray


def similar_hashes(hashes: np.ndarray) -> Candidates:
    """Find pairs of pictures in which a variant of one is similar to the whole of the other.

    A hash is cut into 4 bands of 16 bits. Two hashes are compared if one of their bands differs in
    at most one bit, so no pair at a distance of up to 7 bits is missed, and few up to 10. Two
    bounds keep time and memory linear if all pictures are alike: among more than 32 hashes with the
    same band, only the nearest in the order of the other bits are compared, and only the 16 most
    similar pictures per picture and variant are kept.

    Args:
        hashes: uint64 (num_pictures, 4), see `Look`.

    Source: multi-index hashing, Norouzi et al. 2012, https://arxiv.org/abs/1307.2982.
    """
    wholes = np.ascontiguousarray(hashes[:, 0])
    kept = [np.empty(0, np.uint64)] * hashes.shape[1]
    for band in range(_BANDS):
        table = _Band(wholes, band)
        for variant in range(hashes.shape[1]):
            queries = np.ascontiguousarray(hashes[:, variant])
            found = [
                _codes(first, second, queries[first] ^ wholes[second])
                for first, second in table.near(queries)
            ]
            kept[variant] = _nearest(np.concatenate([kept[variant], *found]))
    return _decoded(kept)


# A pair is packed into one number, so that sorting brings the most similar pictures of each picture
# to the front: 29 bits for the first picture, 6 for the distance, 29 for the second picture.
_INDEX_BITS = np.uint64(29)
_DISTANCE_BITS = np.uint64(6)
_SHIFT = _INDEX_BITS + _DISTANCE_BITS


def _codes(first: np.ndarray, second: np.ndarray, difference: np.ndarray) -> np.ndarray:
    distance = np.bitwise_count(difference)
    near = (distance <= MAX_DISTANCE) & (first != second)
    first, second = first[near].astype(np.uint64), second[near].astype(np.uint64)
    return (first << _SHIFT) | (distance[near].astype(np.uint64) << _INDEX_BITS) | second


def _nearest(codes: np.ndarray) -> np.ndarray:
    """Return each pair once, and only the most similar pairs of each first picture."""
    codes = np.unique(codes)
    first = codes >> _SHIFT
    begin = np.searchsorted(first, first)
    return codes[np.arange(len(codes)) - begin < _NEAREST]


def _decoded(kept: list[np.ndarray]) -> Candidates:
    codes = np.concatenate(kept)
    variant = np.repeat(np.arange(len(kept)), [len(part) for part in kept])
    first = (codes >> _SHIFT).astype(np.int64)
    distance = ((codes >> _INDEX_BITS) & np.uint64((1 << int(_DISTANCE_BITS)) - 1)).astype(np.int64)
    second = (codes & np.uint64((1 << int(_INDEX_BITS)) - 1)).astype(np.int64)
    order = np.lexsort((second, first, variant, distance))
    return Candidates(first[order], second[order], variant[order], distance[order])


class _Band:
    """The hashes, sorted by one band and then by the bits after it."""

    def __init__(self, hashes: np.ndarray, band: int) -> None:
        self._turn = np.uint64(band * _BAND_BITS)
        turned = self._turned(hashes)
        self._order = np.argsort(turned, kind="stable")
        self._sorted = turned[self._order]
        self._starts = np.searchsorted(_key(self._sorted), np.arange(_KEYS + 1))

    def _turned(self, hashes: np.ndarray) -> np.ndarray:
        """Return the hashes with the band's bits in front."""
        if not self._turn:
            return hashes
        return (hashes << self._turn) | (hashes >> (np.uint64(64) - self._turn))

    def near(self, queries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (query, hash) indices whose bands differ in at most one bit."""
        turned, seen = self._turned(queries), np.zeros(len(queries), np.int64)
        # The band as it is, and then with each of its bits flipped in turn.
        for flipped in (0, *(1 << bit for bit in range(64 - _BAND_BITS, 64))):
            begin, counts = self._same_key(turned ^ np.uint64(flipped))
            # A picture that has met enough others looks no further.
            counts[seen >= _WINDOW] = 0
            seen += counts
            totals = np.cumsum(counts)
            cuts = np.searchsorted(totals, np.arange(_ROOM, totals[-1], _ROOM))
            for part in np.split(np.arange(len(queries)), cuts):
                yield self._pairs(part, begin[part], counts[part])

    def _same_key(self, turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the hashes to compare begin in the sorted order, and how many there are."""
        keys = _key(turned)
        begin, end = self._starts[keys], self._starts[keys + 1]
        crowded = np.flatnonzero(end - begin > _WINDOW)
        if len(crowded):
            place = self._place(turned, crowded) - _WINDOW // 2
            begin[crowded] = np.clip(place, begin[crowded], end[crowded] - _WINDOW)
            end[crowded] = begin[crowded] + _WINDOW
        return begin, end - begin

    def _place(self, turned: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return the places of the chosen queries in the sorted order, spread over equal hashes."""
        left = np.searchsorted(self._sorted, turned[chosen])
        right = np.searchsorted(self._sorted, turned[chosen], side="right")
        return left + chosen % np.maximum(right - left, 1)

    def _pairs(
        self, queries: np.ndarray, begin: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return each query with the `counts` hashes from `begin` on in the sorted order."""
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(queries, counts), self._order[np.repeat(begin, counts) + offsets]


def _key(turned: np.ndarray) -> np.ndarray:
    return (turned >> np.uint64(64 - _BAND_BITS)).astype(np.int64)

"""Arrays of sha256 digests, and fast look-up in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# NumPy compares items of this type as 32 unsigned bytes, even if the last ones are zero.
DIGEST = np.dtype("S32")


def from_bytes(digests: bytes | bytearray) -> np.ndarray:
    """Return DIGEST (num_digests,) from the bytes of all digests in a row."""
    return np.frombuffer(digests, DIGEST)


def from_hex(hashes: Sequence[str]) -> np.ndarray:
    """Return DIGEST (len(hashes),) from digests in hex."""
    return from_bytes(bytes.fromhex("".join(hashes)))


class SortedContents:
    """Digests that can be looked up.

    Args:
        contents: DIGEST (num_contents,) in any order.
    """

    def __init__(self, contents: np.ndarray) -> None:
        self._places = np.argsort(contents, kind="stable")
        self._sorted = contents[self._places]

    def __contains__(self, digest: bytes) -> bool:
        place = self._sorted.searchsorted(from_bytes(digest))[0]
        # Compared as bytes: a single item of the array would lose zeros at its end.
        return place < len(self._sorted) and self._sorted[place : place + 1].tobytes() == digest

    def places(self, wanted: np.ndarray) -> np.ndarray:
        """Return the place of each of DIGEST (num_wanted,) in the contents, int64, or -1."""
        if not len(self._sorted):
            return np.full(len(wanted), -1, np.int64)
        # A digest after all others gets the last place; it differs from the one there.
        nearest = np.minimum(self._sorted.searchsorted(wanted), len(self._sorted) - 1)
        return np.where(self._sorted[nearest] == wanted, self._places[nearest], -1)

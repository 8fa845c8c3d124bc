"""A part of many images, for one of several processes that share no list."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cnnkit.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """One of several parts of all images.

    The part of an image follows from the hash of its path, so it does not change if other images
    come or go. All processes have to name the images by the same paths.

    Args:
        number: of this part, from 1.
        count: of all parts.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/8`.

        Raises:
            UsageError: it is not I/N with I from 1 to N.
        """
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        shard = cls(*map(int, found.groups())) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise UsageError(
                f"--shard {text}: write I/N, for example 2/8 for the second of eight parts; the "
                "first is 1/8."
            )
        return shard

    def has(self, path: str) -> bool:
        """Tell whether an image belongs to this part."""
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

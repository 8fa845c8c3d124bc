"""What is in the cache, and what was removed from it, as text and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cnnkit.data.cache.folder import cache_folder
from cnnkit.data.cache_entries import CacheEntry, choose_entries, list_cache, remove_entries
from cnnkit.tables import table_text
from cnnkit.text import count_of, size_text

_COLUMNS = ("kind", "images", "size", "what", "last used", "path")


@dataclass(frozen=True)
class CacheReport:
    """Things in the cache, by kind, those used last first."""

    entries: Sequence[CacheEntry]

    @classmethod
    def now(cls) -> CacheReport:
        """Return all that is in the cache."""
        return cls(list_cache())

    def choose(self, what: str) -> CacheReport:
        """Return the part of it that the user means; see `choose_entries`."""
        return CacheReport(choose_entries(self.entries, what))

    @property
    def num_bytes(self) -> int:
        """The size of all of it."""
        return sum(entry.num_bytes for entry in self.entries)

    def text(self) -> str:
        """Return a table, one line per thing, and the total size."""
        if not self.entries:
            return f"Nothing is kept in {cache_folder()}."
        table = table_text(_COLUMNS, [_row(entry) for entry in self.entries])
        return f"{table}\n{size_text(self.num_bytes)} in all"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        entries = [entry.as_dict() for entry in self.entries]
        return {"folder": str(cache_folder()), "bytes": self.num_bytes, "entries": entries}


@dataclass(frozen=True)
class Removed:
    """What was removed from the cache.

    Args:
        number: how many things.
        num_bytes: their size.
        left: one sentence for each thing that could not be removed.
    """

    number: int
    num_bytes: int
    left: Sequence[str]

    def text(self) -> str:
        """Return one sentence."""
        entries = count_of(self.number, "entry", "entries")
        return f"Removed {entries} and freed {size_text(self.num_bytes)}."

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"removed": self.number, "bytes": self.num_bytes}


def remove(report: CacheReport) -> Removed:
    """Remove things from the cache."""
    freed, left = remove_entries(report.entries)
    return Removed(len(report.entries) - len(left), freed, left)


def _row(entry: CacheEntry) -> list[str]:
    return [
        entry.kind,
        "unfinished" if entry.unfinished else "" if entry.images is None else f"{entry.images:,}",
        size_text(entry.num_bytes),
        _pixels(entry.settings) or _features(entry.features),
        # In the user's time; the JSON has UTC.
        f"{datetime.fromtimestamp(entry.last_used):%Y-%m-%d %H:%M}",
        str(entry.path),
    ]


def _pixels(settings: Mapping[str, Any] | None) -> str:
    if settings is None:
        return ""
    height, width = settings["image_size"]
    return (
        f"{height} x {width} {settings['color_mode']}, {settings['resize']}, "
        f"background {settings['background']}"
    )


def _features(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return ""
    # Views count from 0 in the cache, and from 1 for people.
    view = "" if facts.get("view") is None else f", augmented view {facts['view'] + 1}"
    return f"{' x '.join(map(str, facts['shape'][1:]))} of {facts['backbone']}{view}"

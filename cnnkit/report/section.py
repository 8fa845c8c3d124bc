"""One section of a report: the values for its template, or the command that would fill it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading.

    Args:
        name: of its template, and its address in the page.
        title: the heading.
        values: what the template shows; None if there is nothing to show.
        missing: then one sentence that says why, and what would add it.
        command: the command that adds it, if there is one.
    """

    name: str
    title: str
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    missing: str = ""
    command: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` says of it."""
        facts: dict[str, Any] = {"name": self.name, "shown": self.values is not None}
        if self.values is None:
            facts |= {"missing": self.missing, "command": self.command or None}
        return facts

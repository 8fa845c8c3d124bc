"""Images with their contents and groups enter; the units that must stay on one side leave."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cnnkit.data.records import ImageRecord
from cnnkit.errors import DataError


@dataclass(slots=True)
class Unit:
    """Contents that are divided as one: a single content, or all that groups hold together.

    Args:
        key: what the unit is drawn by: its first group by name, else its content.
        contents: sha256 of each distinct content.
        counts: (class, number of its distinct contents) of each class in the unit.
    """

    key: str
    contents: Sequence[str]
    counts: tuple[tuple[str, int], ...]


def groups_of(records: Sequence[ImageRecord], pattern: str | None) -> list[str | None]:
    """Return the group of each image, None for one that stands alone.

    Where the source states groups, they count, and the pattern is not looked at.

    Args:
        records: the images.
        pattern: searched in each path; its first group, or else all that it matches, is the
            image's group.

    Raises:
        DataError: the pattern matches no path at all.
    """
    stated = [record.group for record in records]
    if pattern is None or any(group is not None for group in stated):
        return stated
    expression = re.compile(pattern)
    groups = [_group_in(record.path, expression) for record in records]
    if records and not any(groups):
        raise DataError(
            f"data.split.group: {pattern} matches no path of the {len(records):,} images. A path "
            f"looks like this: {records[0].path}"
        )
    return groups


def _group_in(path: str, expression: re.Pattern[str]) -> str | None:
    match = expression.search(path)
    if match is None:
        return None
    return (match[1] if expression.groups else None) or match[0] or None


def units_of(
    owners: Mapping[str, str], memberships: Iterable[tuple[str, str | None]]
) -> list[Unit]:
    """Return the units of contents that are connected by groups.

    Args:
        owners: the class that each content counts for.
        memberships: (content, group) of each image; a content may lie in several groups.
    """
    groups = _Connected()
    for content, group in memberships:
        if group is not None:
            groups.connect(content, group)
    one_of = {label: ((label, 1),) for label in set(owners.values())}
    units = [
        Unit(content, (content,), one_of[label])
        for content, label in owners.items()
        if content not in groups
    ]
    for contents, names in groups.components():
        counts = Counter(owners[content] for content in contents)
        units.append(Unit(f"group {min(names)}", contents, tuple(sorted(counts.items()))))
    return units


def class_sizes(units: Iterable[Unit]) -> tuple[Counter[str], Counter[str]]:
    """Return for each class the number of its distinct contents, and of the units with them."""
    contents: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    for unit in units:
        for label, number in unit.counts:
            contents[label] += number
            holders[label] += 1
    return contents, holders


class _Connected:
    """Contents and groups as a graph (union-find); each component is one unit."""

    def __init__(self) -> None:
        self._group_of: dict[str, str] = {}
        self._parent: dict[str, str] = {}

    def __contains__(self, content: str) -> bool:
        return content in self._group_of

    def connect(self, content: str, group: str) -> None:
        self._parent.setdefault(group, group)
        first = self._root(self._group_of.setdefault(content, group))
        self._parent[self._root(group)] = first

    def _root(self, group: str) -> str:
        while (parent := self._parent[group]) != group:
            self._parent[group] = group = self._parent[parent]
        return group

    def components(self) -> list[tuple[list[str], list[str]]]:
        """Return (contents, groups) of each component."""
        found: dict[str, tuple[list[str], list[str]]] = {}
        for group in self._parent:
            found.setdefault(self._root(group), ([], []))[1].append(group)
        for content, group in self._group_of.items():
            found[self._root(group)][0].append(content)
        return list(found.values())

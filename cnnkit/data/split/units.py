"""Group images into units that must stay in one split: copies of a content, and groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cnnkit.data.connected import connected_groups
from cnnkit.data.records import ImageRecord
from cnnkit.errors import DataError
from cnnkit.text import count_of, shown


@dataclass(slots=True)
class Unit:
    """Contents that get the same split: a single content, or all that groups connect.

    Args:
        key: decides the order in which units are drawn: the first group by name, or the content.
        contents: sha256 of each distinct content.
        counts: (class, number of its distinct contents) of each class in the unit.
    """

    key: str
    contents: Sequence[str]
    counts: tuple[tuple[str, int], ...]


def groups_of(records: Sequence[ImageRecord], pattern: str | None) -> list[str | None]:
    """Return the group of each image, None for an image that belongs to no group.

    If the source states groups, these are used and the pattern is ignored.

    Args:
        records: the images.
        pattern: searched in each path; its first group, or else all that it matches, is the
            image's group.

    Raises:
        DataError: the pattern matches no path at all.
    """
    stated = [record.group for record in records]
    # What the source states is more reliable than what a pattern finds in paths.
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
    """Return the units: contents that share a group, directly or through others, are one unit.

    Args:
        owners: the class that each content counts for.
        memberships: (content, group) of each image; a content may be in several groups.
    """
    pairs = [(content, group) for content, group in memberships if group is not None]
    connected = {content for content, _ in pairs}
    one_of = {label: ((label, 1),) for label in set(owners.values())}  # shared: there are many
    units = [
        Unit(content, (content,), one_of[label])
        for content, label in owners.items()
        if content not in connected
    ]
    for contents, groups in _components(pairs):
        counts = Counter(owners[content] for content in contents)
        # The smallest name, so that the key does not depend on the order of the images.
        units.append(Unit(f"group {min(groups)}", contents, tuple(sorted(counts.items()))))
    return units


def _components(pairs: Sequence[tuple[str, str]]) -> list[tuple[list[str], list[str]]]:
    """Return the (contents, groups) of each component of the graph of contents and groups."""
    if not pairs:
        return []
    number_of_content = {content: i for i, content in enumerate(dict(pairs))}
    groups = dict.fromkeys(group for _, group in pairs)
    number_of_group = {group: i for i, group in enumerate(groups, start=len(number_of_content))}
    numbers = connected_groups(
        len(number_of_content) + len(number_of_group),
        [(number_of_content[content], number_of_group[group]) for content, group in pairs],
    ).tolist()
    components: list[tuple[list[str], list[str]]] = [([], []) for _ in range(max(numbers) + 1)]
    for content, i in number_of_content.items():
        components[numbers[i]][0].append(content)
    for group, i in number_of_group.items():
        components[numbers[i]][1].append(group)
    return components


def class_sizes(units: Iterable[Unit]) -> tuple[Counter[str], Counter[str]]:
    """Return for each class the number of its distinct contents, and of the units with them."""
    contents: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    for unit in units:
        for label, number in unit.counts:
            contents[label] += number
            holders[label] += 1
    return contents, holders


def class_size_text(name: str, contents: Mapping[str, int], holders: Mapping[str, int]) -> str:
    """Return `3 distinct images in 2 groups`; contents and holders are those of `class_sizes`."""
    images = count_of(contents[name], "distinct image")
    if holders[name] == contents[name]:
        return images
    return f"{images} in {count_of(holders[name], 'group')}"


class Pool:
    """The images that are to be split, as units.

    Images that the source already puts into validation or test are not among them.

    Args:
        records: all images.
        hashes: sha256 of each image's content.
        groups: the group of each image, None if it belongs to no group.
    """

    def __init__(
        self, records: Sequence[ImageRecord], hashes: Sequence[str], groups: Sequence[str | None]
    ) -> None:
        self._records = records
        self._hashes = hashes
        self._groups = groups
        self._members = [i for i, record in enumerate(records) if record.split in (None, "train")]
        self.given_splits = {record.split for record in records} - {None}
        self._owners, self._clashing = self._find_owners()
        self.units = units_of(self._owners, ((hashes[i], groups[i]) for i in self._members))
        self._unit_of = {
            content: index for index, unit in enumerate(self.units) for content in unit.contents
        }

    def _find_owners(self) -> tuple[dict[str, str], set[str]]:
        """Return the class that each content counts for, and the contents in several classes.

        Such a content counts for the first class by name, in any order of the images.
        """
        owners: dict[str, str] = {}
        clashing = set()
        for index in self._members:
            content, label = self._hashes[index], self._records[index].label
            owner = owners.setdefault(content, label)
            if owner != label:
                clashing.add(content)
                # Any class would do, but it must not depend on the order of the images.
                owners[content] = min(owner, label)
        return owners, clashing

    def notes(self) -> list[str]:
        """Return a sentence on images that are in more than one class."""
        if not self._clashing:
            return []
        example = min(self._clashing)
        paths = [self._records[i].path for i in self._members if self._hashes[i] == example]
        noun = count_of(len(self._clashing), "image is", "images are")
        same = " = ".join(sorted(paths)[:3])
        return [f"{noun} in more than one class ({same}); check the labels."]

    def kept_splits(self, earlier: Sequence[str | None]) -> list[str | None]:
        """Return the split that each unit keeps from an earlier manifest, None for a new unit.

        Args:
            earlier: the split of each image in that manifest, None for a new image.

        Raises:
            DataError: images that were in different splits now belong together.
        """
        splits: list[str | None] = [None] * len(self.units)
        seen: dict[int, int] = {}
        joined = []
        for i in self._members:
            # The splits that the source states now count more than an earlier manifest.
            if earlier[i] is None or earlier[i] in self.given_splits - {"train"}:
                continue
            unit = self._unit_of[self._hashes[i]]
            first = seen.setdefault(unit, i)
            splits[unit] = earlier[first]
            if earlier[first] != earlier[i]:
                joined.append(self._joined(first, i, earlier))
        if joined:
            raise DataError(
                f"{count_of(len(joined), 'image')} would have to move to another split:\n  "
                + "\n  ".join(joined[:20])
                + ("\n  ..." if len(joined) > 20 else "")
                + "\nAn image keeps its split. Remove the copy or correct the group that connects "
                "them, or write a new file with another --output."
            )
        return splits

    def _joined(self, first: int, second: int, earlier: Sequence[str | None]) -> str:
        if self._hashes[first] == self._hashes[second]:
            why = "are now the same image"
        elif self._groups[first] == self._groups[second]:
            why = f"are now both in the group {self._groups[first]}"
        else:
            groups = filter(None, (self._groups[first], self._groups[second]))
            why = f"now belong together through {' and '.join(groups) or 'copies in one group'}"
        one, other = (f"{shown(self._records[i].path)} ({earlier[i]})" for i in (first, second))
        return f"{one} and {other} {why}"

    def size_of(self, label: str) -> str:
        """Return how many distinct images a class has, and in how many groups."""
        return class_size_text(label, *self._class_sizes)

    @cached_property
    def _class_sizes(self) -> tuple[Counter[str], Counter[str]]:
        return class_sizes(self.units)

    def spread(self, unit_splits: Sequence[str]) -> list[str]:
        """Return the split of each image: the one that the source states, else that of its unit."""
        splits = [record.split or "train" for record in self._records]
        for i in self._members:
            splits[i] = unit_splits[self._unit_of[self._hashes[i]]]
        return splits

"""Image records and the hashes of their contents enter; the split of each image leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from cnnkit.data.records import SPLITS, ImageRecord, without_collection
from cnnkit.data.split.stratified import cut_units
from cnnkit.data.split.units import Unit, class_sizes, groups_of, units_of
from cnnkit.errors import DataError
from cnnkit.text import count_of, first_few, shown

ALL_IN_TRAIN = "set data.allow_missing_classes: true to keep all of it in train"

_HELD_OUT = ("validation", "test")


@without_collection
def assign_splits(
    records: Sequence[ImageRecord],
    hashes: Sequence[str],
    split_config: Any,
    *,
    allow_missing_classes: bool = False,
    kept: Sequence[str | None] | None = None,
) -> tuple[list[str], list[str]]:
    """Give every image its split: the one its source brings, or one cut from train.

    The cut is stratified and seeded, and made over distinct contents: identical images fall on the
    same side, whatever their names, their order or their number, and so do images of one group.
    Each class gets max(1, round(fraction * contents)) contents in each split that is cut; groups
    that do not fit exactly make it a little more or less.

    Args:
        records: the images; `split` is None, or given for all of them.
        hashes: sha256 of each image's content.
        split_config: `validation` and `test` (fractions of all images that are to be cut; 0 cuts
            none), `seed`, and `group` (a pattern on the path, see `groups_of`).
        allow_missing_classes: a class with too few images stays in train instead of being an error.
        kept: the side that images got earlier and keep, None for new ones. What the source brings
            goes first.

    Returns:
        The split of each record, and sentences on what was noticed.

    Raises:
        DataError: a class has too few distinct images or groups, all such classes at once, or
            images with different sides now belong together.
    """
    groups = groups_of(records, split_config.group)
    pool = Pool(records, hashes, groups)
    fractions = {
        split: getattr(split_config, split)
        for split in _HELD_OUT
        if split not in pool.brought and getattr(split_config, split) > 0
    }
    sides = pool.sides(kept or [None] * len(records))
    parts, too_few = cut_units(
        pool.units,
        fractions,
        split_config.seed,
        sides,
        allow_missing_classes=allow_missing_classes,
    )
    if too_few and not allow_missing_classes:
        parts_wanted = ", ".join(["train", *fractions])
        raise too_few_error(pool.units, too_few, parts_wanted, ALL_IN_TRAIN)
    splits = pool.spread(parts)
    notes = pool.notes() + _small_notes(pool.units, too_few)
    if pool.brought:
        notes += _leak_notes(records, hashes, splits) + _straddle_notes(groups, splits)
    return splits, notes


class Pool:
    """The images that are to be divided, as units: all but those of a brought held-out split.

    Args:
        records: all images.
        hashes: sha256 of each image's content.
        groups: the group of each image, None where it stands alone.
    """

    def __init__(
        self, records: Sequence[ImageRecord], hashes: Sequence[str], groups: Sequence[str | None]
    ) -> None:
        self._records = records
        self._hashes = hashes
        self._groups = groups
        self._members = [i for i, record in enumerate(records) if record.split in (None, "train")]
        self.brought = {record.split for record in records} - {None}
        self._owners, self._clashing = self._find_owners()
        self.units = units_of(self._owners, ((hashes[i], groups[i]) for i in self._members))
        self._unit_of = {
            content: index for index, unit in enumerate(self.units) for content in unit.contents
        }

    def _find_owners(self) -> tuple[dict[str, str], set[str]]:
        """Return the class that each content counts for, the first by name, and the clashes."""
        owners: dict[str, str] = {}
        clashing = set()
        for index in self._members:
            content, label = self._hashes[index], self._records[index].label
            owner = owners.setdefault(content, label)
            if owner != label:
                clashing.add(content)
                owners[content] = min(owner, label)
        return owners, clashing

    def notes(self) -> list[str]:
        """Say which pictures lie in more than one class."""
        if not self._clashing:
            return []
        example = min(self._clashing)
        paths = [self._records[i].path for i in self._members if self._hashes[i] == example]
        noun = count_of(len(self._clashing), "picture is", "pictures are")
        same = " = ".join(sorted(paths)[:3])
        return [f"{noun} stored under more than one class ({same}); check the labels."]

    def sides(self, kept: Sequence[str | None]) -> list[str | None]:
        """Return the side that each unit has from earlier, None for a new one.

        Raises:
            DataError: images with different sides now belong together.
        """
        sides: list[str | None] = [None] * len(self.units)
        seen: dict[int, int] = {}
        joined = []
        for i in self._members:
            if kept[i] is None or kept[i] in self.brought - {"train"}:
                continue
            unit = self._unit_of[self._hashes[i]]
            first = seen.setdefault(unit, i)
            sides[unit] = kept[first]
            if kept[first] != kept[i]:
                joined.append(self._joined(first, i, kept))
        if joined:
            raise DataError(
                f"{count_of(len(joined), 'image')} would have to change sides:\n  "
                + "\n  ".join(joined[:20])
                + ("\n  ..." if len(joined) > 20 else "")
                + "\nAn image keeps its side. Take out the copy or correct the group that joins "
                "them, or write a new file with another --output."
            )
        return sides

    def _joined(self, first: int, second: int, kept: Sequence[str | None]) -> str:
        if self._hashes[first] == self._hashes[second]:
            why = "are now the same picture"
        elif self._groups[first] == self._groups[second]:
            why = f"are now both of the group {self._groups[first]}"
        else:
            why = f"now belong together ({self._groups[first]} and {self._groups[second]})"
        one, other = (f"{shown(self._records[i].path)} ({kept[i]})" for i in (first, second))
        return f"{one} and {other} {why}"

    def size_of(self, label: str) -> str:
        """Return how many distinct images a class has, and in how many groups."""
        return _size(label, *class_sizes(self.units))

    def spread(self, parts: Sequence[str]) -> list[str]:
        """Return the split of each image: what the source brings, else that of its unit."""
        splits = [record.split for record in self._records]
        for i in self._members:
            splits[i] = parts[self._unit_of[self._hashes[i]]]
        return splits


def too_few_error(
    units: Sequence[Unit], too_few: Iterable[str], parts: str, advice: str
) -> DataError:
    """Return the error that names the classes that cannot be in all the parts, with their sizes."""
    names = sorted(too_few)
    contents, holders = class_sizes(units)
    grouped = any(holders[name] < contents[name] for name in names)
    listed = first_few((f"{name} ({_size(name, contents, holders)})" for name in names), 10)
    rule = (
        "A group stays on one side, and each part needs at least one group of each class."
        if grouped
        else "Identical copies count once, and each part needs at least one."
    )
    return DataError(
        f"{count_of(len(names), 'class has', 'classes have')} too few "
        f"{'groups' if grouped else 'images'} to split into {parts}: {listed}. {rule} "
        f"Add images, remove the class, or {advice}."
    )


def _size(name: str, contents: Mapping[str, int], holders: Mapping[str, int]) -> str:
    images = count_of(contents[name], "distinct image")
    if holders[name] == contents[name]:
        return images
    return f"{images} in {count_of(holders[name], 'group')}"


def _small_notes(units: Sequence[Unit], too_few: Collection[str]) -> list[str]:
    if not too_few:
        return []
    contents, holders = class_sizes(units)
    return [
        f"Class {shown(name)} has {_size(name, contents, holders)}: all stay in train."
        for name in sorted(too_few)
    ]


def _leak_notes(
    records: Sequence[ImageRecord], hashes: Sequence[str], splits: Sequence[str]
) -> list[str]:
    """Say which contents lie both in train and in a split that the source brought."""
    in_train = {
        digest: record.path
        for record, digest, split in zip(records, hashes, splits, strict=True)
        if split == "train"
    }
    notes = []
    for split in _HELD_OUT:
        shared = [
            f"{record.path} = {in_train[digest]}"
            for record, digest, part in zip(records, hashes, splits, strict=True)
            if part == split and digest in in_train
        ]
        if shared:
            verb = "is" if len(shared) == 1 else "are"
            notes.append(
                f"{count_of(len(shared), 'image')} of the {split} split {verb} also in train "
                f"({first_few(shared)})."
            )
    return notes


def _straddle_notes(groups: Sequence[str | None], splits: Sequence[str]) -> list[str]:
    """Say which groups lie in more than one split, because the source brought them so."""
    found: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        if group is not None:
            found.setdefault(group, set()).add(split)
    torn = [
        f"{group} in {' and '.join(name for name in SPLITS if name in sides)}"
        for group, sides in sorted(found.items())
        if len(sides) > 1
    ]
    if not torn:
        return []
    noun = count_of(len(torn), "group lies", "groups lie")
    return [f"{noun} in more than one split of the source ({first_few(torn)})."]

"""Image records and the hashes of their contents enter; the split of each image leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cnnkit.data.records import ImageRecord, count_of, first_few
from cnnkit.errors import DataError

_HELD_OUT = ("validation", "test")


def assign_splits(
    records: Sequence[ImageRecord],
    hashes: Sequence[str],
    split_config: Any,
    *,
    allow_missing_classes: bool = False,
) -> tuple[list[str], list[str]]:
    """Give every image its split: the one its source brings, or one cut from train.

    The cut is stratified and seeded, and made over distinct contents: identical images fall on the
    same side, whatever their names, their order or their number. Each class gets
    max(1, round(fraction * contents)) contents in each split that is cut.

    Args:
        records: the images; `split` is None, or given for all of them.
        hashes: sha256 of each image's content.
        split_config: `validation` and `test` (fractions of all images that are to be cut; 0 cuts
            none) and `seed`.
        allow_missing_classes: a class with too few images stays in train instead of being an error.

    Returns:
        The split of each record, and sentences on what was noticed.

    Raises:
        DataError: a class has too few distinct images, all such classes at once.
    """
    brought = {record.split for record in records}
    fractions = {
        split: getattr(split_config, split)
        for split in _HELD_OUT
        if split not in brought and getattr(split_config, split) > 0
    }
    pool = [i for i, record in enumerate(records) if record.split in (None, "train")]
    owners, notes = _owners(records, hashes, pool)
    sides, too_few = _cut(owners, fractions, split_config.seed)
    if too_few and not allow_missing_classes:
        raise _too_few(too_few, fractions)
    notes += [
        f"Class {name} has {count_of(number, 'distinct image')}: all stay in train."
        for name, number in too_few.items()
    ]
    splits = [
        sides[digest] if record.split in (None, "train") else record.split
        for record, digest in zip(records, hashes, strict=True)
    ]
    return splits, notes + _leak_notes(records, hashes, splits)


def _owners(
    records: Sequence[ImageRecord], hashes: Sequence[str], pool: Iterable[int]
) -> tuple[dict[str, str], list[str]]:
    """Return the class that each content counts for: the first by name where there are several."""
    labels: dict[str, set[str]] = {}
    paths: dict[str, list[str]] = {}
    for index in pool:
        labels.setdefault(hashes[index], set()).add(records[index].label)
        paths.setdefault(hashes[index], []).append(records[index].path)
    owners = {digest: min(found) for digest, found in labels.items()}
    clashes = [paths[digest] for digest in sorted(labels) if len(labels[digest]) > 1]
    if not clashes:
        return owners, []
    example = " = ".join(sorted(clashes[0])[:3])
    noun = count_of(len(clashes), "picture is", "pictures are")
    return owners, [f"{noun} stored under more than one class ({example}); check the labels."]


def _cut(
    owners: dict[str, str], fractions: dict[str, float], seed: int
) -> tuple[dict[str, str], dict[str, int]]:
    """Return the split of each content, and the classes that are too small with their size."""
    by_class: dict[str, list[str]] = {}
    for digest in sorted(owners):
        by_class.setdefault(owners[digest], []).append(digest)
    sides = dict.fromkeys(owners, "train")
    too_few: dict[str, int] = {}
    for name, contents in sorted(by_class.items()):
        sizes = {split: max(1, round(part * len(contents))) for split, part in fractions.items()}
        if sum(sizes.values()) >= len(contents):
            too_few[name] = len(contents)
            continue
        for split, taken in _draw(contents, sizes, seed).items():
            sides.update(dict.fromkeys(taken, split))
    return sides, too_few


def _draw(contents: list[str], sizes: dict[str, int], seed: int) -> dict[str, list[str]]:
    """Take from one class what each split gets; scikit-learn draws."""
    if not sizes:
        return {}
    from sklearn.model_selection import train_test_split

    taken, rest = {}, contents
    for split in reversed(sizes):  # test first: its images do not depend on validation's fraction
        rest, taken[split] = train_test_split(rest, test_size=sizes[split], random_state=seed)
    return taken


def _too_few(too_few: dict[str, int], fractions: dict[str, float]) -> DataError:
    parts = ", ".join(["train", *fractions])
    listed = first_few(
        (f"{name} ({count_of(number, 'distinct image')})" for name, number in too_few.items()), 10
    )
    settings = " or ".join(f"data.split.{split}: 0" for split in fractions)
    return DataError(
        f"{count_of(len(too_few), 'class has', 'classes have')} too few images to split into "
        f"{parts}: {listed}. Identical copies count once, and each part needs at least one. "
        f"Add images, remove the class, or set {settings}."
    )


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

"""Find copies of pictures, exact or nearly so, within a class and across classes and splits."""

from __future__ import annotations

from collections.abc import Sequence

from cnnkit.data.check.fault_kinds import Finding, Pair
from cnnkit.data.check.image_faults import Facts
from cnnkit.data.check.same_picture import Picture, near_duplicates
from cnnkit.data.records import ImageRecord

_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # is an empty_file


def copy_findings(records: Sequence[ImageRecord], facts: Sequence[Facts]) -> list[Finding]:
    """Return exact and near duplicates: one finding per group and per consequence of it.

    Args:
        records: the images, with their class and split.
        facts: of each image.
    """
    members: dict[str, list[int]] = {}
    for index, fact in enumerate(facts):
        if fact.sha256 is not None and fact.sha256 != _EMPTY:
            members.setdefault(fact.sha256, []).append(index)
    exact = [same for same in members.values() if len(same) > 1]
    findings = [found for same in exact for found in _classified("duplicate", records, same)]
    # One image of each content is enough to find the near duplicates of all its copies.
    pictures: dict[str, Picture] = {}
    for content, (first, *_) in members.items():
        look, size = facts[first].look, facts[first].size
        if look is not None and size is not None:
            pictures[content] = Picture(records[first].file, look, min(size))
    contents = list(pictures)
    paths = [records[members[content][0]].path for content in contents]
    for pairs in near_duplicates(list(pictures.values())):
        named = tuple(
            Pair((paths[a], paths[b]), distance, similarity, mirrored)
            for a, b, distance, similarity, mirrored in pairs
        )
        alike = {contents[place] for pair in pairs for place in pair[:2]}
        same = sorted(index for content in alike for index in members[content])
        findings += _classified("near_duplicate", records, same, named)
    return findings


def _classified(
    kind: str, records: Sequence[ImageRecord], same: Sequence[int], pairs: tuple[Pair, ...] = ()
) -> list[Finding]:
    """Return what a group of copies means: across splits, across classes, or neither."""
    paths = tuple(records[i].path for i in same)
    kinds = []
    splits = sorted({split for i in same if (split := records[i].split) is not None})
    if len(splits) > 1:
        kinds.append((f"{kind}_across_splits", f"in {' and '.join(splits)}"))
    labels = sorted({records[i].label for i in same})
    if len(labels) > 1:
        kinds.append((f"{kind}_across_classes", f"in {' and '.join(labels)}"))
    return [Finding(name, paths, detail, pairs) for name, detail in kinds or [(kind, "")]]

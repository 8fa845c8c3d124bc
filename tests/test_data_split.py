"""The split: stratified, seeded, by content."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from images import data_config

from cnnkit.config.data_section import SplitConfig
from cnnkit.data.records import ImageRecord
from cnnkit.data.split.assignment import assign_splits
from cnnkit.data.split.units import groups_of
from cnnkit.errors import DataError


def record(path, label, split=None):
    return ImageRecord(path, Path(path), label, split)


def images(counts, split=None):
    """Return records and hashes: {"cat": 3} gives three different cats."""
    records = [record(f"{c}/{i:03d}", c, split) for c, n in counts.items() for i in range(n)]
    return records, [f"hash of {r.path}" for r in records]


def split_of(records, hashes, *, allow_missing_classes=False, **fractions):
    config = SplitConfig(**{"validation": 0.1, "test": 0.1, "seed": 0, **fractions})
    splits, _ = assign_splits(records, hashes, config, allow_missing_classes=allow_missing_classes)
    return dict(zip((r.path for r in records), splits, strict=True))


def counted(records, hashes, **options):
    splits = split_of(records, hashes, **options)
    return Counter((r.label, splits[r.path]) for r in records)


def test_every_class_is_split_by_the_fractions():
    found = counted(*images({"cat": 50, "owl": 20}), validation=0.2, test=0.1)
    assert found == {
        ("cat", "train"): 35,
        ("cat", "validation"): 10,
        ("cat", "test"): 5,
        ("owl", "train"): 14,
        ("owl", "validation"): 4,
        ("owl", "test"): 2,
    }


def test_a_small_class_gets_one_image_in_each_split():
    found = counted(*images({"cat": 3, "owl": 100}))
    assert [found["cat", part] for part in ("train", "validation", "test")] == [1, 1, 1]


def test_the_split_does_not_depend_on_order():
    records, hashes = images({"cat": 30, "owl": 30})
    pairs = list(zip(records, hashes, strict=True))
    random.Random(1).shuffle(pairs)
    assert split_of(records, hashes) == split_of(*zip(*pairs, strict=True))


def test_the_split_does_not_depend_on_names():
    records, hashes = images({"cat": 30, "owl": 30})
    renamed = [record(f"{r.label}/{999 - i}", r.label) for i, r in enumerate(records)]
    assert list(split_of(records, hashes).values()) == list(split_of(renamed, hashes).values())


def test_another_seed_splits_differently():
    records, hashes = images({"cat": 30, "owl": 30})
    assert split_of(records, hashes, seed=0) == split_of(records, hashes, seed=0)
    assert split_of(records, hashes, seed=0) != split_of(records, hashes, seed=1)


def test_identical_images_get_the_same_split():
    records, hashes = images({"cat": 40, "owl": 20})
    hashes[:40] = [f"content {i // 4}" for i in range(40)]  # ten contents, four copies each
    splits = split_of(records, hashes, validation=0.2, test=0.2)
    sides = {}
    for r, digest in zip(records, hashes, strict=True):
        sides.setdefault(digest, set()).add(splits[r.path])
    assert all(len(side) == 1 for side in sides.values())
    assert Counter(splits[r.path] for r in records[:40]) == {
        "train": 24,
        "validation": 8,
        "test": 8,
    }


def test_an_image_in_two_classes_gets_one_split_and_is_reported():
    records, hashes = images({"cat": 20, "owl": 20})
    for i in range(10):
        hashes[20 + i] = hashes[i]
    splits, notes = assign_splits(records, hashes, SplitConfig(validation=0.3, test=0.3))
    assert splits[:10] == splits[20:30]
    assert len(set(splits[:10])) > 1
    assert notes == ["10 images are in more than one class (cat/000 = owl/000); check the labels."]


def test_all_classes_that_are_too_small_are_named():
    records, hashes = images({"cat": 2, "owl": 9, "yak": 5})
    hashes[-5:] = ["the same"] * 5
    with pytest.raises(DataError) as caught:
        split_of(records, hashes)
    message = str(caught.value)
    assert "2 classes have too few images to split into train, validation, test" in message
    assert "cat (2 distinct images), yak (1 distinct image)" in message
    assert "data.allow_missing_classes: true" in message


def test_a_class_that_is_too_small_stays_in_train_if_allowed():
    found = counted(*images({"cat": 2, "owl": 10}), allow_missing_classes=True)
    assert found["cat", "train"] == 2
    assert found["owl", "test"] == 1


def test_a_fraction_of_zero_makes_no_such_split():
    found = counted(*images({"cat": 10, "owl": 10}), validation=0)
    assert {part for _, part in found} == {"train", "test"}
    assert set(split_of(*images({"cat": 1, "owl": 1}), validation=0, test=0).values()) == {"train"}


def test_splits_of_the_source_are_kept_and_missing_ones_taken_from_train():
    train, hashes = images({"cat": 20, "owl": 20}, "train")
    test = [record(f"test/{i}", "cat", "test") for i in range(5)]
    found = counted(train + test, hashes + [f"t{i}" for i in range(5)], validation=0.1, test=0.5)
    assert found == {
        ("cat", "train"): 18,
        ("cat", "validation"): 2,
        ("owl", "train"): 18,
        ("owl", "validation"): 2,
        ("cat", "test"): 5,
    }


def test_images_in_train_and_in_the_test_split_of_the_source_are_reported():
    train, hashes = images({"cat": 5, "owl": 5}, "train")
    test = [record("test/a", "cat", "test")]
    config = SplitConfig(validation=0, test=0)
    _, notes = assign_splits(train + test, [*hashes, hashes[0]], config)
    assert notes == ["1 image of the test split is also in train (test/a = cat/000)."]


def test_the_default_config_splits_eight_one_one():
    found = counted(*images({"cat": 100, "owl": 100}), **dict(data_config("x").split))
    assert [found["cat", part] for part in ("train", "validation", "test")] == [80, 10, 10]


def grouped(counts):
    """Return images and hashes: {("cat", "p1"): 3} gives three cats of the group p1."""
    records = [
        ImageRecord(f"{c}/{g}-{i}", Path("x"), c, group=g)
        for (c, g), n in counts.items()
        for i in range(n)
    ]
    return records, [f"hash of {r.path}" for r in records]


def sides_of_groups(records, hashes, **options):
    splits = split_of(records, hashes, **options)
    sides = {}
    for r in records:
        sides.setdefault(r.group, set()).add(splits[r.path])
    return sides


def test_a_group_stays_in_one_split_across_classes():
    patients = [f"p{i}" for i in range(10)]
    images = grouped({(c, p): 4 for c in ("ill", "well") for p in patients})
    sides = sides_of_groups(*images, validation=0.2, test=0.1)
    assert sorted(part for (part,) in sides.values()) == (
        ["test"] + ["train"] * 7 + ["validation"] * 2
    )


def test_groups_of_different_sizes_come_near_to_the_fractions():
    sizes = {"a": 13, "b": 7, "c": 5, "d": 3, "e": 2, "f": 1, "g": 1, "h": 8}
    images = grouped({(c, c + g): n for c in ("cat", "owl") for g, n in sizes.items()})
    found = counted(*images, validation=0.25, test=0.25)  # ten of forty
    for part in ("validation", "test"):
        for c in ("cat", "owl"):
            assert 4 <= found[c, part] <= 16


def test_copies_in_two_groups_connect_the_groups():
    records, hashes = grouped({(c, f"{c}{i}"): 2 for c in ("cat", "owl") for i in range(10)})
    hashes[0] = hashes[2] = hashes[21] = "one picture"  # cat0, cat1 and owl0
    sides = sides_of_groups(records, hashes, validation=0.3, test=0.3)
    assert sides["cat0"] == sides["cat1"] == sides["owl0"]
    assert len(sides["cat0"]) == 1


def test_a_large_group_still_leaves_one_group_for_each_split():
    images = grouped(
        {("cat", "a"): 50, ("cat", "b"): 40, ("cat", "c"): 45, ("owl", "d"): 1}
        | {("owl", f"owl{i}"): 1 for i in range(9)}
    )
    found = counted(*images)
    assert found["cat", "test"] + found["cat", "validation"] in (85, 90, 95)
    assert min(found["cat", part] for part in ("train", "validation", "test")) >= 40


def test_classes_with_too_few_groups_are_named_with_both_numbers():
    images = grouped(
        {("cat", "p1"): 30, ("cat", "p2"): 30} | {("owl", f"o{i}"): 5 for i in range(9)}
    )
    with pytest.raises(DataError) as caught:
        split_of(*images)
    message = str(caught.value)
    assert "1 class has too few groups to split into train, validation, test" in message
    assert "cat (60 distinct images in 2 groups)" in message
    found = counted(*images, allow_missing_classes=True)
    assert found["cat", "train"] == 60
    assert found["owl", "test"] == 5


@pytest.mark.parametrize("pattern", [r"patient(\d+)", r"patient\d+"])
def test_a_pattern_finds_the_group_in_the_path(pattern):
    records = [
        record(f"{c}/patient{p}_{i}", c) for c in ("ill", "well") for p in range(8) for i in "abc"
    ]
    records += [record(f"{c}/unknown{i}", c) for c in ("ill", "well") for i in range(6)]
    splits = split_of(records, [r.path for r in records], group=pattern, validation=0.2, test=0.2)
    for p in range(8):
        assert len({splits[r.path] for r in records if f"patient{p}_" in r.path}) == 1
    counts = Counter(splits.values())
    assert 10 <= counts["test"] <= 14 and 10 <= counts["validation"] <= 14


def test_groups_of_the_source_have_priority_over_the_pattern():
    records, hashes = grouped({("cat", f"p{i}"): 2 for i in range(10)})
    assert groups_of(records, "cat") == [r.group for r in records]
    assert groups_of(records, None) == [r.group for r in records]


def test_a_pattern_that_matches_nothing_is_refused_with_an_example():
    records, _ = images({"cat": 5})
    with pytest.raises(DataError, match=r"p\\d\+ matches no path of the 5 images.*: cat/000"):
        groups_of(records, r"p\d+")


def test_the_whole_match_is_the_group_if_the_parentheses_match_nothing():
    names = ["p1-x", "q7", "other"]
    records = [record(name, "cat") for name in names]
    assert groups_of(records, r"(p\d)-|q\d") == ["p1", "q7", None]
    assert groups_of(records, r"^p?") == ["p", None, None]


def test_groups_in_two_splits_of_the_source_are_reported():
    records = [
        ImageRecord(f"{part}/{g}", Path("x"), "cat", part, g)
        for part, g in [("train", "a"), ("test", "a"), ("train", "b"), ("validation", "c")]
    ]
    _, notes = assign_splits(records, list("1234"), SplitConfig())
    assert notes == ["1 group is in more than one split of the source (a in train and test)."]


def test_kept_images_stay_and_new_ones_fill_up():
    records, hashes = images({"cat": 20, "owl": 20})
    kept = ["test", "test", *["train"] * 8, *[None] * 10] + ["validation"] + [None] * 19
    config = SplitConfig(validation=0.1, test=0.2)
    splits, _ = assign_splits(records, hashes, config, kept=kept)
    assert all(side in (None, split) for side, split in zip(kept, splits, strict=True))
    counts = Counter((r.label, split) for r, split in zip(records, splits, strict=True))
    assert counts["cat", "test"] == counts["owl", "test"] == 4
    assert counts["cat", "validation"] == counts["owl", "validation"] == 2


def test_what_would_connect_two_kept_splits_is_named():
    records, hashes = grouped({("cat", f"p{i}"): 2 for i in range(8)})
    kept = [None] * 16
    kept[0], kept[1] = "train", "test"  # now of one group
    kept[2], kept[4] = "validation", "train"  # now joined by a copy
    hashes[3] = hashes[5]
    kept[6], kept[8], hashes[6], hashes[8] = "test", "train", "same", "same"
    with pytest.raises(DataError) as caught:
        assign_splits(records, hashes, SplitConfig(), kept=kept)
    assert str(caught.value).splitlines()[:4] == [
        "3 images would have to move to another split:",
        "  cat/p0-0 (train) and cat/p0-1 (test) are now both in the group p0",
        "  cat/p1-0 (validation) and cat/p2-0 (train) now belong together through p1 and p2",
        "  cat/p3-0 (test) and cat/p4-0 (train) are now the same image",
    ]


def test_a_hundred_thousand_images_in_groups_are_split():
    records = [
        ImageRecord(f"{i}", Path("x"), f"c{i % 10}", group=f"{i // 70}") for i in range(10**5)
    ]
    hashes = [str(i) for i in range(10**5)]
    splits, _ = assign_splits(records, hashes, SplitConfig())
    counts = Counter(splits)
    assert abs(counts["test"] - 10**4) <= 70
    assert abs(counts["validation"] - 10**4) <= 70

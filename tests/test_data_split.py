"""The split: stratified, seeded, by content."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from images import data_config

from cnnkit.config.schema import SplitConfig
from cnnkit.data.records import ImageRecord
from cnnkit.data.split import assign_splits
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


def test_a_small_class_gets_one_image_in_each_part():
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


def test_identical_images_fall_on_the_same_side():
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


def test_one_picture_under_two_labels_stays_on_one_side_and_is_told():
    records, hashes = images({"cat": 20, "owl": 20})
    for i in range(10):
        hashes[20 + i] = hashes[i]
    splits, notes = assign_splits(records, hashes, SplitConfig(validation=0.3, test=0.3))
    assert splits[:10] == splits[20:30]
    assert len(set(splits[:10])) > 1
    assert notes == [
        "10 pictures are stored under more than one class (cat/000 = owl/000); check the labels."
    ]


def test_all_classes_that_are_too_small_are_named():
    records, hashes = images({"cat": 2, "owl": 9, "yak": 5})
    hashes[-5:] = ["the same"] * 5
    with pytest.raises(DataError) as caught:
        split_of(records, hashes)
    message = str(caught.value)
    assert "2 classes have too few images to split into train, validation, test" in message
    assert "cat (2 distinct images), yak (1 distinct image)" in message
    assert "data.split.validation: 0 or data.split.test: 0" in message


def test_a_class_that_is_too_small_stays_in_train_where_allowed():
    found = counted(*images({"cat": 2, "owl": 10}), allow_missing_classes=True)
    assert found["cat", "train"] == 2
    assert found["owl", "test"] == 1


def test_a_fraction_of_zero_turns_a_part_off():
    found = counted(*images({"cat": 10, "owl": 10}), validation=0)
    assert {part for _, part in found} == {"train", "test"}
    assert set(split_of(*images({"cat": 1, "owl": 1}), validation=0, test=0).values()) == {"train"}


def test_parts_that_the_source_brings_are_kept_and_missing_ones_cut_from_train():
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


def test_images_both_in_train_and_in_a_brought_test_split_are_told():
    train, hashes = images({"cat": 5, "owl": 5}, "train")
    test = [record("test/a", "cat", "test")]
    config = SplitConfig(validation=0, test=0)
    _, notes = assign_splits(train + test, [*hashes, hashes[0]], config)
    assert notes == ["1 image of the test split is also in train (test/a = cat/000)."]


def test_the_default_config_splits_eight_one_one():
    found = counted(*images({"cat": 100, "owl": 100}), **dict(data_config("x").split))
    assert [found["cat", part] for part in ("train", "validation", "test")] == [80, 10, 10]

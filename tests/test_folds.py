"""Folds share nothing, cover everything, and stay."""

from __future__ import annotations

from collections import Counter

import pytest
from images import data_config, write_classes, write_image
from manifests import folds_of, rows_of, sides

from cnnkit.data.dataset import load_dataset
from cnnkit.data.split.division import fold_file
from cnnkit.errors import DataError, UsageError


def test_folds_share_nothing_and_cover_all(cats_and_owls, tmp_path):
    made, _ = folds_of(tmp_path, cats_and_owls)
    assert [d.file for d in made] == [tmp_path / f"k.fold{i}.csv" for i in (1, 2, 3)]
    tests = [{row["path"] for row in rows_of(d.file) if row["split"] == "test"} for d in made]
    assert Counter(path for test in tests for path in test) == Counter(
        row["path"] for row in rows_of(made[0].file)
    )
    assert sorted(d.counts["test"]["cat"] for d in made) == [6, 7, 7]
    assert sorted(d.counts["test"]["owl"] for d in made) == [3, 3, 4]
    assert {d.counts["validation"]["cat"] for d in made} == {2}
    assert load_dataset(data_config(made[1].file)).counts() == made[1].counts


def test_folds_stay_when_images_are_added(cats_and_owls, tmp_path):
    made, _ = folds_of(tmp_path, cats_and_owls)
    before = [sides(d.file) for d in made]
    for i in range(6):
        write_image(cats_and_owls / "owl" / f"new{i}.png", seed=200 + i)
    made, _ = folds_of(tmp_path, cats_and_owls, split={"seed": 8})
    for old, division in zip(before, made, strict=True):
        now = sides(division.file)
        assert {key: now[key] for key in old} == old
        assert (division.kept, division.new) == (30, 6)
    assert sorted(d.counts["test"]["owl"] for d in made) == [5, 5, 6]


def test_folds_keep_groups_together(tmp_path):
    for group in range(9):
        for label in ("cat", "owl"):
            for i in range(group % 3 + 1):
                seed = 100 * group + 10 * i + (label == "cat")
                write_image(tmp_path / "x" / label / f"g{group}-{i}.png", seed=seed)
    made, _ = folds_of(tmp_path, tmp_path / "x", split={"group": r"g\d", "validation": 0.2})
    for division in made:
        side_of = {}
        for row in rows_of(division.file):
            assert side_of.setdefault(row["group"], row["split"]) == row["split"]
        assert division.counts["test"] == {"cat": 6, "owl": 6}


def test_impossible_folds_are_refused(cats_and_owls, tmp_path):
    with pytest.raises(DataError, match=r"1 class has too few images to split into 11 folds: owl"):
        folds_of(tmp_path, cats_and_owls, 11)
    folds_of(tmp_path, cats_and_owls, 3)
    for other in (2, 4):
        with pytest.raises(UsageError, match=f"exist, but {other} folds need {other} files"):
            folds_of(tmp_path, cats_and_owls, other)
    write_classes(tmp_path / "y" / "train", {"cat": 9, "owl": 9})
    with pytest.raises(UsageError, match="has its own splits"):
        folds_of(tmp_path, tmp_path / "y", 3, name="y.csv")
    assert fold_file(tmp_path / "a.b.csv", 2) == tmp_path / "a.b.fold2.csv"


def test_real_images_train_from_folds(shared_data, tmp_path):
    source = shared_data / "datasets" / "sign_digits" / "train"
    made, notes = folds_of(tmp_path, source, 5)
    assert notes == []
    assert [sum(d.counts["test"].values()) for d in made] == [200] * 5
    dataset = load_dataset(data_config(made[4].file, cache="off"))
    assert dataset.counts() == made[4].counts

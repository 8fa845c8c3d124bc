"""The rows of manifests, and folds."""

from __future__ import annotations

import csv

from images import data_config

from cnnkit.data.split.division import divide_into_folds


def rows_of(file):
    with open(file, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return list(csv.DictReader(stream))


def sides(file):
    return {row["sha256"]: row["split"] for row in rows_of(file)}


def folds_of(tmp_path, photos, num_folds=3, name="k.csv", **changes):
    notes = []
    made = divide_into_folds(
        data_config(photos, **changes), tmp_path / name, num_folds, note=notes.append
    )
    return made, notes

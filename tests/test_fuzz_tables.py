"""Odd and damaged CSV, JSONL and list files: they are read, or refused in words."""

from __future__ import annotations

import io
import os
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fuzzing import Mutant, check_cases, random_of
from images import data_config, file_bytes, noise, write_image
from mutations import mutated
from odd_tables import odd_csv, odd_json_lines, odd_list

from cnnkit.cli.path_list import paths_in
from cnnkit.data.check import check_data
from cnnkit.data.dataset import load_dataset
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.scored_images import find_images_for
from cnnkit.data.sources.listing import find_images
from cnnkit.data.split.division import divide, divide_into_folds
from cnnkit.data.split.manifest import read_manifest
from cnnkit.model.model_info import ModelInfo
from cnnkit.prediction import predict
from cnnkit.prediction.output_formats import write_predictions
from cnnkit.runtimes import Predictor
from cnnkit.streams import json_text

_CLASSES = ("cat", "dog")
_MAKERS = ((odd_csv, ".csv"), (odd_json_lines, ".jsonl"), (odd_list, ".txt"), (odd_csv, ".csv"))


def mutant(index):
    """Return an odd table or list; every third has damaged bytes as well."""
    random, (make, ending) = random_of(index), _MAKERS[index % len(_MAKERS)]
    content = make(random)
    if index % 3 == 0:
        content = mutated(content, [make(random), b"\xff\xfe\0\0", b"\0", b'"'], random)
    if random.random() < 0.05:
        ending = random.choice([".csv", ".jsonl", ".ndjson", ".CSV"])
    return Mutant(f"table{ending}", content)


def prepare(folder):
    """Write the images that the tables list, in a folder that no case may change."""
    inputs = folder / "input"
    for seed, name in enumerate(("a.png", "b c.png", "sub/d\xe9.png", "f.png", "g.png", "h.png")):
        write_image(inputs / name, seed=seed)
    (inputs / "sub" / "e.jpg").write_bytes(file_bytes(noise(seed=9), "JPEG"))
    (inputs / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (inputs / "r.tfrecord").write_bytes(b"\1\0\0\0\0\0\0\0damaged")
    if not os.path.lexists(inputs / "loop.png"):
        (inputs / "loop.png").symlink_to("loop.png")
    (folder / "cases").mkdir(exist_ok=True)


def before(case, folder):
    """Write the file of a case, and remove what the last one has left."""
    shutil.rmtree(folder / "work")
    (folder / "work").mkdir()
    (folder / "cases" / case.name).write_bytes(case.content)
    os.chdir(folder / "cases")


def uses(case, folder):
    """Read a table as a source of images, or a list as the paths of `predict -`."""
    if case.name.endswith(".txt"):
        return _uses_of_list(case.content, folder / "work")
    return _uses_of_table(folder / "cases" / case.name, folder / "work")


def _uses_of_table(table, work):
    config, notes = data_config(table, cache="off", on_error="skip"), []

    def check():
        found = check_data(config)
        found.text(), json_text(found.as_dict(), sys.stdout).encode()
        found.write_list(work / "list.txt")

    yield lambda: find_images(config)
    yield check
    yield lambda: find_images_for(table, _CLASSES, config)
    yield lambda: divide(config, work / "split.csv", note=notes.append)
    yield lambda: divide(config, work / "split.csv", note=notes.append)
    yield lambda: divide_into_folds(config, work / "f.csv", 2, note=notes.append)
    yield lambda: load_dataset(config, note=notes.append).counts()
    yield lambda: read_manifest(table.with_suffix(".csv"))


def _undecided(pixels):
    return {"probabilities": np.full((len(pixels), 2), 0.5)}


def _uses_of_list(content, work):
    info = ModelInfo(_CLASSES, PixelSettings((8, 8)), "softmax")
    predictor = Predictor(Path("model"), info, _undecided)

    def answer(kind, null):
        paths = paths_in(io.BufferedReader(io.BytesIO(content)), null=null)
        predictions = predict(predictor, paths)
        write_predictions(predictions, _CLASSES, kind, 1, work / f"answers.{kind}")

    for kind in ("csv", "jsonl", "table"):
        for null in (False, True):
            yield partial(answer, kind, null)


def test_odd_tables_and_lists_are_read_or_refused(tmp_path):
    check_cases("test_fuzz_tables", range(120), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_five_thousand_odd_tables_and_lists_are_read_or_refused(part, tmp_path):
    check_cases("test_fuzz_tables", range(500 * part, 500 * (part + 1)), tmp_path)

"""Tell which files in a run folder cnnkit wrote, so that nothing else is ever removed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from cnnkit.output_guard import is_drawn

_MADE_AT_ONCE = ("weights", "plots")  # folders that a run has from its first moment
_MAY_BE_EMPTY = (*_MADE_AT_ONCE, "assets")  # the last one is of a SavedModel
# Every file that a command writes into a run, besides pictures: these say that cnnkit drew them.
_WRITTEN = tuple(
    tuple(pattern.split("/"))
    for pattern in """
    run.json config.yaml classes.txt split.csv history.csv model.tflite golden.npz .lock
    report.html model_card.md film.html film.npz
    calibration.json calibration.npz
    weights/best.keras weights/last.keras backup/training.npz
    evaluation/*/metrics.json evaluation/*/predictions.csv evaluation/*/probabilities.npy
    evaluation/*/confusion_matrix.csv evaluation/*/classes.txt evaluation/*/slices.csv
    evaluation/*/most_confused.csv evaluation/*/confident_errors.csv
    evaluation/*/least_certain.csv evaluation/*/corruptions.csv evaluation/*/reliability.svg
    evaluation/*/confusion_matrix.svg evaluation/*/confusion_matrix_normalized.svg
    export/model*.tflite export/model.onnx export/model.keras export/labels.txt
    export/parity.json export/model_card.md export/predict_*.py
    export/saved_model/cnnkit.json export/saved_model/labels.txt export/saved_model/*.pb
    export/saved_model/variables/variables.* export/saved_model/assets/labels.txt
    export/saved_model/assets/cnnkit.json
    export/openvino/model.xml export/openvino/model.bin export/openvino/labels.txt
    export/openvino/cnnkit.json
    export/browser/index.html export/browser/README.txt export/browser/model.tflite
    export/browser/cnnkit.json export/browser/labels.txt export/browser/classifier.js
    export/browser/pixels.js export/browser/litert/LICENSE export/browser/litert/index.js
    export/browser/litert/wasm_utils.js export/browser/litert/litert_wasm_*internal.*
    features/*/features.html filters/filters.html filters-*/filters.html
    explanation/*/explanation.json explanation/*/*.npy
    explanation/*/map.html explanation/*/map.csv explanation/training_features.npz
    tensorboard/events.out.tfevents.* folds.json split.fold*.csv
    study.json study.db best.yaml trials.csv .trial*.lock final/.*.lock
    """.split()
)
# A cross-validation has a run per fold, a study one per trial, and final ones in a folder.
_RUN_INSIDE = re.compile(r"fold[1-9][0-9]*|trial[0-9]{3,}")
# What was being written when the process was killed: a file of `files.atomic_write`, and folders of
# the checkpoint and of exports. The eight characters are those of Python's `tempfile`.
_TEMPORARY_FILE = re.compile(r"\.(.+)\.[a-z0-9_]{8}")
_TEMPORARY_FOLDER = re.compile(
    r"\.(new|browser|keras|onnx|openvino|saved_model|tflite.*)-[a-z0-9_]{8}"
)


@dataclass(frozen=True)
class FolderContents:
    """The files in a run folder, all with paths that begin with the folder.

    Args:
        written: those that cnnkit wrote.
        others: files, links and empty folders that it did not write.
        num_bytes: the size of those that it wrote.
    """

    written: Sequence[Path]
    others: Sequence[Path]
    num_bytes: int


def contents_of(folder: Path) -> FolderContents:
    """Sort the files in a run folder; links are not followed, and belong to the user."""
    written: list[Path] = []
    others: list[Path] = []
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                others.append(path)
            elif name in files:
                (written if _is_written(path, folder) else others).append(path)
            elif name not in _MAY_BE_EMPTY and not any(path.iterdir()):
                others.append(path)
    size = sum(path.stat().st_size for path in written)
    return FolderContents(sorted(written), sorted(others), size)


def is_half_written(folder: Path) -> bool:
    """Tell whether a folder without run.json is what is left of a run."""
    return all((folder / name).is_dir() for name in _MADE_AT_ONCE)


def _is_written(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    if len(parts) > 2 and parts[0] == "final":
        parts = parts[2:]
    elif len(parts) > 1 and _RUN_INSIDE.fullmatch(parts[0]):
        parts = parts[1:]
    if any(map(_TEMPORARY_FOLDER.fullmatch, parts[:-1])):
        return True
    if unfinished := _TEMPORARY_FILE.fullmatch(parts[-1]):
        parts = (*parts[:-1], unfinished[1])
    return any(_matches(parts, pattern) for pattern in _WRITTEN) or is_drawn(path)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    # Part by part, because the * of fnmatch would also stand for several folders.
    return len(parts) == len(pattern) and all(map(fnmatchcase, parts, pattern))

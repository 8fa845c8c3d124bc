"""Turn what a command got as --model into a model: a run, a file of any kind, or a network's name.

Nothing else decides that. A run or a file that cnnkit wrote knows everything itself; about another
file the user says how to read it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnkit.backbone_networks import NETWORKS
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.foreign.how_to_read import FORMATS, H5, HowToRead
from cnnkit.foreign.imagenet_networks import KERAS_NAME, is_network_file, network_file
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import ForeignModelError
from cnnkit.runs import run_around
from cnnkit.runtimes import Predictor, find_model_file, is_saved_model, predictor_of

Note = Callable[[str], Any]
_AS_THE_FILE_SAYS = HowToRead()


def choose_model(
    model: str | os.PathLike | None,
    runs_folder: Path,
    how: HowToRead = _AS_THE_FILE_SAYS,
    note: Note = warnings.warn,
) -> Predictor:
    """Load a run, a model file or a network by its name.

    Args:
        model: a run folder or name; a `.tflite`, `.onnx`, `.keras` or `.h5` file or a SavedModel
            folder; or the name of a network, such as MobileNetV2, for the classes of ImageNet.
            None means the newest finished run.
        runs_folder: where run names are looked up.
        how: what the user says about a file that cnnkit did not write.
        note: called with each sentence for the user.

    Raises:
        UsageError: there is no such model, or something about it is not known.
    """
    return load_chosen(find_chosen(model, runs_folder, note), how, note)


def find_chosen(
    model: str | os.PathLike | None, runs_folder: Path, note: Note = warnings.warn
) -> Path:
    """Return the file or folder that `choose_model` loads, without loading it.

    A network of `NETWORKS` is made into a file of the cache, if it is not there yet.

    Raises:
        UsageError: there is no such model.
        CnnkitError: the weights of the network cannot be downloaded.
    """
    name = None if model is None else str(model)
    if name in NETWORKS and not _exists(Path(name), runs_folder):
        return network_file(name, note)
    try:
        return find_model_file(model, runs_folder, note)
    except UsageError as error:
        if name is not None and Path(name).suffix.lower() in FORMATS and not Path(name).exists():
            raise UsageError(f"There is no model file {name}.") from error
        if name is None or not (nearest := did_you_mean(name, NETWORKS)):
            raise
        nearest = nearest.replace("you mean", "you mean the network")
        raise UsageError(f"{error}{nearest}") from error


def _exists(path: Path, runs_folder: Path) -> bool:
    """Tell whether a model or a run has the name of a network."""
    if is_saved_model(path) or path.is_file():
        return True
    return any((folder / "run.json").is_file() for folder in (path, runs_folder / path))


def load_chosen(
    path: Path,
    how: HowToRead = _AS_THE_FILE_SAYS,
    note: Note = warnings.warn,
    *,
    is_one_of_several: bool = False,
) -> Predictor:
    """Load what `find_chosen` has found.

    Args:
        path: a model file or a SavedModel folder.
        how: what the user says about a file that cnnkit did not write.
        note: called with a sentence that says how such a file is read.
        is_one_of_several: whether `how` may be about other models, so that it is not refused for a
            file that cnnkit wrote.

    Raises:
        UsageError: it cannot be loaded, something about it is not known, or options were given
            for a file that knows everything itself.
    """
    if (found := _own(path)) is None:
        from cnnkit.foreign.foreign_model import load_foreign

        return load_foreign(path, how, note).predictor()
    if (options := how.options()) and not is_one_of_several:
        raise UsageError(
            f"{path} was written by cnnkit and knows its class names and pixels. Leave out "
            f"{', '.join(options)}."
        )
    if is_network_file(path):
        return replace(found, layers=lambda: load_keras_model(path.with_name(KERAS_NAME)))
    if path.suffix == ".keras" and run_around(path) is None:  # an export that was moved
        return replace(found, layers=lambda: load_keras_model(path))
    return found


def _own(path: Path) -> Predictor | None:
    """Return a model that cnnkit wrote; None if it did not."""
    if path.suffix.lower() in H5:
        return None
    try:
        return predictor_of(path)
    except ForeignModelError:
        if run_around(path) is not None:  # it is ours, and damaged
            raise
        return None

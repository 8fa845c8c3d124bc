"""The models that are loaded now, by name and version; they are replaced while requests come."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.errors import CnnkitError
from cnnkit.foreign.chosen_model import load_chosen
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import Predictor
from cnnkit.serving.refusal import Refusal
from cnnkit.text import first_few, shown

Note = Callable[[str], Any]
FileState = tuple[tuple[str, int, int, int], ...]  # name, inode, size, time of each file


@dataclass(frozen=True, eq=False)
class ServedModel:
    """One version of a model, loaded and tried.

    Args:
        name: in addresses.
        version: in addresses.
        path: of its file or SavedModel folder.
        state: of the file when it was loaded.
        sha256: of the file.
        loaded: when.
        predictor: for calls from several threads.
    """

    name: str
    version: int
    path: Path
    state: FileState
    sha256: str
    loaded: str
    predictor: Predictor

    @property
    def info(self) -> ModelInfo:
        """Class names, pixel settings, calibration."""
        return self.predictor.info

    def as_dict(self) -> dict[str, Any]:
        """Return what clients may know about it."""
        info = self.info
        return {
            "name": self.name,
            "version": self.version,
            "classes": list(info.class_names),
            "image_size": list(info.pixels.image_size),
            "color_mode": info.pixels.color_mode,
            "resize": info.pixels.resize,
            "calibrated": info.calibration is not None,
            "format": self.path.suffix.removeprefix(".") or "saved_model",
            "sha256": self.sha256,
            "loaded": self.loaded,
        }


def load_served(
    name: str, version: int, path: Path, workers: int, how: HowToRead, note: Note
) -> ServedModel:
    """Load a version of a model, and let it answer one image per worker.

    Args:
        name: in addresses.
        version: in addresses.
        path: of its file or SavedModel folder.
        workers: how many images are answered side by side.
        how: what the user says about a file that cnnkit did not write.
        note: called with a sentence that says how such a file is read.

    Raises:
        CnnkitError: it cannot be loaded.
    """
    state = file_state(path)
    own = _copy_of(path)
    try:
        predictor = load_chosen(own, how, note)
    except CnnkitError as error:
        if own != path:
            shutil.rmtree(own.parent)
        error.args = (str(error).replace(str(own), str(path)),)
        raise
    if workers > 1:  # otherwise all cores work on one image
        predictor = predictor.for_threads()
    blank = np.zeros((1, *predictor.info.pixels.shape), np.uint8)
    with ThreadPoolExecutor(workers) as pool:
        for answer in [pool.submit(predictor.answers, blank) for _ in range(workers)]:
            answer.result()
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    model = ServedModel(name, version, path, state, _sha256(own), now, predictor)
    if own != path:
        weakref.finalize(model, shutil.rmtree, own.parent, ignore_errors=True)
    return model


def _copy_of(path: Path) -> Path:
    """Return a copy of a `.tflite`; other files are read when they are loaded, and not again.

    Each thread loads a `.tflite` when it first needs it, and the file may be another one by then.
    """
    if path.suffix != ".tflite":
        return path
    copy = Path(tempfile.mkdtemp(prefix="cnnkit-serve-")) / path.name
    shutil.copyfile(path, copy)
    return copy


def file_state(path: Path) -> FileState:
    """Return what changes if a model file, or a file of a SavedModel folder, is written again.

    Raises:
        OSError: it is gone.
    """
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    found = [(str(each), each.stat()) for each in files]
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def _sha256(path: Path) -> str:
    file = path / "saved_model.pb" if path.is_dir() else path
    return hashlib.sha256(file.read_bytes()).hexdigest()


class ServedModels:
    """The models by name and version. The first name is the one that is meant if none is named.

    Changes replace the dictionaries, so that requests in other threads read whole ones.
    """

    def __init__(self) -> None:
        self._models: dict[str, dict[int, ServedModel]] = {}

    def find(self, name: str | None = None, version: int | None = None) -> ServedModel:
        """Return a model, by default the first, and its version, by default the newest.

        Raises:
            Refusal: there is none, with status 404.
        """
        name = next(iter(self._models)) if name is None else name
        versions = self.versions(name)
        number = max(versions) if version is None else version
        if number not in versions:
            known = ", ".join(map(str, sorted(versions)))
            raise Refusal(404, f"{name} has no version {number}. It has {known}.", kind="no_model")
        return versions[number]

    def versions(self, name: str) -> dict[int, ServedModel]:
        """Return the versions of a model.

        Raises:
            Refusal: there is no such model, with status 404.
        """
        if name not in self._models:
            known = first_few(list(self._models), 20)
            text = f"There is no model {shown(name)}. There is {known}."
            raise Refusal(404, text, kind="no_model")
        return self._models[name]

    def all(self) -> list[ServedModel]:
        """Return every version of every model."""
        return [each for versions in self._models.values() for each in versions.values()]

    def put(self, model: ServedModel) -> None:
        """Add a version, or replace it; requests that have begun end with the earlier one."""
        versions = {**self._models.get(model.name, {}), model.version: model}
        self._models = {**self._models, model.name: versions}

    def remove(self, model: ServedModel) -> None:
        """Take a version away."""
        versions = {**self._models[model.name]}
        del versions[model.version]
        self._models = {**self._models, model.name: versions}

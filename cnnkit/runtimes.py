"""Load a model file or a run as a function from pixels to probabilities.

Files are .tflite, .onnx, .keras and SavedModel folders. Only the runtime of that file is imported:
a `.tflite` runs on LiteRT, without TensorFlow, whose import takes seconds.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.litert import copies_for_threads, litert_outputs, most_copies
from cnnkit.memory import explaining_lack_of_memory, this_computer_has
from cnnkit.model.calibrated_layers import DISTANCE, PROBABILITIES, Outputs
from cnnkit.model.loading import load_keras_model, naming_damage
from cnnkit.model.model_info import (
    ForeignModelError,
    ModelInfo,
    has_appended_info,
    read_appended_info,
    read_folder_info,
)
from cnnkit.openvino_folder import is_openvino, openvino_outputs
from cnnkit.quiet import quiet_stderr
from cnnkit.runs import Run, find_run, lacking, run_of_file
from cnnkit.text import count_of
from cnnkit.usable_cores import usable_cores
from cnnkit.utf8_paths import utf8_alias

Note = Callable[[str], Any]


@dataclass(frozen=True)
class Predictor:
    """A loaded model.

    Args:
        path: its file or SavedModel folder.
        info: how to prepare images, and how to read the outputs.
        outputs: the model itself, as a function.
        side_by_side: the same function for several threads at a time, one image in each; None if
            `outputs` allows that itself.
        layers: returns the `keras.Model` from uint8 pixels to the outputs, if the file is not in a
            run and has layers; None otherwise.
        prepare: turns uint8 pixels into the input of the file; None if the file takes the pixels.
    """

    path: Path
    info: ModelInfo
    outputs: Outputs
    side_by_side: Outputs | None = None
    layers: Callable[[], Any] | None = None
    prepare: Callable[[NDArray], NDArray] | None = None

    def for_threads(self) -> Predictor:
        """Return the same model for calls from several threads at a time, one image in each.

        Answers are the same bits. Images are answered side by side, each by one core, which is
        faster than to share the layers of one image among the cores.
        """
        return replace(self, outputs=self.side_by_side or self.outputs)

    def __call__(self, pixels: NDArray) -> NDArray:
        """Return probabilities (num_images, num_classes) for uint8 pixels (num_images, h, w, c)."""
        return self.answers(pixels)[0]

    def answers(self, pixels: NDArray) -> tuple[NDArray, NDArray | None]:
        """Return the probabilities, and the distances (num_images,) that a calibrated model gives.

        Args:
            pixels: uint8 (num_images, height, width, channels).
        """
        with explaining_lack_of_memory(lambda: _need(self.path)):
            found = self.outputs(pixels)
        distances = found[DISTANCE][:, 0] if DISTANCE in found else None
        return self.info.probabilities(found[PROBABILITIES]), distances


def load_predictor(
    model: str | os.PathLike | None, runs_folder: Path, note: Note = warnings.warn
) -> Predictor:
    """Load a model file, the model of a run, or that of the newest finished run (None).

    Args:
        model: the path of a file, a SavedModel folder or a run folder, or the name of a run.
        runs_folder: where run names are looked up.
        note: called with one sentence for each run that had to be skipped.

    Raises:
        UsageError: there is no such model, it has no class names, or its runtime is missing.
    """
    return predictor_of(find_model_file(model, runs_folder, note))


def find_model_file(
    model: str | os.PathLike | None, runs_folder: Path, note: Note = warnings.warn
) -> Path:
    """Return the file or SavedModel folder that `load_predictor` loads, without loading it.

    Args:
        model: as for `load_predictor`.
        runs_folder: where run names are looked up.
        note: called with one sentence for each run that had to be skipped.

    Raises:
        UsageError: there is no such model.
    """
    if model is not None and (_is_model(Path(model)) or Path(model).is_file()):
        return Path(model)
    run = find_run(model, runs_folder, note)
    return run.tflite if run.tflite.exists() else _best_weights(run, note)


def predictor_of(path: Path) -> Predictor:
    """Load a model file or a SavedModel folder.

    Raises:
        ForeignModelError: cnnkit did not write it; `cnnkit.foreign` reads such a model.
        UsageError: it cannot be loaded, or its runtime is missing.
    """
    if is_saved_model(path):
        return Predictor(path, read_folder_info(path), _saved_model(path))
    if is_openvino(path):
        return Predictor(path, read_folder_info(path), *openvino_outputs(path))
    with explaining_lack_of_memory(lambda: _need(path)):
        return _predictor_of_file(path)


def _is_model(folder: Path) -> bool:
    return is_saved_model(folder) or is_openvino(folder)


def is_saved_model(path: Path) -> bool:
    """Tell whether a path is a SavedModel: a folder, as a run is, but with this file in it."""
    return (path / "saved_model.pb").is_file()


def _need(path: Path) -> str:
    return (
        f"The model {path} needs more, and {this_computer_has()}. Close other programs, or train a "
        "smaller model, or one for smaller images."
    )


def _predictor_of_file(path: Path) -> Predictor:
    if path.suffix == ".tflite":
        return Predictor(
            path,
            read_appended_info(path),
            # One image is answered by one call, so all cores may work on it.
            litert_outputs(path, num_threads=usable_cores()),
            copies_for_threads(lambda: litert_outputs(path, num_threads=1), most=most_copies(path)),
        )
    if path.suffix == ".onnx":
        return _onnx_predictor(path)
    if path.suffix == ".keras":
        return _keras_predictor(path)
    raise UsageError(
        f"cnnkit cannot read {path} as a model: give a run folder, a .tflite, .onnx, .keras or .h5 "
        "file, or a SavedModel folder."
    )


def _best_weights(run: Run, note: Note) -> Path:
    """Return the model that takes the place of a missing model.tflite.

    It is missing if a second Ctrl-C came while it was being written.
    """
    if not run.best.exists():
        raise lacking(run, [run.tflite])
    note(f"{run.folder} has no {run.tflite.name}, so its best weights are used: {run.best}.")
    return run.best


def onnx_session(path: Path) -> Any:
    """Return onnxruntime's session for an `.onnx` file.

    Raises:
        UsageError: the file is damaged, or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            'Reading .onnx files needs onnxruntime: pip install "cnnkit[onnx]".'
        ) from error
    # onnxruntime has no public names for its exceptions.
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    damages = (
        *(errors.InvalidArgument, errors.InvalidProtobuf, errors.InvalidGraph),
        *(errors.Fail, errors.NotImplemented),
    )
    options = onnxruntime.SessionOptions()
    if usable_cores() < (os.cpu_count() or 1):  # otherwise it knows better which ones are real
        options.intra_op_num_threads = usable_cores()
    with naming_damage(path, *damages), utf8_alias(path) as alias:
        return onnxruntime.InferenceSession(str(alias), options, providers=["CPUExecutionProvider"])


def _onnx_predictor(path: Path) -> Predictor:
    session = onnx_session(path)
    metadata = session.get_modelmeta().custom_metadata_map
    if "cnnkit" not in metadata:
        raise ForeignModelError(path)
    name = session.get_inputs()[0].name
    with naming_damage(path):
        info = ModelInfo.from_json(metadata["cnnkit"])
    names = [each.name for each in session.get_outputs()]
    names = names if len(names) > 1 else [PROBABILITIES]
    return Predictor(
        path, info, lambda pixels: dict(zip(names, session.run(None, {name: pixels}), strict=True))
    )


def _keras_predictor(path: Path) -> Predictor:
    from cnnkit.model.mirrored_model import load_answering_model

    info = info_of_keras(path)
    # An export answers as it is; the weights of a run may have to be mirrored.
    model = load_keras_model(path) if has_appended_info(path) else load_answering_model(path)
    units = model.outputs[-1].shape[-1]  # a distance comes before them
    if units != (1 if info.output == "sigmoid" else len(info.class_names)):
        classes = count_of(len(info.class_names), "class", "classes")
        raise UsageError(
            f"{run_of_file(path).classes} has {classes}, but {path} has "
            f"{count_of(units, 'output')}. Restore the file, or use another run."
        )
    calling = threading.Lock()  # Keras does not promise that a model may be called side by side

    def outputs(pixels: NDArray) -> dict[str, NDArray]:
        # A direct call: `model.predict` would first compile a function and build a data pipeline.
        with calling:
            found = model(pixels, training=False)
        found = found if isinstance(found, dict) else {PROBABILITIES: found}
        return {name: np.asarray(values) for name, values in found.items()}

    return Predictor(path, info, outputs)


def _saved_model(path: Path) -> Outputs:
    from cnnkit.backend import tf

    with naming_damage(path), quiet_stderr(), utf8_alias(path) as alias:
        loaded = tf.saved_model.load(str(alias))

    def outputs(pixels: NDArray) -> dict[str, NDArray]:
        found = loaded.serve(tf.constant(pixels))
        found = found if isinstance(found, dict) else {PROBABILITIES: found}
        return {name: tensor.numpy() for name, tensor in found.items()}

    return outputs


def info_of_keras(path: Path) -> ModelInfo:
    """Return the info of a `.keras` file: it is in an export, or in the run folder around the file.

    Raises:
        UsageError: the file is not in the weights folder of a run.
    """
    from cnnkit.config import load_config

    if has_appended_info(path):
        return read_appended_info(path)
    run = Run(path.parent.parent)
    if not (run.config.exists() and run.classes.exists()):
        raise ForeignModelError(path)
    config = load_config(run.config)
    return ModelInfo(run.class_names(), PixelSettings.of(config.data), config.model.output)

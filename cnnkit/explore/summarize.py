"""Work out the layer table of a config, a run or a `.keras` file, without Keras if possible."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnkit.arithmetic import (
    KerasFileError,
    StackError,
    output_row,
    read_keras_file,
    rows_of_keras_model,
    walk_stack,
)
from cnnkit.config import Call, Config, load_config, read_yaml
from cnnkit.data.sources.class_names import class_names
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import DataError, UsageError
from cnnkit.explore.summary_text import Summary
from cnnkit.runs import Run, run_folder_or_path

# The key of a config under which its author notes facts, such as for how many classes it is meant.
WRITTEN_FOR = "x-model"

_DEFAULT_BATCH_SIZE = 32
_EXPORTED = (".tflite", ".onnx", ".pb", ".h5", ".hdf5")


def summarize(
    path: Path,
    overrides: Sequence[str] = (),
    num_classes: int | None = None,
    batch_size: int | None = None,
    *,
    runs_folder: Path = Path(RUNS_FOLDER),
    # `str` takes a text and has no effect: by default, nobody is told.
    note: Callable[[str], Any] = str,
) -> Summary:
    """Return the layer table of a config file, a run or a `.keras` file.

    Args:
        path: path of the config, run or file, or the name of a run.
        overrides: `--set` options; for a config.
        num_classes: units of the output layer, if the data is not available to count the classes.
        batch_size: number of images for which memory is counted. By default that of the config, or
            32 for a `.keras` file.
        runs_folder: where run names are looked up.
        note: called with a sentence about what was assumed.

    Raises:
        UsageError: the config is wrong, or the number of classes cannot be found out.
    """
    if path.suffix == ".keras":
        if overrides or num_classes:
            raise UsageError(
                f"{path} is a finished model, so --set and --num-classes cannot change it. "
                "Leave them out, or give the config that the model was built from."
            )
        return _of_keras_file(path, batch_size or _DEFAULT_BATCH_SIZE)
    if path.suffix in _EXPORTED and path.is_file():
        raise UsageError(
            f"{path} no longer contains the layers of the model. Give the .keras file that it was "
            "exported from, the run, or the config."
        )
    path = run_folder_or_path(path, runs_folder)
    config, classes = config_and_classes(path, overrides, num_classes, note)
    if config.model.backbone is not None:
        best = Run(path).best
        # The run's own file is enough; what its backbone was taken from may be gone by now.
        if best.is_file() and not overrides:
            return _of_built(best, config, batch_size)
        return _of_backbone(config, classes, batch_size)
    return summary_of_layers(config, classes, batch_size or config.data.batch_size)


def summary_of_layers(config: Config, num_classes: int, batch_size: int) -> Summary:
    """Return the layer table of a config without a backbone; Keras is not needed."""
    sigmoid = config.model.output == "sigmoid"
    shape = (*config.data.image_size, 3 if config.data.color_mode == "rgb" else 1)
    rows = walk_stack(config.model.layers, shape)
    rows.append(output_row(rows, num_classes, sigmoid=sigmoid))
    slots = _optimizer_slots(config.training.optimizer)
    return Summary(shape, num_classes, tuple(rows), batch_size, slots)


def summary_of_config(config: Config, num_classes: int) -> Summary:
    """Return the layer table of a config; one with a backbone is built with Keras."""
    if config.model.backbone is not None:
        return _of_backbone(config, num_classes, None)
    return summary_of_layers(config, num_classes, config.data.batch_size)


def _of_backbone(config: Config, num_classes: int, batch_size: int | None) -> Summary:
    """Build the model with Keras, because only its code knows the layers of a backbone."""
    from cnnkit.model.build_model import build_model

    # The shapes do not depend on the weights, so nothing has to be downloaded.
    backbone = config.model.backbone.model_copy(update={"weights": "none"})
    model = config.model.model_copy(update={"backbone": backbone})
    built = build_model(config.model_copy(update={"model": model}), num_classes)
    with tempfile.TemporaryDirectory() as folder:
        built.save(Path(folder) / "model.keras")
        return _of_built(Path(folder) / "model.keras", config, batch_size)


def _of_built(path: Path, config: Config, batch_size: int | None) -> Summary:
    """Return the table of a `.keras` file that was built from a config."""
    found = _of_keras_file(path, batch_size or config.data.batch_size)
    return replace(found, optimizer_slots=_optimizer_slots(config.training.optimizer))


def summary_of_built(model: Any, config: Config, batch_size: int) -> Summary | None:
    """Return the layer table of a `keras.Model` that was built from a config.

    None if the model has something that is known to Keras only.
    """
    try:
        shape, rows = rows_of_keras_model(json.loads(model.to_json()))
    except (KerasFileError, StackError):
        return None
    slots = _optimizer_slots(config.training.optimizer)
    return Summary(shape, model.output_shape[-1], tuple(rows), batch_size, slots)


def _of_keras_file(path: Path, batch_size: int) -> Summary:
    try:
        shape, rows = read_keras_file(path)
    except (KerasFileError, StackError) as error:
        raise UsageError(f"{path}: {getattr(error, 'message', error)}.") from None
    last = rows[-1].output_shape
    # One unit is a sigmoid, which stands for two classes.
    classes = max(2, last[-1]) if last else 0
    # The file does not name an optimizer; Adam is the default of a config.
    return Summary(shape, classes, tuple(rows), batch_size, _optimizer_slots(Call("adam")))


def _optimizer_slots(optimizer: Call) -> int:
    """Return how many numbers an optimizer stores for each weight, such as 2 moments for Adam."""
    arguments = optimizer.full_arguments
    if optimizer.name in ("adam", "adamw"):
        slots = 3 if arguments["amsgrad"] else 2
    elif optimizer.name == "rmsprop":
        slots = 1 + bool(arguments["momentum"]) + arguments["centered"]
    else:
        slots = int(bool(arguments["momentum"]))
    return slots + bool(arguments.get("use_ema"))  # muon has none


def config_and_classes(
    path: Path, overrides: Sequence[str], num_classes: int | None, note: Callable[[str], Any] = str
) -> tuple[Config, int]:
    """Return the config of a file or a run, and its number of classes.

    If the data is not available, it is the number of classes that the config was written for.

    Raises:
        UsageError: the config is wrong, or the number of classes cannot be found out.
    """
    if (path / "run.json").is_file():
        run = Run(path)
        return load_config(run.config, overrides), num_classes or len(run.class_names())
    config = load_config(path, overrides)
    if config.model.output == "sigmoid":
        return config, num_classes or 2
    try:
        return config, num_classes or len(class_names(config.data, note))
    except DataError as error:
        written_for = _written_for(path)
        if written_for is None:
            raise UsageError(
                f"{error}\nThe output layer needs the number of classes. Give --num-classes N."
            ) from error
    note(
        f"The data cannot be read, so the output has the {written_for:,} classes of {WRITTEN_FOR}."
    )
    return config, written_for


def _written_for(path: Path) -> int | None:
    data = read_yaml(path.read_text(encoding="utf-8-sig"), str(path)).data
    facts = data.get(WRITTEN_FOR) if isinstance(data, Mapping) else None
    classes = facts.get("classes") if isinstance(facts, Mapping) else None
    return int(classes) if isinstance(classes, int) and classes > 1 else None

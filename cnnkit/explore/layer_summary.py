"""A config, a run or a `.keras` file enters; the arithmetic of its layers leaves, without Keras."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cnnkit.arithmetic import (
    Formula,
    KerasFileError,
    LayerRow,
    StackError,
    formulas_of,
    output_row,
    read_keras_file,
    walk_stack,
)
from cnnkit.config import Call, Config, load_config, read_yaml
from cnnkit.data.sources.listing import class_names
from cnnkit.errors import DataError, UsageError
from cnnkit.runs import RUNS_FOLDER, Run

BYTES = 4  # of a float32
WRITTEN_FOR = "x-model"  # key of a config: for how many classes it is written, and by whom
_EXPORTED = (".tflite", ".onnx", ".pb", ".h5", ".hdf5")
_SAME_NUMBERS = ("Flatten", "Reshape", "Identity")  # give what they take, in no memory of their own


@dataclass(frozen=True)
class Summary:
    """The rows of a model, the output layer last.

    Args:
        input_shape: (height, width, channels).
        num_classes: units of the output, two where it is one sigmoid unit.
        rows: one a layer.
        batch_size: for which memory is counted.
        optimizer_slots: numbers that the optimizer keeps for each trained one.
    """

    input_shape: tuple[int, ...]
    num_classes: int
    rows: tuple[LayerRow, ...]
    batch_size: int
    optimizer_slots: int

    @property
    def trained(self) -> int | None:
        """Numbers that training changes by their gradient; None where only Keras knows one."""
        return _sum(row.parameters for row in self.rows)

    @property
    def parameters(self) -> int | None:
        """All numbers of the model, trained or not."""
        trained = self.trained
        return None if trained is None else trained + sum(row.non_trainable for row in self.rows)

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds for one image."""
        return _sum(row.multiply_adds for row in self.rows)

    @property
    def dense_parameters(self) -> int:
        """Trained numbers in dense layers, the output and those of squeeze_excite among them."""
        dense = ("Dense", "SqueezeExcite")
        return sum(row.parameters or 0 for row in self.rows if row.kind in dense)

    @property
    def activation_bytes(self) -> int | None:
        """Memory of all maps of one batch, as the backward pass needs them."""
        return _sum(self.bytes_of(row) for row in self.rows)

    def bytes_of(self, row: LayerRow) -> int | None:
        """Memory of what leaves a layer, for one batch."""
        if row.kind in _SAME_NUMBERS:
            return 0
        if row.output_shape is None:
            return None
        size = self.batch_size * BYTES
        for side in row.output_shape:
            size *= side
        return size

    @property
    def training_bytes(self) -> int | None:
        """Estimated memory of training: weights, gradients, the optimizer's numbers, and the maps
        of a batch with their gradients. The framework's own needs come on top."""
        if self.parameters is None or self.activation_bytes is None:
            return None
        kept = self.parameters + self.trained * (1 + self.optimizer_slots)
        return BYTES * kept + 2 * self.activation_bytes

    def formulas(self, position: int) -> list[Formula]:
        """Return how the numbers of a row come about."""
        return formulas_of(self.rows, position)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "input_shape": self.input_shape,
            "num_classes": self.num_classes,
            "batch_size": self.batch_size,
            "layers": [self._row_as_dict(position) for position in range(len(self.rows))],
            "parameters": self.parameters,
            "trained_parameters": self.trained,
            "dense_parameters": self.dense_parameters,
            "multiply_adds": self.multiply_adds,
            "flops": 2 * self.multiply_adds if self.multiply_adds is not None else None,
            "activation_bytes": self.activation_bytes,
            "training_bytes": self.training_bytes,
        }

    def _row_as_dict(self, position: int) -> dict[str, Any]:
        row = self.rows[position]
        facts = {k: v for k, v in asdict(row).items() if k != "arguments"}
        formulas = [asdict(formula) for formula in self.formulas(position)]
        return {**facts, "activation_bytes": self.bytes_of(row), "formulas": formulas}


def summarize(
    path: Path,
    overrides: Sequence[str] = (),
    num_classes: int | None = None,
    batch_size: int | None = None,
    *,
    runs_folder: Path = Path(RUNS_FOLDER),
    note: Callable[[str], Any] = str,
) -> Summary:
    """Work out the layer table of a config file, a run or a `.keras` file.

    Args:
        path: of it, or the name of a run.
        overrides: `--set` options, for a config.
        num_classes: units of the output, where the data is not there to say so.
        batch_size: for which memory is counted; that of the config by default, or 32.
        runs_folder: where run names are looked for.
        note: is told what was taken for granted.

    Raises:
        UsageError: the config is wrong, or the number of classes cannot be found out.
    """
    if path.suffix == ".keras":
        if overrides or num_classes:
            raise UsageError(f"{path} is a model already: --set and --num-classes have no meaning.")
        return _of_keras_file(path, batch_size or 32)
    if path.suffix in _EXPORTED and path.is_file():
        raise UsageError(
            f"{path} no longer has its layers. Give the .keras file that it was made from, the "
            "run, or the config."
        )
    if not path.exists() and (runs_folder / path / "run.json").is_file():
        path = runs_folder / path
    config, classes = config_and_classes(path, overrides, num_classes, note)
    if config.model.backbone is not None:
        best = Run(path).best
        if best.is_file() and not overrides:  # what the backbone was taken from may be gone
            return _of_built(best, config, batch_size)
        return _of_backbone(config, classes, batch_size)
    sigmoid = config.model.output == "sigmoid"
    shape = (*config.data.image_size, 3 if config.data.color_mode == "rgb" else 1)
    rows = walk_stack(config.model.layers, shape)
    rows.append(output_row(rows, classes, sigmoid=sigmoid))
    slots = _optimizer_slots(config.training.optimizer)
    return Summary(shape, classes, tuple(rows), batch_size or config.data.batch_size, slots)


def _of_backbone(config: Config, num_classes: int, batch_size: int | None) -> Summary:
    """Let Keras build the model, as only its code knows the layers; weights do not matter."""
    from cnnkit.model.build_model import build_model

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


def _of_keras_file(path: Path, batch_size: int) -> Summary:
    try:
        shape, rows = read_keras_file(path)
    except (KerasFileError, StackError) as error:
        raise UsageError(f"{path}: {getattr(error, 'message', error)}.") from None
    last = rows[-1].output_shape
    classes = max(2, last[-1]) if last else 0
    return Summary(shape, classes, tuple(rows), batch_size, _optimizer_slots(Call("adam")))


def _optimizer_slots(optimizer: Call) -> int:
    arguments = optimizer.full_arguments
    if optimizer.name in ("adam", "adamw"):
        slots = 3 if arguments["amsgrad"] else 2
    elif optimizer.name == "rmsprop":
        slots = 1 + bool(arguments["momentum"]) + arguments["centered"]
    else:
        slots = int(bool(arguments["momentum"]))
    return slots + bool(arguments["use_ema"])


def _sum(values: Any) -> int | None:
    found = list(values)
    return None if None in found else sum(found)


def config_and_classes(
    path: Path, overrides: Sequence[str], num_classes: int | None, note: Callable[[str], Any] = str
) -> tuple[Config, int]:
    """Return the config of a file or a run, and the number of its classes.

    Where the data is not there, it is the number that the config is written for.

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
        return config, num_classes or len(class_names(config.data))
    except DataError as error:
        written_for = _written_for(path)
        if written_for is None:
            raise UsageError(
                f"{error}\nThe output layer needs the number of classes: give --num-classes N."
            ) from error
    note(f"The data cannot be read; the output has the {written_for:,} classes of {WRITTEN_FOR}.")
    return config, written_for


def _written_for(path: Path) -> int | None:
    data = read_yaml(path.read_text(encoding="utf-8-sig"), str(path)).data
    facts = data.get(WRITTEN_FOR) if isinstance(data, Mapping) else None
    classes = facts.get("classes") if isinstance(facts, Mapping) else None
    return int(classes) if isinstance(classes, int) and classes > 1 else None

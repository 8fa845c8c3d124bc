"""A config or a run enters; the table of its layers, or the untrained model as a file, leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnkit.arithmetic import LayerRow, output_row, walk_stack
from cnnkit.config import Config, load_config
from cnnkit.data.sources import class_names
from cnnkit.errors import DataError, UsageError
from cnnkit.runs import Run


@dataclass(frozen=True)
class Summary:
    """The rows of a model, the output layer last, and where the numbers come from."""

    input_shape: tuple[int, ...]
    num_classes: int
    rows: tuple[LayerRow, ...]

    @property
    def parameters(self) -> int | None:
        """All numbers of the model, trained or not; None where only Keras knows one."""
        if any(row.parameters is None for row in self.rows):
            return None
        return sum(row.parameters + row.non_trainable for row in self.rows)

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds for one image."""
        if any(row.multiply_adds is None for row in self.rows):
            return None
        return sum(row.multiply_adds for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "input_shape": self.input_shape,
            "num_classes": self.num_classes,
            "layers": [asdict(row) for row in self.rows],
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "flops": 2 * self.multiply_adds if self.multiply_adds is not None else None,
        }


def summarize(path: Path, overrides: Sequence[str], num_classes: int | None) -> Summary:
    """Work out the layer table of a config file or a run folder, without TensorFlow.

    Raises:
        UsageError: the config is wrong, or the number of classes cannot be found out.
    """
    config, classes = _config_and_classes(path, overrides, num_classes)
    sigmoid = config.model.output == "sigmoid"
    shape = (*config.data.image_size, 3 if config.data.color_mode == "rgb" else 1)
    rows = walk_stack(config.model.layers, shape)
    rows.append(output_row(rows, classes, sigmoid=sigmoid))
    return Summary(shape, classes, tuple(rows))


def summary_table(summary: Summary) -> str:
    """Return the table for people."""
    header = ("layer", "", "output", "parameters", "multiply-adds", "receptive field")
    image = ("image", "", _shape(summary.input_shape), "", "", "1 x 1")
    body = [header, image, *(_cells(row) for row in summary.rows)]
    widths = [max(len(line[column]) for line in body) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in (3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in body
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, lines[1], _totals(summary)])


def build_and_save(
    path: Path,
    overrides: Sequence[str],
    num_classes: int | None,
    output: Path,
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Build a config's model with Keras, untrained, and save it.

    Raises:
        UsageError: the config is wrong, or the file exists and must not be replaced.
    """
    if output.suffix != ".keras":
        raise UsageError(f"--output {output}: the name must end in .keras.")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists. Give another --output, or --overwrite.")
    config, classes = _config_and_classes(path, overrides, num_classes)
    from cnnkit.model import build_model

    model = build_model(config, classes)
    output.parent.mkdir(parents=True, exist_ok=True)
    model.save(output)
    return {
        "file": str(output),
        "parameters": model.count_params(),
        "num_classes": classes,
        "input_shape": model.input_shape[1:],
        "output_shape": model.output_shape[1:],
    }


def _config_and_classes(
    path: Path, overrides: Sequence[str], num_classes: int | None
) -> tuple[Config, int]:
    if (path / "run.json").is_file():
        run = Run(path)
        return load_config(run.config, overrides), num_classes or len(run.class_names())
    config = load_config(path, overrides)
    if config.model.output == "sigmoid":
        return config, num_classes or 2
    try:
        return config, num_classes or len(class_names(config.data))
    except DataError as error:
        raise UsageError(
            f"{error}\nThe output layer needs the number of classes: give --num-classes N."
        ) from error


def _cells(row: LayerRow) -> tuple[str, ...]:
    indent = "  " * (sum(isinstance(step, int) for step in row.path) - 1) if row.path else ""
    return (
        indent + row.name,
        row.detail,
        _shape(row.output_shape),
        _number(row.parameters if row.parameters is None else row.parameters + row.non_trainable),
        _number(row.multiply_adds),
        _shape(row.receptive_field) if row.receptive_field else "",
    )


def _totals(summary: Summary) -> str:
    if summary.parameters is None or summary.multiply_adds is None:
        return "Totals: unknown, because of the layers marked ?; `cnnkit build` counts them."
    fixed = sum(row.non_trainable for row in summary.rows)
    return (
        f"{summary.parameters:,} parameters ({fixed:,} not trained), "
        f"{4 * summary.parameters / 1e6:.2f} MB; {summary.multiply_adds:,} multiply-adds "
        f"({2 * summary.multiply_adds / 1e6:,.1f} MFLOPs) an image."
    )


def _shape(shape: Sequence[int] | None) -> str:
    return "?" if shape is None else " x ".join(map(str, shape))


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}" if value else ""

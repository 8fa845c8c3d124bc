"""Build the untrained model of a config and save it as a `.keras` file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnkit.explore.layer_summary import config_and_classes


@dataclass(frozen=True)
class Untrained:
    """A model that was built and saved.

    Args:
        file: the `.keras` file.
        parameters: the number of its parameters, trained or not.
        num_classes: that it tells apart.
        input_shape: (height, width, channels).
        output_shape: (units,).
    """

    file: Path
    parameters: int
    num_classes: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    def text(self) -> str:
        """Return one sentence."""
        return f"{self.file}: {self.parameters:,} parameters, {self.num_classes} classes."

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "file": str(self.file)}


def build_and_save(
    path: Path,
    overrides: Sequence[str],
    num_classes: int | None,
    output: Path,
    *,
    note: Callable[[str], Any] = str,
) -> Untrained:
    """Build a config's model with Keras, untrained, and save it.

    Args:
        path: a config or a run.
        overrides: `--set` options.
        num_classes: units of the output, if the data is not there.
        output: the file to write; one that exists is replaced.
        note: called with one sentence on each thing that was assumed.

    Raises:
        UsageError: the config is wrong, or the number of classes cannot be found out.
    """
    config, classes = config_and_classes(path, overrides, num_classes, note)
    from cnnkit.model.build_model import build_model

    model = build_model(config, classes)
    output.parent.mkdir(parents=True, exist_ok=True)
    model.save(output)
    shapes = model.input_shape[1:], model.output_shape[1:]
    return Untrained(output, model.count_params(), classes, *shapes)

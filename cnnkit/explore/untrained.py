"""Build the untrained model of a config and save it as a `.keras` file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnkit.config import BackboneConfig
from cnnkit.explore.memory_need import building_need, check_weights_fit
from cnnkit.explore.summarize import config_and_classes
from cnnkit.memory import explaining_lack_of_memory
from cnnkit.output_guard import KERAS, check_output
from cnnkit.runs import Run


@dataclass(frozen=True)
class BuiltModel:
    """A model that was built and saved.

    Args:
        file: the `.keras` file.
        parameters: number of all weights, trained or not.
        num_classes: units of the output layer; 2 if it is one sigmoid unit.
        input_shape: shape of one image.
        output_shape: shape of one row of probabilities.
    """

    file: str
    parameters: int
    num_classes: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return asdict(self)

    def text(self) -> str:
        """Return the file and the size of the model in one line."""
        return f"{self.file}: {self.parameters:,} parameters, {self.num_classes} classes."


def build_and_save(
    path: Path,
    overrides: Sequence[str],
    num_classes: int | None,
    output: Path,
    *,
    note: Callable[[str], Any] = str,
) -> BuiltModel:
    """Build the untrained model of a config with Keras and save it.

    Args:
        path: path of the config.
        overrides: `--set` options.
        num_classes: units of the output layer, if the data is not available to count the classes.
        output: the `.keras` file to write; an existing one is replaced.
        note: called with a sentence about what was assumed.

    Raises:
        UsageError: the config is wrong, the number of classes cannot be found out, or the output
            is a file that the backbone is read from.
    """
    config, classes = config_and_classes(path, overrides, num_classes, note)
    inputs = _backbone_files(config.model.backbone)
    # The command has checked the rest; the files of the backbone are known only now.
    check_output(output, "--output", KERAS, overwrite=True, inputs=inputs)
    # Only now: this imports TensorFlow, which takes seconds, and mistakes should show at once.
    from cnnkit.model.build_model import build_model

    check_weights_fit(config, classes)
    with explaining_lack_of_memory(lambda: building_need(config, classes)):
        model = build_model(config, classes)
        output.parent.mkdir(parents=True, exist_ok=True)
        model.save(output)
    return BuiltModel(
        str(output), model.count_params(), classes, model.input_shape[1:], model.output_shape[1:]
    )


def _backbone_files(backbone: BackboneConfig | None) -> list[str | Path]:
    if backbone is None:
        return []
    run = [Run(Path(backbone.run)).best] if backbone.run else []
    return [*run, *(file for file in (backbone.file, backbone.weights) if file)]

"""Open a trained model to look into it: its graph, its class names and its pixel settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.explore.features.model_graph import Step, steps_of
from cnnkit.explore.features.windows_and_kernels import is_convolution
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import ModelInfo
from cnnkit.runs import Run, find_run, run_of_file
from cnnkit.runtimes import info_of_keras, lacking
from cnnkit.text import first_few

Note = Callable[[str], Any]


@dataclass(frozen=True, eq=False)
class Opened:
    """A model whose layers can be looked into.

    Args:
        path: path of the `.keras` file.
        run: the run it belongs to.
        info: class names, pixel settings, kind of output.
        steps: its graph.
        model: the `keras.Model`.
    """

    path: Path
    run: Run
    info: ModelInfo
    steps: list[Step]
    model: Any

    def convolutions(self, names: Sequence[str] = ()) -> list[int]:
        """Return the positions of the convolutional layers, or of those with these names.

        Raises:
            UsageError: the model has no convolutional layer, or none with such a name.
        """
        found = {step.name: i for i, step in enumerate(self.steps) if is_convolution(step)}
        if not found:
            raise UsageError(
                f"{self.path} has no convolutional layer (Conv2D, DepthwiseConv2D or "
                "SeparableConv2D), so it has no feature maps and no filters to show."
            )
        for name in names:
            if name not in found:
                raise UsageError(
                    f"--layer: {self.path} has no convolutional layer {name}."
                    f"{did_you_mean(name, found)} It has {first_few(found, 40)}."
                )
        return [found[name] for name in dict.fromkeys(names)] or list(found.values())

    def names(self, positions: Sequence[int]) -> list[str]:
        """Return the names of the layers at these positions."""
        return [self.steps[position].name for position in positions]


def open_model(model: str | None, runs_folder: Path, note: Note = warnings.warn) -> Opened:
    """Return the model of a run (its best weights) or of a `.keras` file inside a run folder.

    Args:
        model: run folder or name, or the file; None means the newest finished run.
        runs_folder: where run names are looked up.
        note: called with one sentence for each run that had to be skipped.

    Raises:
        UsageError: the model does not exist, or its layers cannot be shown.
    """
    path = Path(model) if model is not None else None
    if path is None or not path.is_file():
        if path is not None and (path / "saved_model.pb").is_file():
            raise _not_layers(path)
        run = find_run(model, runs_folder, note)
        path = run.best
        if not path.is_file():
            raise lacking(run, [path])
    if path.suffix != ".keras":
        raise _not_layers(path)
    info = info_of_keras(path)
    loaded = load_keras_model(path)
    return Opened(path, run_of_file(path), info, steps_of(loaded), loaded)


def _not_layers(path: Path) -> UsageError:
    return UsageError(
        f"{path} is not a .keras file. An exported model no longer has its layers. Give the run "
        "folder or its weights/best.keras instead."
    )

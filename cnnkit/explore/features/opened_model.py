"""Open a trained model to look into it: its graph, its class names and its pixel settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.arithmetic.keras_file import KerasFileError, read_keras_file
from cnnkit.arithmetic.stack import StackError
from cnnkit.config import load_config
from cnnkit.errors import UsageError, did_you_mean
from cnnkit.explore.features.model_graph import Step, steps_of
from cnnkit.explore.features.windows_and_kernels import CONVOLUTIONS, is_convolution
from cnnkit.model.loading import load_keras_model
from cnnkit.model.mirrored_model import answering_model
from cnnkit.model.model_info import ModelInfo
from cnnkit.runs import Run, find_run, lacking, note_unfinished, run_of_file
from cnnkit.runtimes import Predictor, info_of_keras
from cnnkit.text import first_few

Note = Callable[[str], Any]


@dataclass(frozen=True, eq=False)
class Opened:
    """A model whose layers can be looked into.

    Args:
        path: path of the `.keras` file.
        run: the run it belongs to; None for a model that is in none.
        info: class names, pixel settings, kind of output.
        steps: its graph as it was trained.
        model: the `keras.Model` that answers.
    """

    path: Path
    run: Run | None
    info: ModelInfo
    steps: list[Step]
    model: Any

    @classmethod
    def of_model(cls, predictor: Predictor) -> Opened:
        """Return the layers of a model that is not in a run, and that has some."""
        loaded = predictor.layers()
        return cls(predictor.path, None, predictor.info, steps_of(loaded), loaded)

    def convolutions(self) -> dict[str, int]:
        """Return the names of the convolutional layers, with their positions."""
        return {step.name: i for i, step in enumerate(self.steps) if is_convolution(step)}


@dataclass(frozen=True, eq=False)
class FoundModel:
    """A model file that is not loaded yet: loading it imports TensorFlow, which takes seconds.

    Args:
        path: path of the `.keras` file.
        run: the run it belongs to.
        info: class names, pixel settings, kind of output.
    """

    path: Path
    run: Run
    info: ModelInfo

    def convolutions(self) -> list[str] | None:
        """Return the names of the convolutional layers; None if only TensorFlow knows them.

        The layers of a model inside the model have longer names, which Keras makes.
        """
        try:
            _, rows = read_keras_file(self.path)
        except (KerasFileError, StackError):  # loading the file will say what is wrong, if anything
            return None
        names = [row.name for row in rows]
        if any(len(row.path) > 1 for row in rows) or len(set(names)) < len(names):
            return None
        return [row.name for row in rows if row.kind in CONVOLUTIONS]

    def load(self) -> Opened:
        """Return the model with its layers.

        Raises:
            UsageError: it cannot be loaded, or its layers cannot be shown.
        """
        trained = load_keras_model(self.path)
        model = answering_model(trained, load_config(self.run.config))
        return Opened(self.path, self.run, self.info, steps_of(trained), model)

    def chosen(self, convolutions: Sequence[str], names: Sequence[str]) -> list[str]:
        """Return the layers that the user named, by default all convolutional ones.

        Raises:
            UsageError: the model has no convolutional layer, or none with such a name.
        """
        if not convolutions:
            raise UsageError(
                f"{self.path} has no convolutional layer (Conv2D, DepthwiseConv2D or "
                "SeparableConv2D), so it has no feature maps and no filters to show."
            )
        for name in names:
            if name not in convolutions:
                raise UsageError(
                    f"--layer: {self.path} has no convolutional layer {name}."
                    f"{did_you_mean(name, convolutions)} It has {first_few(convolutions, 40)}."
                )
        return list(dict.fromkeys(names)) or list(convolutions)


def find_model(model: str | None, runs_folder: Path, note: Note = warnings.warn) -> FoundModel:
    """Find the model of a run (its best weights) or a `.keras` file inside a run folder.

    Args:
        model: run folder or name, or the file; None means the newest finished run.
        runs_folder: where run names are looked up.
        note: called with one sentence for each run that had to be skipped, with the run that was
            chosen if none was named, and with what an unfinished run lacks.

    Raises:
        UsageError: the model does not exist, or is not a `.keras` file.
    """
    path = Path(model) if model is not None else None
    if path is None or not path.is_file():
        # A folder, as a run is: the message would be that there is no such run.
        if path is not None and (path / "saved_model.pb").is_file():
            raise _not_layers(path)
        run = find_run(model, runs_folder, note)
        path = run.best
        if not path.is_file():
            raise lacking(run, [path])
    if path.suffix != ".keras":
        raise _not_layers(path)
    info = info_of_keras(path)
    found = FoundModel(path, run_of_file(path), info)
    if model is None:
        note(f"run: {found.run.folder}")
    note_unfinished(found.run, note)
    return found


def _not_layers(path: Path) -> UsageError:
    return UsageError(
        f"{path} is not a .keras file. An exported model no longer has its layers. Give the run "
        "folder or its weights/best.keras instead."
    )

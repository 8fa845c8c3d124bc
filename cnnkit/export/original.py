"""What is exported: the model of a run, and what its exports are checked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnkit.data.sound_names import num_sounds
from cnnkit.export.golden import Golden
from cnnkit.model.calibrated_layers import (
    DISTANCE,
    calibrated_model,
    feature_model,
    load_references,
)
from cnnkit.model.mirrored_model import load_answering_model
from cnnkit.model.model_info import ModelInfo, read_appended_info
from cnnkit.runs import Run


@dataclass(frozen=True)
class Original:
    """The model of a run, as all formats get it.

    Args:
        run: that it belongs to.
        model: the `keras.Model`, with its temperature and distances if the run is calibrated.
        features: a `keras.Model` with the same layers, to the input of the output layer.
        info: how to prepare images, and how to read the outputs.
        golden: stored images with the model's answers.
        note: called with each sentence for the user.
    """

    run: Run
    model: Any
    features: Any
    info: ModelInfo
    golden: Golden
    note: Callable[[str], None]

    @property
    def has_sounds(self) -> bool:
        """Whether WAV files are among the images that the run stored."""
        return num_sounds(self.golden.paths.tolist()) > 0


def load_original(run: Run, note: Callable[[str], None]) -> Original:
    """Load the best weights of a run; imports TensorFlow, which takes seconds."""
    model = load_answering_model(run.best)
    info = read_appended_info(run.tflite)
    golden = Golden.load(run.golden)
    features = feature_model(model)
    if info.calibration is not None:
        references = load_references(run.calibration.with_suffix(".npz"))
        model = calibrated_model(model, info.calibration.temperature, references)
        found = model(golden.pixels, training=False)[DISTANCE]
        golden = replace(golden, distances=np.asarray(found)[:, 0])
    model(golden.pixels[:1], training=False)  # Keras cannot write ONNX before a first call
    return Original(run, model, features, info, golden, note)

"""Write a Keras model and its info as a SavedModel folder of TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnkit.backend import tf
from cnnkit.export.serving_function import serving_function
from cnnkit.model.backbones.hub.hub_module import HubModule
from cnnkit.model.backbones.own_models import layers_of
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo
from cnnkit.quiet import quiet_stderr


def write_saved_model(model: Any, info: ModelInfo, path: Path) -> None:
    """Write a TensorFlow SavedModel folder that also has labels.txt and cnnkit.json."""
    _save(model, path)
    (path / LABELS_NAME).write_text(info.labels(), encoding="utf-8")
    (path / INFO_NAME).write_text(info.to_json(), encoding="utf-8")


def _save(model: Any, path: Path) -> None:
    """Write a SavedModel with one function, `serve`, from images to outputs.

    Keras's own `model.export` loses the variables of a TF Hub module. TensorFlow saves what it
    can reach from the saved object, so all that `serve` reads becomes an attribute of it.
    """
    saved = tf.Module()
    # Keras's variables wrap those of TensorFlow, and only the latter can be saved here.
    saved.parts = [variable.value for variable in model.variables]
    saved.modules = [layer.module for layer in layers_of(model) if isinstance(layer, HubModule)]
    saved.serve = serving_function(model)
    with quiet_stderr():
        tf.saved_model.save(saved, str(path), signatures=saved.serve)

"""What is asked about images, and the layers of the model that are needed for the answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.explanation.map_layers import chosen_layer
from cnnkit.explanation.methods import OCCLUSION, OF_LAYERS
from cnnkit.explore.features.opened_model import Opened, find_model
from cnnkit.runs import Run
from cnnkit.runtimes import Predictor


@dataclass(frozen=True)
class Question:
    """What is asked about each image.

    Args:
        methods: names of METHODS.
        class_name: the class; None for the predicted one.
        against: the class that it is compared with; None for none.
        layer: for the methods that look at a layer; None for the default.
        faithfulness: whether each map is scored by deletion and insertion.
        num_neighbours: how many of the most similar training images are found.
    """

    methods: Sequence[str] = ("grad-cam",)
    class_name: str | None = None
    against: str | None = None
    layer: str | None = None
    faithfulness: bool = False
    num_neighbours: int = 0


DEFAULT_QUESTION = Question()


def layers_for(
    model: str | os.PathLike[str] | None,
    predictor: Predictor,
    run: Run | None,
    question: Question,
) -> Opened | None:
    """Return the Keras model if it is needed, and check the layer before an image is read.

    Args:
        model: what the user named.
        predictor: the same model, loaded.
        run: that it belongs to; None if it is in none.
        question: what is asked about each image.

    Raises:
        UsageError: the model has no layers, or not the one that is asked for.
    """
    if set(question.methods) <= {OCCLUSION} and not question.num_neighbours:
        return None
    path = predictor.path
    if predictor.layers is not None:
        if question.num_neighbours:
            raise UsageError(
                f"{path} is not in a run folder, so its training images are not known. Leave out "
                "--neighbours."
            )
        return _with_layer(Opened.of_model(predictor), question)
    is_named = run is None or (model is not None and Path(model) == path)
    if is_named and path.suffix != ".keras":
        raise UsageError(
            f"{path} has no gradients and no layers. Use --method occlusion alone, or give the run "
            "folder or its weights/best.keras."
        )
    source = path if is_named else run.folder
    return _with_layer(find_model(str(source), path.parent, lambda text: None).load(), question)


def _with_layer(opened: Opened, question: Question) -> Opened:
    """Check the layer that is asked for, and return the same model."""
    if any(method in OF_LAYERS for method in question.methods):
        chosen_layer(opened.steps, question.layer)
    return opened

"""Choose the layer that Grad-CAM and its relatives look at."""

from __future__ import annotations

from collections.abc import Sequence

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.explore.features.model_graph import Step
from cnnkit.explore.features.windows_and_kernels import is_convolution
from cnnkit.text import first_few

_LEAST_SIDE = 4  # of a map that is chosen by default: one of 2 x 2 says little about places
_HUB_MODULE = "HubModule"
_PASSED_OVER = ("Pooling", "Dropout")  # a layer before pooling has the same content, finer


def chosen_layer(steps: Sequence[Step], name: str | None) -> int:
    """Return the position of the named layer, or of the one that is best for most models.

    By default it is the last layer with maps that every way from the image to the answer goes
    through, before the pooling that may follow it. So branches and residual blocks count as a
    whole. Maps with a side of less than 4 are chosen only if there are no others.

    Args:
        steps: the graph of the model, from `steps_of`.
        name: of a layer; None for the default.

    Raises:
        UsageError: the model has no layer with maps, or none with this name.
    """
    maps = map_layers(steps)
    if not maps:
        raise UsageError(
            "This model has no convolutional layer whose maps can be seen, so it has no Grad-CAM, "
            "Grad-CAM++ or LayerCAM. Use --method saliency, smooth-grad, integrated-gradients or "
            "occlusion."
        )
    places = {steps[position].name: position for position in maps}
    if name is not None:
        if name not in places:
            raise UsageError(
                f"--layer: the model has no layer {name} with maps.{did_you_mean(name, places)} "
                f"It has {first_few(places, 40)}."
            )
        return places[name]
    through = [position for position in maps if _all_ways_pass(steps, position)] or maps
    large = [position for position in through if min(steps[position].shape[:2]) >= _LEAST_SIDE]
    position = (large or through)[-1]
    while any(word in steps[position].kind for word in _PASSED_OVER):
        before = steps[position].inputs[0]
        if before not in maps:
            break
        position = before
    return position


def map_layers(steps: Sequence[Step]) -> list[int]:
    """Return the positions of layers with maps larger than 1 x 1, from the first convolution on.

    A module of TF Hub is one layer. If it returns maps, it is taken for a convolution.
    """
    first = next(
        (i for i, step in enumerate(steps) if is_convolution(step) or step.kind == _HUB_MODULE),
        len(steps),
    )
    return [
        position
        for position in range(first, len(steps))
        if len(steps[position].shape) == 3 and max(steps[position].shape[:2]) > 1
    ]


def _all_ways_pass(steps: Sequence[Step], position: int) -> bool:
    """Tell whether no connection goes around a step; each step follows the steps it needs."""
    return not any(before < position for step in steps[position + 1 :] for before in step.inputs)

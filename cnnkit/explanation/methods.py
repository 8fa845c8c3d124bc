"""The methods by name, and what each of them needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from numpy.typing import NDArray

from cnnkit.explanation.grad_cam import grad_cam
from cnnkit.explanation.grad_cam_plus_plus import grad_cam_plus_plus
from cnnkit.explanation.gradients import ModelGradients
from cnnkit.explanation.integrated_gradients import integrated_gradients
from cnnkit.explanation.layer_cam import layer_cam
from cnnkit.explanation.map_layers import chosen_layer
from cnnkit.explanation.occlusion import occlusion
from cnnkit.explanation.saliency import saliency
from cnnkit.explanation.smooth_grad import smooth_grad
from cnnkit.explanation.target import Target
from cnnkit.explore.features.model_graph import check_finite

_NO_GRADIENTS = ModelGradients(())
OCCLUSION = "occlusion"  # the only one without gradients
OF_LAYERS: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "grad-cam": grad_cam,
    "grad-cam++": grad_cam_plus_plus,
    "layer-cam": layer_cam,
}
METHODS = (*OF_LAYERS, "saliency", "smooth-grad", "integrated-gradients", OCCLUSION)


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What one method says about one image.

    Args:
        method: one of METHODS.
        values: (height, width) float32, that of the image or of the layer. Large numbers speak for
            the class; occlusion and integrated gradients also give negative ones, against it.
        layer: the layer that was looked at; None if the method looks at the pixels.
        facts: numbers about the map: `completeness_error`, `deletion`, `insertion`.
    """

    method: str
    values: NDArray
    layer: str | None = None
    facts: dict[str, float] = field(default_factory=dict)


def heat_map(
    method: str,
    image: NDArray,
    target: Target,
    *,
    probabilities_of: Callable[[NDArray], NDArray],
    gradients: ModelGradients = _NO_GRADIENTS,
    layer: str | None = None,
) -> HeatMap:
    """Return the map of one method for an image.

    Args:
        method: one of METHODS.
        image: (height, width, channels) uint8.
        target: the question.
        probabilities_of: the model: uint8 images -> probabilities (num_images, num_classes).
        gradients: those of the model; occlusion does not need them.
        layer: the layer for the methods that look at one; None for the default.

    Raises:
        UsageError: the model has no such layer, or no gradients.
        DataError: the map has numbers that are not finite.
    """
    if method == OCCLUSION:
        return _checked(
            HeatMap(method, occlusion(lambda many: target.of(probabilities_of(many)), image))
        )
    of_images = partial(gradients.of_images, target=target)
    if method in OF_LAYERS:
        position = chosen_layer(gradients.steps, layer)
        values = OF_LAYERS[method](*gradients.of_layer(image, target, position))
        return _checked(HeatMap(method, values, gradients.steps[position].name))
    if method == "saliency":
        return _checked(HeatMap(method, saliency(of_images(image[None])[1][0])))
    if method == "smooth-grad":
        return _checked(HeatMap(method, smooth_grad(of_images, image)))
    values, error = integrated_gradients(of_images, image)
    return _checked(HeatMap(method, values, facts={"completeness_error": error}))


def _checked(found: HeatMap) -> HeatMap:
    check_finite(found.values, found.layer or "probabilities")
    return found

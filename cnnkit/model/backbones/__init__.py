"""Build the backbone of a config: a trained network without its classifier.

Every backbone takes uint8 pixels (batch, height, width, channels) in [0, 255] and contains its own
preprocessing. Its features are maps (batch, height, width, channels) or rows (batch, features).
"""

from __future__ import annotations

from typing import Any

from cnnkit.config import BackboneConfig


def build_backbone(section: BackboneConfig, image_size: tuple[int, int], channels: int) -> Any:
    """Return the backbone as a `keras.Model` with its trained weights.

    Args:
        section: `model.backbone`.
        image_size: (height, width) in pixels.
        channels: 3, or 1 for grey images.

    Raises:
        UsageError: it cannot be found, or does not fit the images; the text says what to do.
        CnnkitError: its weights cannot be downloaded, or their package is not installed.
    """
    origin, value = section.origin
    if origin == "name":
        from cnnkit.model.backbones.named_networks import named_backbone

        return named_backbone(
            value,
            image_size,
            channels,
            weights=None if section.weights == "none" else section.weights,
            arguments=section.arguments,
            layer=section.layer,
        )
    if origin == "hub":
        from cnnkit.model.backbones.hub.hub_backbone import hub_backbone

        values = section.value_range and tuple(section.value_range)
        return hub_backbone(
            value, image_size, channels, value_range=values, signature=section.signature
        )
    from cnnkit.model.backbones.own_models import file_backbone, run_backbone

    if origin == "run":
        return run_backbone(value, image_size, channels, section.layer)
    values = section.value_range and tuple(section.value_range)
    return file_backbone(value, image_size, channels, section.layer, values)

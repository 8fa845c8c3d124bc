"""What a layer has learned enters; the plain values that filters.html shows leave."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnkit.explore.features.page import encoded, listed, printable

if TYPE_CHECKING:
    from cnnkit.explore.features.learned_filters import LayerFilters
    from cnnkit.explore.features.patches import Patch

_MOST_LETTERS = 16_000_000
_SHARP_SIDE = 40  # pixels; up to here a picture is kept as it is
_MOST_SIDE = 112
_MOST_SLICES = 32


def layer_data(layer: LayerFilters, *, coloured: bool) -> dict[str, Any]:
    """Return the plain values of a layer.

    Args:
        layer: what it has learned.
        coloured: whether its kernel has the colours of the image.
    """
    channels = [
        {
            "channel": channel,
            "kernel": _kernel(layer.kernel[..., channel]),
            "climbed": picture(climbed),
            "patches": [_patch(patch) for patch in patches if patch.pixels.size],
        }
        for channel, climbed, patches in zip(
            layer.channels, layer.climbed, layer.patches, strict=True
        )
    ]
    height, width, depth, count = layer.kernel.shape
    return {
        "name": layer.name,
        "title": layer.kind,
        "shape": [height, width, depth, count],
        "coloured": coloured and depth == 3,
        "channels": channels,
    }


def _kernel(weights: NDArray) -> dict[str, Any]:
    """Return the slices (one a channel below) with the largest weights, in their order."""
    size = np.abs(weights).max(axis=(0, 1))
    kept = np.sort(np.argsort(-size, kind="stable")[:_MOST_SLICES])
    slices = np.moveaxis(weights[..., kept], 2, 0).astype(np.float32)
    return {"slices": kept.tolist(), "weights": encoded(slices), "reach": float(size.max())}


def _patch(patch: Patch) -> dict[str, Any]:
    return {
        "path": printable(patch.path),
        "label": patch.label,
        "value": patch.value,
        "place": list(patch.place),
        "box": list(patch.box),
        "picture": picture(patch.pixels),
    }


def picture(pixels: NDArray) -> str:
    """Return pixels as a data address: small ones exactly (PNG), large ones smaller (JPEG)."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    kind = "png"
    if max(image.size) > _SHARP_SIDE:
        kind = "jpeg"
        image.thumbnail((_MOST_SIDE, _MOST_SIDE))
    stream = io.BytesIO()
    image.save(stream, kind, quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def within_bound(layers: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the layers that fit on the page, and a sentence on those that do not."""
    left, kept, out = _MOST_LETTERS, [], []
    for layer in layers:
        size = len(json.dumps(layer))
        if size <= left:
            left -= size
            kept.append(layer)
        else:
            out.append(layer["name"])
    if not out:
        return kept, []
    return kept, [
        f"To keep this page small, {len(out)} of {len(layers)} layers are left out: {listed(out)}. "
        "Choose them with --layer; their PNG files are complete."
    ]

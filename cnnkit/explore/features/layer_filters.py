"""Show what one layer has learned: as PNG pictures, and as values for filters.html."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnkit.explore.features.page import encoded, listed
from cnnkit.explore.features.patches import Patch
from cnnkit.plots.map_pictures import plot_pictures
from cnnkit.text import count_of

_MOST_KERNELS = 64  # in the PNG of the first layer
_KERNEL_COLUMNS = 8
_MOST_LETTERS = 16_000_000  # of all layers in the page, as JSON
_SHARP_SIDE = 40  # pixels; up to this size a picture is embedded without loss
_MOST_SIDE = 112
_MOST_SLICES = 32  # of a kernel in the page: one per channel of the layer's input


@dataclass(frozen=True, eq=False)
class LayerFilters:
    """What a convolutional layer has learned.

    Args:
        name: name of the layer.
        kind: its Keras class.
        kernel: (height, width, channels per group, filters).
        channels: the channels that are shown; the one with the strongest response is the first.
        patches: for each of these channels its patches; the most exciting one is the first.
        climbed: (channels shown, height, width, image channels) uint8, from gradient ascent.
    """

    name: str
    kind: str
    kernel: NDArray
    channels: list[int]
    patches: list[list[Patch]]
    climbed: NDArray

    def as_dict(self, file: Path) -> dict[str, Any]:
        """Return plain values for `--json`.

        Args:
            file: the PNG file that shows it.
        """
        return {
            "layer": self.name,
            "kind": self.kind,
            "kernel": list(self.kernel.shape),
            "file": str(file),
            "channels": [
                {"channel": channel, "patches": [patch.as_dict() for patch in patches]}
                for channel, patches in zip(self.channels, self.patches, strict=True)
            ],
        }


def draw_kernels(layer: LayerFilters, path: Path) -> None:
    """Draw filters as colour pictures; 0 is grey, and the largest weight black or white."""
    count = min(layer.kernel.shape[3], _MOST_KERNELS)
    filters = [layer.kernel[..., i] for i in range(count)]
    # A filter of zeros has no range to divide by.
    reach = [float(np.abs(weights).max()) or 1.0 for weights in filters]
    pictures = [
        _rgb(0.5 + weights / (2 * most)) for weights, most in zip(filters, reach, strict=True)
    ]
    titles = [f"{i}: \u00b1{most:.3g}" for i, most in enumerate(reach)]
    rows = [
        ("", pictures[start : start + _KERNEL_COLUMNS], titles[start : start + _KERNEL_COLUMNS])
        for start in range(0, count, _KERNEL_COLUMNS)
    ]
    some = f", the first {count}" if count < layer.kernel.shape[3] else ""
    size = " x ".join(map(str, layer.kernel.shape[:3]))
    title = (
        f"{layer.name}: {layer.kernel.shape[3]} filters of {size}{some}.\n"
        "Grey is 0; black and white are the range above each."
    )
    plot_pictures(title, rows, path, columns=min(_KERNEL_COLUMNS, count))


def draw_layer(layer: LayerFilters, path: Path) -> None:
    """Draw one row per channel: the picture from gradient ascent, then the patches."""
    rows = []
    for channel, climbed, patches in zip(layer.channels, layer.climbed, layer.patches, strict=True):
        pictures = [_rgb(climbed), *(_rgb(patch.pixels) for patch in patches if patch.pixels.size)]
        titles = ["maximised", *(f"{patch.value:.3g}" for patch in patches if patch.pixels.size)]
        rows.append((f"channel {channel}", pictures, titles))
    count = layer.kernel.shape[3]
    some = f"the {len(rows)} of {count} channels with the strongest response"
    title = (
        f"{layer.name} ({layer.kind}): {some if len(rows) < count else count_of(count, 'channel')}."
        "\nFirst a picture by gradient ascent, then patches of images with the channel's number."
    )
    plot_pictures(title, rows, path, columns=1 + max(len(patches) for patches in layer.patches))


def _rgb(pixels: NDArray) -> NDArray:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def layer_data(layer: LayerFilters, *, coloured: bool) -> dict[str, Any]:
    """Return the values of a layer that filters.html shows.

    Args:
        layer: what it has learned.
        coloured: whether its input is the image, so that its kernel can be shown in colour.
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
    """Return the slices with the largest weights, in their own order."""
    size = np.abs(weights).max(axis=(0, 1))  # of each slice
    kept = np.sort(np.argsort(-size, kind="stable")[:_MOST_SLICES])
    slices = np.moveaxis(weights[..., kept], 2, 0).astype(np.float32)
    return {"slices": kept.tolist(), "weights": encoded(slices), "reach": float(size.max())}


def _patch(patch: Patch) -> dict[str, Any]:
    return {**patch.as_dict(), "picture": picture(patch.pixels)}


def picture(pixels: NDArray) -> str:
    """Return pixels as a data URL: a small picture as PNG, a large one smaller and as JPEG."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    kind = "png"
    if max(image.size) > _SHARP_SIDE:
        kind = "jpeg"
        image.thumbnail((_MOST_SIDE, _MOST_SIDE))
    stream = io.BytesIO()
    image.save(stream, kind, quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def within_bound(layers: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the layers that fit on the page, and a sentence about those that do not."""
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
        "Choose them with --layer to see them here. Their PNG files are complete."
    ]

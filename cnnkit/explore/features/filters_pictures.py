"""What a layer has learned enters; its two PNG pictures leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnkit.plots.map_pictures import plot_pictures
from cnnkit.text import count_of

if TYPE_CHECKING:
    from cnnkit.explore.features.learned_filters import LayerFilters

_MOST_KERNELS = 64
_KERNEL_COLUMNS = 8


def draw_kernels(layer: LayerFilters, path: Path) -> None:
    """Draw filters as colour pictures: grey is 0, each as bright as its largest weight allows."""
    count = min(layer.kernel.shape[3], _MOST_KERNELS)
    filters = [layer.kernel[..., i] for i in range(count)]
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
    """Draw a line a channel: the climbed picture, then its patches."""
    rows = []
    for channel, climbed, patches in zip(layer.channels, layer.climbed, layer.patches, strict=True):
        pictures = [_rgb(climbed), *(_rgb(patch.pixels) for patch in patches if patch.pixels.size)]
        titles = ["ascent", *(f"{patch.value:.3g}" for patch in patches if patch.pixels.size)]
        rows.append((f"channel {channel}", pictures, titles))
    count = layer.kernel.shape[3]
    some = f"the {len(rows)} of {count} channels that images excite most"
    title = (
        f"{layer.name} ({layer.kind}): {some if len(rows) < count else count_of(count, 'channel')}."
        "\nFirst a picture by gradient ascent, then patches of images with the channel's number."
    )
    plot_pictures(title, rows, path, columns=1 + max(len(patches) for patches in layer.patches))


def _rgb(pixels: NDArray) -> NDArray:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels

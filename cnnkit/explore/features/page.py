"""Write the data of an interactive page into one HTML file that needs no network.

The numbers that a page calculates with are embedded as 32-bit floats, up to a limit. Maps
beyond this limit are shown with a few channels in 256 levels, and the page says so.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.explore.features.stages import IMAGE, RELU, SCALE, SUM, Stage
from cnnkit.pages import render_page

_MOST_BYTES = 12_000_000  # of numbers; base64 makes them a third larger
_PREVIEW_CHANNELS = 16
_DERIVED = (RELU, SCALE)  # the page computes these from the map below


def render(kind: str, title: str, data: dict[str, Any]) -> str:
    """Return the page: the template filled with its style, script and data.

    Args:
        kind: `features` or `filters`; chooses the script.
        title: title of the page.
        data: the plain values that the script shows.
    """
    return render_page(
        "cnnkit.explore.features", "features.html", title=title, data=data, script=f"{kind}.js"
    )


def encoded(values: NDArray) -> str:
    """Return an array's bytes in little-endian order as base64, for the page to decode."""
    order = values.dtype.newbyteorder("<")
    return base64.b64encode(np.ascontiguousarray(values, order).tobytes()).decode("ascii")


def stage_data(
    stages: Sequence[Stage], *, most_bytes: int = _MOST_BYTES
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the stages as plain values, and sentences about what is left out.

    Args:
        stages: the stages; their `parents` are positions in this list.
        most_bytes: limit of the embedded numbers.
    """
    exact, kernels = _what_fits(stages, most_bytes)
    channels = _preview_channels(stages, most_bytes // 4)
    data = [_plain(stage, i in exact, i in kernels, channels) for i, stage in enumerate(stages)]
    notes = []
    levels = [stage.name for i, stage in enumerate(stages) if i not in exact]
    if levels:
        notes.append(
            f"To keep this page small, {len(levels)} of {len(stages)} layers are shown with at "
            f"most {channels} channels, in 256 levels, and without their sums: "
            f"{listed(levels)}. Choose them with --layer to see them completely."
        )
    sums = {i for i, stage in enumerate(stages) if stage.kind == SUM and stage.parents[0] in exact}
    summed = [stages[i].name for i in sorted(sums & exact - kernels)]
    if summed:
        notes.append(
            f"The kernels of {listed(summed)} are too large for this page, so their sums are "
            "not shown."
        )
    return data, notes


def listed(names: Sequence[str]) -> str:
    """Return the first eight names, and how many more there are."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _what_fits(stages: Sequence[Stage], most_bytes: int) -> tuple[set[int], set[int]]:
    """Return which stages are embedded completely, and which kernels of sums are.

    The stages up to the first convolution come first, then the smallest maps, then the smallest
    kernels. Half of the bytes is for maps, a quarter for kernels and a quarter for previews.
    """
    first = next((i for i, stage in enumerate(stages) if stage.convolution), 0)
    # Small maps first, because then the largest number of layers can be explained.
    order = sorted(range(len(stages)), key=lambda i: stages[i].values.size if i > first else 0)
    exact: set[int] = set()
    kernels: set[int] = set()
    left = most_bytes // 2
    for i in order:
        derived = stages[i].kind in _DERIVED and stages[i].parents[0] in exact
        # a 32-bit float has four bytes
        cost = 0 if derived else 4 * stages[i].values.size
        if cost <= left:
            left -= cost
            exact.add(i)
    left += most_bytes // 4
    sums = [i for i in exact if stages[i].kernel is not None and stages[i].parents[0] in exact]
    for i in sorted(sums, key=lambda i: stages[i].kernel.weights.size):
        cost = 4 * stages[i].kernel.weights.size
        if cost <= left:
            left -= cost
            kernels.add(i)
    return exact, kernels


def _preview_channels(stages: Sequence[Stage], most_bytes: int) -> int:
    pixels = sum(stage.values.shape[0] * stage.values.shape[1] for stage in stages)
    return max(1, min(_PREVIEW_CHANNELS, most_bytes // max(pixels, 1)))


def _plain(stage: Stage, exact: bool, kernel: bool, channels: int) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": stage.name,
        "kind": stage.kind,
        "title": stage.title,
        "shape": list(stage.values.shape),
        "parents": list(stage.parents),
        "convolution": stage.convolution,
        "rows": stage.regions.rows.tolist(),
        "columns": stage.regions.columns.tolist(),
    }
    if stage.window is not None:
        window = stage.window
        for key in ("size", "stride", "dilation", "before"):
            data[key] = list(getattr(window, key))
    if stage.scale is not None:
        data |= {"scale": encoded(stage.scale), "shift": encoded(stage.shift)}
    if kernel:
        weights = stage.kernel.weights.astype(np.float32)
        data |= {"kernel": encoded(weights), "depth": weights.shape[2]}
        data["bias"] = encoded(stage.kernel.bias.astype(np.float32))
    if not exact:
        data["preview"] = _preview(stage, channels)
    elif stage.kind not in _DERIVED:
        whole = stage.kind == IMAGE
        data["values"] = encoded(stage.values.astype(np.uint8) if whole else stage.values)
    return data


def _preview(stage: Stage, channels: int) -> dict[str, Any]:
    """Return the most active channels in 256 levels."""
    chosen = np.sort(np.argsort(-stage.activity(), kind="stable")[:channels])
    if stage.is_row:
        # One number per channel needs little room; the first ones keep the order of the classes.
        chosen = np.arange(min(channels * 64, stage.values.shape[2]))
    maps = np.moveaxis(stage.values[..., chosen], 2, 0)
    low, high = float(maps.min()), float(maps.max())
    levels = np.round((maps - low) / ((high - low) or 1) * 255).astype(np.uint8)
    return {"channels": chosen.tolist(), "low": low, "high": high, "levels": encoded(levels)}

"""The lines of a script that change training images at random, as Keras layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cnnkit.config import Call
from cnnkit.keras_script.python_text import arguments_of, call_text, value_text

OWN = "random_resized_crop"  # Keras has no layer of this meaning, so the script has a function

_MAIN = {"random_flip": "mode", "random_rotation": "factor", "random_zoom": "height_factor"}


def layer_calls(calls: Sequence[Call]) -> list[str]:
    """Return the lines of the list of layers; each changes the images in its turn."""
    lines = []
    for call in calls:
        if call.name == OWN:
            lines.append(f"    {OWN},")
            continue
        arguments = arguments_of(call.keras_arguments, (_MAIN.get(call.name, "factor"),))
        lines.append(call_text(f"layers.{call.keras_name}", arguments, ","))
        if call.name == "random_crop":  # the network takes images of one size
            lines.append("    layers.Resizing(*IMAGE_SIZE),")
    return lines


def crop_limits(calls: Sequence[Call]) -> dict[str, str] | None:
    """Return the limits of `random_resized_crop` as texts; None if it is not used."""
    found = [call for call in calls if call.name == OWN]
    if not found:
        return None
    arguments = found[0].full_arguments
    low, high = arguments["scale"]
    ratios = [round(math.log(ratio), 4) for ratio in arguments["ratio"]]
    return {
        "low": value_text(low),
        "high": value_text(high),
        "log_low": value_text(ratios[0]),
        "log_high": value_text(ratios[1]),
    }

"""Say in words if a map cannot be read as usual, for example because it is 0 everywhere."""

from __future__ import annotations

from cnnkit.explanation.integrated_gradients import LARGEST_ERROR
from cnnkit.explanation.methods import OCCLUSION, HeatMap

_LITTLE = 0.01  # of a probability


def map_note(found: HeatMap, wanted: str) -> str | None:
    """Return what is unusual about a map in one or two sentences; None if nothing is.

    Args:
        found: the map.
        wanted: what the map should speak for: a class, or a class and not another one.
    """
    if not found.values.any():
        return f"The map is 0 everywhere: {_reason(found, wanted)}"
    if found.values.max() <= 0:
        return f"No number of the map is above 0: no part of the image speaks for {wanted}."
    most = float(abs(found.values).max())
    if found.method == OCCLUSION and most < _LITTLE:
        return (
            f"Covering parts of the image changes the probability by at most {most:.2g}: no single "
            "part decides."
        )
    missing = found.facts.get("completeness_error", 0)
    if missing > LARGEST_ERROR:
        return f"The map does not add up to the score of {wanted}: {missing:.1%} is missing."
    return None


def _reason(found: HeatMap, wanted: str) -> str:
    if found.layer:
        return (
            f"nothing in the layer {found.layer} speaks for {wanted}. Name another --layer, or use "
            "a --method that looks at pixels."
        )
    if found.method == OCCLUSION:
        return f"covering parts of the image does not change the probability of {wanted}."
    return f"changing pixels a little does not change the score of {wanted}."

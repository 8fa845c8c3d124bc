"""The settings of a proposal that trade accuracy for time, and their choice for given minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cnnkit.proposal.findings import FEW, Findings

MANY = 20_000  # images

# (fewer images than, epochs): the more images there are, the fewer times each must be seen.
_FINE_TUNING_EPOCHS = ((300, 25), (2_000, 15), (10_000, 8), (MANY, 5), (None, 6))
_FROM_SCRATCH_EPOCHS = ((FEW, 60), (MANY, 40), (None, 30))
# Multiples of 32: EfficientNet-Lite halves them five times, and no pixel is left over. It was
# trained with 224.
TRANSFER_SIDES = (96, 128, 160, 192, 224)
_LARGEST_TRANSFER_SIDES = ((10_000, 224), (None, 128))  # (fewer images than, pixels)
SMALL_NETWORK, LARGE_NETWORK = "EfficientNetLite0", "EfficientNetLite2"
_FEW_FOR_LARGE_NETWORK = 2_000  # of more images, the small one learns enough in less time


@dataclass(frozen=True)
class Recipe:
    """How large the images are, and how often they are seen.

    Args:
        side: of the square images of a pretrained network, in pixels; None from scratch.
        epochs: in which all layers learn; 0 trains only the output of a pretrained network.
        network: the pretrained network, if there is one.
    """

    side: int | None
    epochs: int
    network: str = SMALL_NETWORK


def best_recipe(findings: Findings) -> Recipe:
    """Return the recipe that is proposed if time does not matter much."""
    if not findings.transfers:
        return Recipe(None, _of_number(_FROM_SCRATCH_EPOCHS, findings))
    # The smallest side that shows the images whole: more would only enlarge them.
    enough = (side for side in TRANSFER_SIDES if side >= findings.own_side)
    side = min(next(enough, TRANSFER_SIDES[-1]), _of_number(_LARGEST_TRANSFER_SIDES, findings))
    is_large = side == TRANSFER_SIDES[-1] and findings.num_images < _FEW_FOR_LARGE_NETWORK
    network = LARGE_NETWORK if is_large else SMALL_NETWORK
    return Recipe(side, _of_number(_FINE_TUNING_EPOCHS, findings), network)


def recipe_for(
    findings: Findings, seconds_of: Callable[[Recipe], float], limit: float
) -> Recipe | None:
    """Return the first recipe that takes at most `limit` seconds; None if all take longer."""
    return next((one for one in _recipes(findings) if seconds_of(one) <= limit), None)


def fastest_recipe(findings: Findings) -> Recipe:
    """Return the recipe that takes the least time."""
    return list(_recipes(findings))[-1]


def _recipes(findings: Findings) -> Iterator[Recipe]:
    """Yield recipes in order of preference: fewer epochs before smaller images."""
    best = best_recipe(findings)
    yield best
    sides = [side for side in reversed(TRANSFER_SIDES) if best.side and side <= best.side]
    for side in sides or [None]:
        for share in (1, 0.67, 0.5):
            yield Recipe(side, max(1, round(share * best.epochs)))
    if best.side is None:
        for share in (0.33, 0.2, 0.1):
            yield Recipe(None, max(1, round(share * best.epochs)))
    for side in sides:
        yield Recipe(side, 0)


def _of_number(table: tuple[tuple[int | None, int], ...], findings: Findings) -> int:
    return next(value for most, value in table if most is None or findings.num_images < most)

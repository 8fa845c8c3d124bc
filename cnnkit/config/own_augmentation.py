"""Nothing enters; the augmentations that are cnnkit's own leave, and where mixing may stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnkit.config.argument_values import argument_kind
from cnnkit.config.signatures import Argument, Signature
from cnnkit.config.values import items_of, number

OWN_AUGMENTATION: dict[str, Signature] = {
    "random_resized_crop": {
        "scale": Argument(items_of(number(above=0, maximum=1), (2,)), [0.08, 1.0]),
        "ratio": Argument(items_of(number(above=0), (2,)), [0.75, 1.333]),
    },
    "mixup": {"alpha": Argument(number(above=0), 0.2)},
    "cutmix": {"factor": Argument(argument_kind("CutMix", "factor", {}), 1.0)},
}
MIXING = ("mixup", "cutmix")


def misplaced_mixing(calls: Sequence[Any]) -> tuple[int, str] | None:
    """Return the index of a mixup or cutmix that cannot stand there, and why; None for none."""
    names = [call.name for call in calls]
    for index, name in enumerate(names):
        if name not in MIXING:
            continue
        if name in names[:index]:
            return index, f"{name} stands twice. Keep one of them."
        behind = next((other for other in names[index:] if other not in MIXING), None)
        if behind:
            message = f"{name} mixes the images of a batch when all other changes are done, so it "
            return index, f"{message}must stand at the end. Move {behind} above it."
    return None

"""What is explained: why a class, or why one class and not another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """The question "why this class?", or "why this class and not that one?".

    Args:
        label: of the class.
        against: the label of the other class; None if there is none.
    """

    label: int
    against: int | None = None

    def of(self, values: Any) -> Any:
        """Return one number per image: that of the class, minus that of the other class.

        Args:
            values: (num_images, num_classes), logits or probabilities; NumPy or TensorFlow.
        """
        wanted = values[:, self.label]
        return wanted if self.against is None else wanted - values[:, self.against]

"""The probabilities that a model gave to images whose classes are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cnnkit.metrics.blocks import row_blocks
from cnnkit.text import count_of

_SUM_TOLERANCE = 1e-3  # other tools write four digits


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said about images with known labels. All of an evaluation is computed from it.

    Args:
        class_names: ordered by label.
        paths: one per image.
        labels: (num_images,) integers in [0, num_classes).
        probabilities: (num_images, num_classes) floats, perhaps mapped from a file; every row sums
            to 1.
        columns: what else is known of the images: a name -> one text per image.

    Raises:
        ValueError: there is no image, the shapes disagree, a label is out of range, or a row of
            probabilities is not one; the text names the first such row.
    """

    class_names: tuple[str, ...]
    paths: Sequence[str]
    labels: NDArray
    probabilities: NDArray
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.labels), len(self.class_names))
        if not len(self.labels) or self.probabilities.shape != shape:
            raise ValueError(
                f"Predictions need labels (num_images,) and probabilities (num_images, {shape[1]}) "
                f"of at least one image; received {self.labels.shape} and "
                f"{self.probabilities.shape}."
            )
        if self.labels.dtype.kind not in "iu":
            raise ValueError(f"The labels must be integers; received {self.labels.dtype}.")
        if self.labels.min() < 0 or self.labels.max() >= shape[1]:
            raise ValueError(
                f"The labels must be from 0 to {shape[1] - 1}; received {self.labels.min()} to "
                f"{self.labels.max()}."
            )
        for name, values in {"paths": self.paths, **self.columns}.items():
            if len(values) != shape[0]:
                raise ValueError(
                    f"{name} has {count_of(len(values), 'value')} for "
                    f"{count_of(shape[0], 'image')}."
                )
        for begin, block in row_blocks(self.probabilities):
            if fault := fault_of_rows(block):
                row, reason = fault
                raise ValueError(f"Row {begin + row} of probabilities {reason}")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @cached_property
    def predicted(self) -> NDArray:
        """(num_images,) labels of the most probable classes; of equal ones, the first."""
        return np.concatenate([block.argmax(axis=1) for _, block in row_blocks(self.probabilities)])

    @cached_property
    def confidence(self) -> NDArray:
        """(num_images,) probabilities of the most probable classes."""
        return np.concatenate([block.max(axis=1) for _, block in row_blocks(self.probabilities)])

    @cached_property
    def is_correct(self) -> NDArray:
        """(num_images,) whether the most probable class is the true one."""
        return self.predicted == self.labels

    def subset(self, images: NDArray) -> Predictions:
        """Return the predictions of some images.

        Args:
            images: (num_images,) booleans, or the positions of the images.
        """
        positions = np.arange(len(self))[images]
        return Predictions(
            self.class_names,
            [self.paths[index] for index in positions],
            self.labels[positions],
            self.probabilities[positions],
            {name: [values[index] for index in positions] for name, values in self.columns.items()},
        )


def fault_of_rows(probabilities: NDArray) -> tuple[int, str] | None:
    """Return (row, what is wrong) of the first row that is not a distribution, or None.

    >>> fault_of_rows(np.array([[0.5, 0.5], [3.0, 2.0]]))[0]
    1
    """
    sums = probabilities.sum(axis=1, dtype=np.float64)
    # Comparisons with NaN are false, so that it counts as wrong.
    in_range = (probabilities.min(axis=1) >= 0) & (probabilities.max(axis=1) <= 1 + _SUM_TOLERANCE)
    is_right = in_range & (np.abs(sums - 1) <= _SUM_TOLERANCE)
    if is_right.all():
        return None
    row = int(is_right.argmin())
    values = probabilities[row]
    if not np.isfinite(values).all():
        return row, f"has {values[~np.isfinite(values)][0]}, which is not a probability."
    if values.min() < 0:
        reason = f"has {values.min():g}, which is not a probability."
        return row, f"{reason} If these are logits, apply softmax first."
    advice = "If these are logits, apply softmax first."
    if abs(sums[row] - 100) <= 100 * _SUM_TOLERANCE:
        advice = "If these are percentages, divide them by 100."
    return row, f"sums to {sums[row]:.3f}, not 1. {advice}"

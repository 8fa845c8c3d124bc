"""Two runs on the same images: the counts, the test, the interval, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.metric_differences import MetricDifference
from cnnkit.comparison.paired_tests import ALPHA, difference_interval, mcnemar, needed_images
from cnnkit.comparison.same_images import positions_in
from cnnkit.text import count_of, shown

_POINT = 0.01  # of accuracy: the difference that matters if none was measured


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs, compared image by image.

    Args:
        first: the name of the first run.
        second: the name of the second run.
        both_right: the number of images that both get right.
        only_first: the number that only the first gets right.
        only_second: the number that only the second gets right.
        both_wrong: the number that both get wrong.
        interval: 95% interval of `difference`, from the paired bootstrap.
        p_value: of McNemar's exact test.
        corrected_p_value: the same, corrected by Holm's method if several pairs were tested.
        metrics: how the runs differ in other metrics, by name; empty if that was not asked for.
    """

    first: str
    second: str
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    interval: tuple[float, float]
    p_value: float
    corrected_p_value: float
    metrics: Mapping[str, MetricDifference] = field(default_factory=dict)

    @property
    def num_images(self) -> int:
        """The number of images."""
        return self.both_right + self.only_first + self.only_second + self.both_wrong

    @property
    def difference(self) -> float:
        """The accuracy of the second minus that of the first."""
        return (self.only_second - self.only_first) / self.num_images

    @property
    def is_distinguishable(self) -> bool:
        """Whether one is better by more than chance explains."""
        return self.corrected_p_value < ALPHA

    @property
    def has_narrow_interval(self) -> bool:
        """Whether the interval is without 0 although the exact test finds no difference.

        Images that were not seen are never drawn: if 4 images are right for one run alone and none
        for the other, no resample has one for the other.
        """
        low, high = self.interval
        return self.p_value >= ALPHA and (low > 0 or high < 0)

    @property
    def better(self) -> str | None:
        """The name of the better run; None if they are not distinguishable."""
        if not self.is_distinguishable:
            return None
        return self.second if self.difference > 0 else self.first

    @property
    def needed_images(self) -> int | None:
        """How many test images would show the measured difference; None if it is 0."""
        return needed_images(self.only_first, self.only_second, self.num_images)

    @property
    def needed_for_a_point(self) -> int | None:
        """How many would show a difference of 0.01; None if they disagree on too few images."""
        return needed_images(self.only_first, self.only_second, self.num_images, difference=_POINT)

    def corrected(self, p_value: float) -> Pair:
        """Return the pair with a p-value that is corrected for the number of pairs."""
        return replace(self, corrected_p_value=p_value)

    def verdict(self) -> str:
        """Return one sentence: which one is better, or that they are not distinguishable."""
        first, second = shown(self.first), shown(self.second)
        chance = p_text(self.corrected_p_value)
        if not self.only_first and not self.only_second:
            return f"{first} and {second} are right on the same images: nothing tells them apart."
        if not self.is_distinguishable:
            images = count_of(self.only_first, "image")
            return (
                f"{first} and {second} are not distinguishable: {images} against "
                f"{self.only_second:,} ({chance})."
            )
        better, worse, gained, lost = first, second, self.only_first, self.only_second
        if self.difference > 0:
            better, worse, gained, lost = second, first, lost, gained
        return (
            f"{better} is better than {worse}: only {better} is right on "
            f"{count_of(gained, 'image')}, only {worse} on {lost:,} ({chance})."
        )

    def what_would_settle_it(self) -> str:
        """Return a sentence on how many test images would; "" if it is settled."""
        if self.is_distinguishable:
            return ""
        if needed := self.needed_images:
            return (
                f"If the difference really is {_points(abs(self.difference))}, about "
                f"{_rounded_up(needed)} test images would show it; these are {self.num_images:,}."
            )
        if needed := self.needed_for_a_point:
            return (
                f"There is no difference to show. One of {_points(_POINT)} would take about "
                f"{_rounded_up(needed)} test images; these are {self.num_images:,}."
            )
        return ""

    def difference_text(self) -> str:
        """Return the difference with its interval."""
        low, high = self.interval
        return (
            f"difference {100 * self.difference:+.1f} points, 95% interval {100 * low:+.1f} to "
            f"{100 * high:+.1f}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **vars(self),
            "interval": list(self.interval),
            "metrics": {name: each.as_dict() for name, each in self.metrics.items()},
            "num_images": self.num_images,
            "difference": self.difference,
            "is_distinguishable": self.is_distinguishable,
            "better": self.better,
            "needed_images": self.needed_images,
            "needed_for_a_point": self.needed_for_a_point,
            "verdict": self.verdict(),
        }


def compare_pair(first: ComparedRun, second: ComparedRun) -> Pair:
    """Compare the answers of two runs, image by image.

    Raises:
        UsageError: they were not scored on the same images.
    """
    right = first.predictions.is_correct
    other = second.predictions.is_correct[positions_in(second, first)]
    p_value = mcnemar(_count(right & ~other), _count(other & ~right))
    return Pair(
        first.name,
        second.name,
        both_right=_count(right & other),
        only_first=_count(right & ~other),
        only_second=_count(other & ~right),
        both_wrong=_count(~right & ~other),
        interval=difference_interval(first=right, second=other, labels=first.predictions.labels),
        p_value=p_value,
        corrected_p_value=p_value,
    )


def _count(images: NDArray) -> int:
    return int(np.count_nonzero(images))


def p_text(p_value: float) -> str:
    """Return `p = 0.66`, with two digits that count."""
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"


def _points(difference: float) -> str:
    """Return a difference of accuracies in percentage points.

    >>> _points(0.012), _points(0.01)
    ('1.2 points', '1 point')
    """
    number = f"{100 * difference:.1f}".removesuffix(".0")
    return f"{number} point{'' if number == '1' else 's'}"


def _rounded_up(number: int) -> str:
    """Return a number with two digits that count: it is an estimate.

    >>> _rounded_up(4577), _rounded_up(73)
    ('4,600', '73')
    """
    step = 10 ** max(0, len(str(number)) - 2)
    return f"{math.ceil(number / step) * step:,}"

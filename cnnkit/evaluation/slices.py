"""Find the kinds of images on which a model is worse: slices of the images, with an exact test.

Images are sliced by class, by folder, and by everything that is known of them: what was measured
(`image_measures.py`) and the columns of the user's CSV. Two slices of different properties
overlap; those of one property do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnkit.comparison.paired_tests import holm
from cnnkit.evaluation.intervals import wilson_interval
from cnnkit.evaluation.predictions import Predictions

LEAST_IMAGES = 10  # of a slice, and of the other images; a smaller one proves nothing
ALPHA = 0.05
_MOST_LISTED = 10  # different numbers; a column with more is divided into quarters
_QUARTERS = ("lowest", "low", "high", "highest")


class Value(NamedTuple):
    """What the images of a slice have in common: a text, or a range of numbers with its name."""

    text: str
    range: str = ""


# The value of each slice, and the slice of each image; -1 for none.
Property = tuple[list[Value], NDArray]


@dataclass(frozen=True)
class Slice:
    """Some of the images, compared with all others.

    Args:
        by: the property, such as `class`, `brightness` or a column of the data's CSV.
        value: what the images of the slice have in common; `lowest`, `low`, `high` or `highest` for
            a range of numbers.
        range: that range, such as `47.4 to 58.6`; empty for other values.
        images: how many there are.
        errors: how many of them are wrong.
        accuracy: of the images in the slice.
        accuracy_low: the lower end of its 95% interval, by Wilson.
        accuracy_high: the upper end.
        rest_accuracy: of all other images.
        expected_accuracy: what the accuracy of each class makes likely for the classes in the
            slice. If it is as low as `accuracy`, the slice is worse because of its classes.
        p_value: of Fisher's exact test that the slice is not worse than the rest.
        p_corrected: corrected by Holm's method for the number of slices that were tried.
    """

    by: str
    value: str
    range: str
    images: int
    errors: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    rest_accuracy: float
    expected_accuracy: float
    p_value: float
    p_corrected: float

    @property
    def name(self) -> str:
        """The property, the value and its range, for people."""
        return f"{self.by} {self.value}" + (f" ({self.range})" if self.range else "")

    @property
    def is_worse(self) -> bool:
        """Whether the slice is significantly worse than the rest."""
        return self.p_corrected < ALPHA


def find_slices(predictions: Predictions) -> list[Slice]:
    """Return all slices of at least `LEAST_IMAGES` images, the most significantly worse first.

    A property is left out if all images have the same value, or if it divides the images as the
    classes or another property do.
    """
    counts = list(_counts(predictions))
    total, total_right = len(predictions), int(predictions.is_correct.sum())
    right = np.array([count.right for count in counts])
    sizes = np.array([count.images for count in counts])
    p_values = worse_p_values(right, sizes, total_right, total)
    lows, highs = wilson_interval(right / sizes, sizes)
    slices = [
        Slice(
            by=count.by,
            value=count.value.text,
            range=count.value.range,
            images=count.images,
            errors=count.images - count.right,
            accuracy=count.right / count.images,
            accuracy_low=low,
            accuracy_high=high,
            rest_accuracy=(total_right - count.right) / (total - count.images),
            expected_accuracy=count.expected / count.images,
            p_value=p_value,
            p_corrected=p_corrected,
        )
        for count, low, high, p_value, p_corrected in zip(
            counts,
            lows.tolist(),
            highs.tolist(),
            p_values.tolist(),
            holm(p_values).tolist(),
            strict=True,
        )
    ]
    # Holm's correction keeps the order, so those that are significantly worse come first.
    return sorted(slices, key=lambda each: (each.p_value, each.accuracy))


class _Count(NamedTuple):
    """The images and right answers of one slice, and how many would be expected of its classes."""

    by: str
    value: Value
    images: int
    right: int
    expected: float


def _counts(predictions: Predictions) -> Iterator[_Count]:
    """Yield the slices that are large enough."""
    labels, is_right = predictions.labels, predictions.is_correct
    # Not in the whole range of labels: a class without images has no accuracy.
    expected = np.bincount(labels, is_right)[labels] / np.bincount(labels)[labels]
    for by, (values, positions) in _properties(predictions):
        known = positions >= 0
        images, right, likely = (
            np.bincount(positions[known], weights, minlength=len(values)).tolist()
            for weights in (None, is_right[known], expected[known])
        )
        for value, size, hits, hope in zip(values, images, right, likely, strict=True):
            if LEAST_IMAGES <= size <= len(predictions) - LEAST_IMAGES:
                yield _Count(by, value, size, int(hits), hope)


def worse_p_values(right: ArrayLike, sizes: ArrayLike, total_right: int, total: int) -> NDArray:
    """Return the p-values of Fisher's exact test, one-sided: is a slice worse than the rest?

    They are the probabilities of at most as many right answers in the slice, if the `total_right`
    right answers fell on any of the `total` images alike: a hypergeometric distribution.

    Args:
        right: the number of right answers in each slice.
        sizes: the number of images in each slice.
        total_right: the number of right answers in all.
        total: the number of images in all.

    >>> worse_p_values([1], [3], 8, 10).round(4)  # 1 of 3 is right, and 7 of the other 7
    array([0.0667])
    """
    from scipy.stats import hypergeom

    return np.minimum(hypergeom.cdf(right, total, total_right, np.asarray(sizes)), 1.0)


def _properties(predictions: Predictions) -> Iterator[tuple[str, Property]]:
    """Yield (name, property) for everything that the images can be sliced by.

    Of properties that divide the images alike, only the first is yielded.
    """
    # A column of the user may be called `folder` or `class`, too.
    columns = [*predictions.columns.items(), ("folder", _folders(predictions))]
    properties: list[tuple[str, Property]] = [
        ("class", ([Value(name) for name in predictions.class_names], predictions.labels)),
        *((name, property_of(texts)) for name, texts in columns),
    ]
    seen = set()
    for name, (values, positions) in properties:
        _, first, inverse = np.unique(positions, return_index=True, return_inverse=True)
        division = first[inverse].tobytes()  # for each image, the first image of its slice
        if len(first) > 1 and division not in seen:
            seen.add(division)
            yield name, (values, positions)


def property_of(texts: Sequence[str]) -> Property:
    """Return the slices of a column: its values, or four ranges of many different numbers.

    Images with an empty text are in no slice.

    Args:
        texts: one per image.

    >>> property_of(["a", "b", "", "a"])
    ([Value(text='a', range=''), Value(text='b', range='')], array([ 0,  1, -1,  0]))
    """
    values = sorted(set(texts) - {""})
    numbers = _numbers(values)
    if numbers is not None:
        values.sort(key=numbers.__getitem__)
    if numbers is None or len(values) <= _MOST_LISTED:
        place = {value: index for index, value in enumerate(values)} | {"": -1}
        return [Value(text) for text in values], np.array([place[text] for text in texts])
    return _quarters(np.array([numbers.get(text, np.nan) for text in texts]))


def _quarters(numbers: NDArray) -> Property:
    """Return four ranges with about as many images in each; equal numbers stay together."""
    edges = np.nanquantile(numbers, (0.25, 0.5, 0.75))
    quarters = np.searchsorted(edges, numbers)
    values: list[Value] = []
    positions = np.full(len(numbers), -1)
    for quarter, word in enumerate(_QUARTERS):
        inside = (quarters == quarter) & ~np.isnan(numbers)
        if inside.any():  # not if more than a quarter of the numbers are equal
            low, high = numbers[inside].min(), numbers[inside].max()
            positions[inside] = len(values)
            values.append(Value(word, f"{_number_text(low)} to {_number_text(high)}"))
    return values, positions


def _numbers(texts: Iterable[str]) -> dict[str, float] | None:
    """Return the number of each text; None if one of them is not a finite number."""
    try:
        numbers = {text: float(text) for text in texts}
    except ValueError:
        return None
    return numbers if np.isfinite(list(numbers.values())).all() else None


def _number_text(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def _folders(predictions: Predictions) -> list[str]:
    """Return the folder of each image without the folder of its class.

    `test/cat/camera1/7.jpg` is in `test/camera1`, and so is an image of a dog from that camera.
    """
    names = predictions.class_names
    return [
        "/".join(part for part in path.split("/")[:-1] if part != names[label]) or "."
        for path, label in zip(predictions.paths, predictions.labels.tolist(), strict=True)
    ]

"""The standard error of a metric, by a bootstrap within each class.

The images of each class are drawn again with replacement, so that every resample has the same
number of images of each class. One image fewer is drawn than there is, because the variance would
be too small otherwise: with two images of a class by half.

Source: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans; Rao and Wu 1988,
doi:10.1080/01621459.1988.10478591, for strata with few images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnkit.metrics import CountMetrics

RESAMPLES = 500  # the standard error is then exact to about 3%
_SEED = 0  # the same images give the same interval


def strata_of(labels: NDArray) -> NDArray:
    """Return which images are drawn for each other: a number for each group of them.

    A group is a class. Classes with a single image, which nothing else could be drawn for, are one
    group; if there is only one such class, it is with the smallest of the others.

    Args:
        labels: (num_images,) integers.

    >>> strata_of(np.array([0, 0, 1, 2, 3, 3])).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    _, groups, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    single = np.flatnonzero(sizes == 1)
    partner = np.argsort(sizes, kind="stable")[min(1, len(sizes) - 1)]
    joined = np.arange(len(sizes))
    joined[single] = single[0] if len(single) > 1 else partner
    return np.unique(joined[groups], return_inverse=True)[1]


def error_of_mean(values: NDArray, strata: NDArray) -> float:
    """Return the standard error of the mean of values, as the bootstrap gives it.

    For a mean it is known without resamples.

    Args:
        values: (num_images,) for example the loss of each image.
        strata: from `strata_of`.
    """
    return error_of_sum(values, strata) / len(values)


def error_of_sum(influences: NDArray, strata: NDArray) -> float:
    """Return the standard error of a metric whose derivatives by the images are known.

    Args:
        influences: (num_images,) derivatives with respect to the weights of the images.
        strata: from `strata_of`.
    """
    sizes = np.bincount(strata)
    means = np.bincount(strata, influences) / sizes
    squares = np.bincount(strata, np.square(influences - means[strata]))
    return float(np.sqrt((squares * sizes / np.maximum(sizes - 1, 1)).sum()))


def degrees_of_freedom(influences: NDArray, strata: NDArray) -> float:
    """Return how well `error_of_sum` knows the error: the degrees of freedom of a t distribution.

    It is the number of images less 1 if all come from one group, and small if a group with few
    images makes most of the error.

    Source: Satterthwaite 1946, doi:10.2307/3002019.
    """
    sizes = np.bincount(strata)
    means = np.bincount(strata, influences) / sizes
    squares = np.bincount(strata, np.square(influences - means[strata]))
    parts, free = squares * sizes / np.maximum(sizes - 1, 1), np.maximum(sizes - 1, 1)
    total = (parts**2 / free).sum()
    return float(parts.sum() ** 2 / total) if total > 0 else float(len(strata))


def resampled_counts(labels: NDArray, predicted: NDArray, num_classes: int) -> CountMetrics:
    """Return the counts of `RESAMPLES` resamples: arrays (RESAMPLES, num_classes).

    Args:
        labels: (num_images,) integers.
        predicted: (num_images,) integers, the answers.
        num_classes: how many classes there are.
    """
    return paired_resampled_counts(labels, [predicted], num_classes)[0]


def paired_resampled_counts(
    labels: NDArray, predicted: Sequence[NDArray], num_classes: int
) -> list[CountMetrics]:
    """Return the counts of several classifiers in the same `RESAMPLES` resamples.

    Only how many images of a class get which answers matters to them. So these numbers are drawn,
    from a multinomial distribution, and not the images.

    Args:
        labels: (num_images,) integers.
        predicted: for each classifier (num_images,) integers, its answers.
        num_classes: how many classes there are.
    """
    kinds, images = np.unique(
        np.stack([strata_of(labels), labels, *predicted]), axis=1, return_counts=True
    )
    strata, true, *answered = kinds
    random = np.random.default_rng(_SEED)
    support = np.zeros((num_classes, RESAMPLES))
    hits, answers = np.zeros((2, len(predicted), num_classes, RESAMPLES))
    for stratum in np.split(np.arange(len(images)), np.flatnonzero(np.diff(strata)) + 1):
        size = images[stratum].sum()
        num_draws = max(size - 1, 1)
        drawn = random.multinomial(num_draws, images[stratum] / size, RESAMPLES)
        # Scaled, so that the counts are those of as many images as there are.
        for kind, counts in zip(stratum, drawn.T * (size / num_draws), strict=True):
            support[true[kind]] += counts
            for classifier, answer in enumerate(answered):
                answers[classifier, answer[kind]] += counts
                if true[kind] == answer[kind]:
                    hits[classifier, true[kind]] += counts
    return [
        CountMetrics(right.T, support.T, given.T)
        for right, given in zip(hits, answers, strict=True)
    ]

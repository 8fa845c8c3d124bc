"""Statistics of two classifiers on the same images. NumPy and SciPy only.

Images that both get right, or both wrong, say nothing about which one is better: all that counts
is the number of images that only the first, and only the second, gets right.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALPHA = 0.05  # the error that a verdict allows; intervals have 1 - ALPHA
POWER = 0.8  # the chance with which `needed_images` would find the difference
_RESAMPLES = 10_000
_MOST_DRAWS = 1_000_000  # of counts; with many classes there are fewer resamples


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value of McNemar's test, a number in [0, 1].

    It is the probability that the two counts differ at least as much as they do if each of these
    images was as likely to be among the one as among the other.

    Args:
        only_first: the number of images that only the first classifier gets right.
        only_second: the number that only the second gets right.

    Source: McNemar 1947, doi:10.1007/BF02295996, with the binomial distribution.

    >>> mcnemar(12, 9) == mcnemar(9, 12), round(mcnemar(12, 9), 4), mcnemar(0, 0)
    (True, 0.6636, 1.0)
    """
    if only_first == only_second:  # also if there are no such images, which binomtest refuses
        return 1.0
    from scipy.stats import binomtest  # takes longer to import than all the rest

    return float(binomtest(only_first, only_first + only_second).pvalue)


def difference_interval(
    *, first: ArrayLike, second: ArrayLike, labels: ArrayLike, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% interval of the second accuracy minus the first, by a paired bootstrap.

    The images of each class are drawn again with replacement, 10,000 times (1,000 times for 1,000
    classes), both answers of an image together; the interval has the middle 95% of the
    differences. Because a difference depends only on how many images of a class are right for one
    classifier alone, these counts are drawn, from a multinomial distribution, not the images.

    Args:
        first: (num_images,) whether the first classifier is right.
        second: (num_images,) whether the second one is.
        labels: (num_images,) integers, the classes within which images are drawn.
        seed: of the random numbers.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    gained = np.asarray(second, np.int64) - np.asarray(first, np.int64)  # 1, 0 or -1
    _, classes = np.unique(labels, return_inverse=True)
    num_classes = classes.max() + 1
    # (num_classes, 3) images that only the first gets right, that say nothing, only the second.
    counts = np.bincount(classes * 3 + gained + 1, minlength=3 * num_classes).reshape(-1, 3)
    differing = counts[(counts[:, 0] > 0) | (counts[:, 2] > 0)]
    resamples = min(_RESAMPLES, _MOST_DRAWS // max(1, len(differing)))
    random = np.random.default_rng(seed)
    total = np.zeros(resamples, np.int64)
    for count in differing:
        drawn = random.multinomial(count.sum(), count / count.sum(), resamples)
        total += drawn[:, 2] - drawn[:, 0]
    low, high = np.quantile(total / len(gained), [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def needed_images(
    only_first: int, only_second: int, num_images: int, *, difference: float | None = None
) -> int | None:
    """Return how many test images would show a difference, in 80% of such test sets.

    The share of images on which exactly one classifier is right is taken from the test.

    Args:
        only_first: the number of images that only the first classifier gets right.
        only_second: the number that only the second gets right.
        num_images: of the test.
        difference: between the two accuracies; None for the measured one.

    Returns:
        The number, or None if there is no difference, or one that is not possible: it cannot be
        larger than the share of images on which exactly one is right.

    Source: Connor 1987, doi:10.2307/2531961.

    >>> needed_images(12, 9, 250), needed_images(9, 9, 250)
    (4577, None)
    """
    share = (only_first + only_second) / num_images
    gap = abs(only_first - only_second) / num_images if difference is None else difference
    if not 0 < gap <= share:
        return None
    normal = NormalDist()
    significance, power = normal.inv_cdf(1 - ALPHA / 2), normal.inv_cdf(POWER)
    root = significance * math.sqrt(share) + power * math.sqrt(share - gap**2)
    return math.ceil((root / gap) ** 2)


def holm(p_values: ArrayLike) -> NDArray:
    """Return p-values corrected for their number, in the same order.

    If none of the hypotheses is true, the smallest of the results is below 0.05 in at most 5% of
    all cases, however the tests depend on each other.

    Source: Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected

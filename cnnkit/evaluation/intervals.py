"""95% intervals of metrics: what the value could be on other images of the same kind.

The standard error of a metric comes from a bootstrap within each class (`bootstrap.py`). From it
the interval is made in the form of Wilson's: it stays in the range of the metric, and it does not
shrink to a point if every image is right.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnkit.metrics import CalibrationBins

_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(0.975)  # 1.96
_TAIL = 0.025  # of an interval, on either side
_DRAWS, _MULTIPLES, _SEED = 1000, 41, 0  # of measured calibration errors
_HALVINGS = 40  # of the range in which a gap lies

Interval = tuple[float, float]

_LEAST_VARIANCE = 1e-300


def wilson_interval(share: ArrayLike, num_images: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return the lower and the upper ends of Wilson's intervals of shares, in any shape.

    Args:
        share: the shares of images, in [0, 1].
        num_images: the numbers of all images, at least 1.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.

    >>> low, high = wilson_interval(0.9, 50)
    >>> round(float(low), 4), round(float(high), 4)
    (0.7864, 0.9565)
    """
    share, num_images = np.asarray(share, np.float64), np.asarray(num_images, np.float64)
    square = _Z**2 / num_images
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * np.sqrt(share * (1 - share) / num_images + square / num_images / 4)
    # Rounding errors must not put the value outside.
    return np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)


def interval_of_score(
    value: ArrayLike,
    error: ArrayLike,
    num_images: ArrayLike,
    *,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> tuple[NDArray, NDArray]:
    """Return the ends of the intervals of metrics with known limits, in any shape.

    It is Wilson's interval of a share of as many images as would have the same standard error.

    Args:
        value: the metrics.
        error: their standard errors.
        num_images: the numbers of images, used if the value is one of the limits: then no resample
            differs from it, and the standard error says nothing.
        lowest: of the metric.
        highest: of the metric.

    Source: Korn and Graubard 1998, Survey Methodology 24, on intervals of shares in surveys.

    >>> low, high = interval_of_score(1.0, 0.0, 50)
    >>> round(float(low), 4), float(high)
    (0.9287, 1.0)
    """
    width = highest - lowest
    share = np.clip((np.asarray(value, np.float64) - lowest) / width, 0, 1)
    variance = np.square(np.asarray(error, np.float64) / width)
    size = np.array(np.broadcast_to(np.asarray(num_images, np.float64), share.shape))
    spread = share * (1 - share)
    # A variance so small that dividing by it would overflow is none.
    np.divide(spread, variance, out=size, where=(spread > 0) & (variance > _LEAST_VARIANCE))
    # An error that is larger than that of one image can only be a rounding error.
    low, high = wilson_interval(share, np.maximum(size, 1))
    return lowest + width * low, lowest + width * high


def widening(degrees_of_freedom: float) -> float:
    """Return by how much a standard error that is known from few images is to be enlarged.

    It is the 97.5% quantile of the t distribution divided by that of the normal distribution.

    Source: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.7.5.

    >>> round(widening(10) * 1.959964, 3), round(widening(1e9), 6)
    (2.228, 1.0)
    """
    free, z = max(degrees_of_freedom, 3.0), _Z
    terms = (
        (z**2 + 1) / 4 / free,
        (5 * z**4 + 16 * z**2 + 3) / 96 / free**2,
        (3 * z**6 + 19 * z**4 + 17 * z**2 - 15) / 384 / free**3,
    )
    return 1 + sum(terms)


def interval_of_loss(value: float, error: float) -> Interval:
    """Return the interval of a positive number without an upper limit: normal on a log scale."""
    factor = math.exp(_Z * error / value)
    return value / factor, value * factor


def interval_of_calibration_error(bins: CalibrationBins) -> Interval:
    """Return the interval of the expected calibration error.

    The error that is measured is too large: chance alone makes gaps in the bins, also if there is
    none. For each bin, the gap is looked for that would be measured as large as it is on average,
    and chance is that of the share of right answers. So the value may be near the upper end. The
    lower end is not above the smallest multiple of all gaps with which an error as large as the
    measured one is not rarer than 2.5%: small gaps are not distributed normally.
    """
    used = bins.images > 0
    images, weights = bins.images[used], bins.images[used] / bins.images.sum()
    gaps = np.abs(bins.accuracy - bins.mean_confidence)[used]
    # One image more, as right as its confidence: a bin with two right answers is not certain.
    share = (bins.accuracy[used] * images + bins.mean_confidence[used]) / (images + 1)
    errors = np.sqrt(share * (1 - share) / images)
    middle = float(weights @ [_gap_behind(*each) for each in zip(gaps, errors, strict=True)])
    half = _Z * float(np.sqrt(weights**2 @ errors**2))
    low = min(middle - half, _least_error(gaps, errors, weights))
    return max(0.0, low), min(1.0, middle + half)


def _least_error(gaps: NDArray, errors: NDArray, weights: NDArray) -> float:
    """Return the smallest calibration error that is likely to be measured as large as it is."""
    noise = np.random.default_rng(_SEED).normal(size=(_DRAWS, len(gaps))) * errors
    measured, multiples = float(weights @ gaps), np.linspace(0, 1, _MULTIPLES)
    drawn = np.abs(multiples[:, np.newaxis, np.newaxis] * gaps + noise) @ weights
    is_likely = (drawn >= measured).mean(axis=1) > _TAIL
    return float(multiples[is_likely.argmax()] * measured) if is_likely.any() else measured


def _gap_behind(measured: float, error: float) -> float:
    """Return the gap m for which |m + error * noise| is `measured` on average; 0 if none is."""
    if error == 0:
        return measured
    low, high = 0.0, measured
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        ratio = middle / error
        mean = middle * (2 * _NORMAL.cdf(ratio) - 1) + 2 * error * _NORMAL.pdf(ratio)
        low, high = (middle, high) if mean < measured else (low, middle)
    return low

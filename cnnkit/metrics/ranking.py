"""How well the probability of a class separates its images from the others: ROC and PR curves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnkit.metrics.blocks import column_blocks


class Ranking(NamedTuple):
    """The areas under the curves of each class against the rest, and how images influence them.

    A class without images, or the only one that has images, has NaN.

    Args:
        roc_auc: (num_classes,) areas under the ROC curves, in [0, 1].
        pr_auc: (num_classes,) average precisions, in [0, 1].
        roc_influence: (num_images,) derivatives of the mean of `roc_auc` with respect to the
            weights of the images.
        pr_influence: (num_images,) how much the mean of `pr_auc` falls if the image is left out,
            times (n - 1) / n for n images of its class.
    """

    roc_auc: NDArray[Any]
    pr_auc: NDArray[Any]
    roc_influence: NDArray[Any]
    pr_influence: NDArray[Any]


def rank_classes(*, labels: ArrayLike, probabilities: ArrayLike) -> Ranking:
    """Return the areas under the ROC and the precision-recall curve of each class against the rest.

    They are scikit-learn's `roc_auc_score(labels == c, probabilities[:, c])` and
    `average_precision_score` with the same arguments, for each class c. The influences give
    standard errors without resamples: for ROC curves by the infinitesimal jackknife, for
    precision-recall curves by the jackknife, which leaves out whole images. With few images, these
    curves change too much for derivatives.

    Args:
        labels: (num_images,) integers in [0, num_classes).
        probabilities: (num_images, num_classes) floats.

    Source: Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747; the variance of DeLong et
    al. 1988, doi:10.2307/2531595; Efron 1982, The Jackknife, the Bootstrap and Other Resampling
    Plans, chapter 6.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    num_images, num_classes = probabilities.shape
    support = np.bincount(labels, minlength=num_classes)
    is_rankable = (support > 0) & (support < num_images)
    areas = np.full((2, num_classes), np.nan)
    influences = np.zeros((2, num_images))
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(support)[:-1])
    for begin, columns in column_blocks(probabilities):
        for label, scores in enumerate(columns, start=begin):
            if is_rankable[label]:
                areas[:, label] = _rank_one(scores, by_class[label], influences)
    influences /= max(1, is_rankable.sum())
    # A class is not left without images.
    influences[1] *= np.where(support > 1, (support - 1) / np.maximum(support, 1), 1)[labels]
    return Ranking(*areas, *influences)


def _rank_one(
    scores: NDArray[Any], images: NDArray[Any], influences: NDArray[Any]
) -> tuple[float, float]:
    """Return the area under the ROC curve and the average precision of one class.

    Args:
        scores: (num_images,) probabilities of the class.
        images: the positions of the images of the class.
        influences: (2, num_images), to which the influences on the two areas are added.
    """
    own = np.sort(scores[images])
    # Images that score lower than all of the class have the same influence: often nearly all.
    high = np.flatnonzero(scores >= own[0])
    num_own, num_others, num_low = len(own), len(scores) - len(own), len(scores) - len(high)
    high_scores = scores[high]
    ordered = np.sort(high_scores)
    # For each image of the class: how many images score lower, or less or equal.
    lower, up_to = (np.searchsorted(ordered, own, side) for side in ("left", "right"))
    own_lower, own_up_to = (np.searchsorted(own, own, side) for side in ("left", "right"))
    # The share of the others that it is above; an equal one is half.
    above = (num_low + (lower - own_lower + up_to - own_up_to) / 2) / num_others
    at_least = len(high) - lower
    precision = (num_own - own_lower) / at_least
    roc_auc, pr_auc = above.mean(), precision.mean()

    # For each image: how many images of the class score lower, or less or equal.
    below, below_or_equal = (np.searchsorted(own, high_scores, side) for side in ("left", "right"))
    is_own = np.zeros(len(scores), bool)
    is_own[images] = True
    is_own = is_own[high]
    place = below[is_own]  # where the images of the class are in `own`
    influences[0] += (1 - roc_auc) / num_others
    roc = -(below + below_or_equal) / (2 * num_own * num_others)
    roc[is_own] = (above[place] - roc_auc) / num_own - (1 - roc_auc) / num_others
    influences[0, high] += roc
    influences[1, high] += pr_auc - _left_out(
        num_own - own_lower, at_least, below_or_equal, is_own, place
    )
    return roc_auc, pr_auc


def _left_out(
    hits: NDArray[Any],
    at_least: NDArray[Any],
    below_or_equal: NDArray[Any],
    is_own: NDArray[Any],
    place: NDArray[Any],
) -> NDArray[Any]:
    """Return the average precision of a class without one image, for each of some images.

    Args:
        hits: for each image of the class, how many of the class score as high or higher.
        at_least: for each image of the class, how many images score as high or higher.
        below_or_equal: for each image that may be left out, how many of the class score lower or
            the same; it changes the precision at their scores.
        is_own: whether each of these images is of the class.
        place: where those of the class are in `hits`.
    """
    fewer = np.maximum(at_least - 1, 1)  # 0 only if the image itself is left out
    kept, without_other, without_own = (
        np.concatenate([[0], np.cumsum(each)])
        for each in (hits / at_least, hits / fewer, (hits - 1) / fewer)
    )
    unchanged = kept[-1] - kept[below_or_equal]
    result = (without_other[below_or_equal] + unchanged) / len(hits)
    if len(hits) == 1:  # without it there is no curve; what would be lost is its derivative
        precision = hits[0] / at_least[0]
        result[is_own] = precision - (1 - precision) / at_least[0]
        return result
    itself = ((hits - 1) / fewer)[place]
    own = without_own[below_or_equal[is_own]] + unchanged[is_own] - itself
    result[is_own] = own / (len(hits) - 1)
    return result

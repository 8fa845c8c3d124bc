"""How far the features of an image are from those of training images. NumPy only.

The features are the input of the output layer, scaled to length 1. The distance of an image is 1
minus the cosine to its fifth most similar training image, a number in [0, 2]. A probability is no
such measure: a network of shoes is often sure that a cat is a boot.

Source: Sun et al. 2022, arXiv:2204.06507 (k nearest neighbours in place of a Gaussian model).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnkit.model.calibrated_layers import NEIGHBOUR, unit_rows

# The references become a part of every exported file: 10 MB as float32.
_MOST_NUMBERS = 2_500_000


def neighbour_distances(features: NDArray, references: NDArray) -> NDArray:
    """Return the distance (num_images,) of each image from the references.

    Args:
        features: (num_images, num_features).
        references: (num_references, num_features), rows of length 1.
    """
    similar = unit_rows(features) @ references.T
    rank = min(NEIGHBOUR, len(references))
    return 1 - np.partition(similar, -rank, axis=1)[:, -rank]


def largest_distance(distances: ArrayLike, share: float) -> float:
    """Return the limit below which at least `share` of new images of the same kind are expected.

    It is the ceil((n + 1) * share)-th smallest of n distances, or the largest of them if n is too
    small for the share.

    Args:
        distances: (num_images,) of images that are neither references nor trained on.
        share: in (0, 1].

    Source: split conformal prediction, Vovk et al. 2005; the guarantee is for exchangeable images.

    >>> largest_distance([0.3, 0.1, 0.2], 0.5)
    0.2
    """
    ordered = np.sort(np.asarray(distances, np.float64))
    # Rounded: 0.95 times 20 must not count as a little more than 19.
    rank = math.ceil(round((len(ordered) + 1) * share, 9))
    return float(ordered[min(rank, len(ordered)) - 1])


def chosen_references(labels: Sequence[str], keys: Sequence[str], num_features: int) -> list[int]:
    """Return the positions of the training images that become references.

    All of them, or as many as fit into 10 MB: then every class gets about the same number.

    Args:
        labels: of the training images.
        keys: their sha256, which decide who is chosen, so that another order chooses the same ones.
        num_features: of one image.
    """
    most = max(NEIGHBOUR, _MOST_NUMBERS // num_features)
    if len(labels) <= most:
        return list(range(len(labels)))
    return sorted(_round_robin(labels, keys)[:most])


def _round_robin(labels: Sequence[str], keys: Sequence[str]) -> list[int]:
    """Return the positions of all images, one of each class in turn."""
    by_class: dict[str, list[int]] = {}
    for position in sorted(range(len(labels)), key=lambda each: keys[each]):
        by_class.setdefault(labels[position], []).append(position)
    ranked: Iterable[tuple[int, int]] = (
        (rank, position) for members in by_class.values() for rank, position in enumerate(members)
    )
    return [position for _, position in sorted(ranked)]

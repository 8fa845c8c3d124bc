"""Find which items are connected by pairs, directly or through others. Needs SciPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# SciPy is imported in the functions: it takes a quarter of a second, and most runs have no groups.


def connected_groups(num_items: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    """Return the number of each item's group, (num_items,); connected items have the same one.

    Groups are numbered from 0 in the order of their first items.

    Args:
        num_items: items are 0 to num_items - 1.
        pairs: two items each that belong together.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(first), np.int8), (first, second)), (num_items, num_items))
    return connected_components(links, directed=False)[1]


def connecting_pairs(num_items: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the positions of the pairs that are needed to connect what all pairs connect.

    These are the pairs whose items were not connected by the pairs before them, so that a group of
    n items has n - 1 of them.

    Args:
        num_items: items are 0 to num_items - 1.
        pairs: two different items each.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    # The spanning tree of least weight, with positions as weights, takes early pairs first. SciPy
    # adds up the weights of equal pairs, so only the first of them may stay.
    position_of: dict[tuple[int, int], int] = {}
    for position, (first, second) in enumerate(pairs):
        position_of.setdefault((min(first, second), max(first, second)), position)
    rows, columns = np.array(list(position_of), np.int64).reshape(-1, 2).T
    weights = np.array(list(position_of.values()), np.float64) + 1  # a weight of 0 is no link
    links = coo_array((weights, (rows, columns)), (num_items, num_items))
    return sorted((minimum_spanning_tree(links).data - 1).astype(int).tolist())

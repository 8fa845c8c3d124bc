"""Find which items are connected by pairs, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def connected_groups(num_items: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    """Return the number of each item's group, (num_items,); connected items have the same one.

    Groups are numbered from 0 in the order of their first items.

    Args:
        num_items: items are 0 to num_items - 1.
        pairs: two items each that belong together.
    """
    from scipy.sparse import coo_array  # here, as it takes a quarter of a second
    from scipy.sparse.csgraph import connected_components

    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(first), np.int8), (first, second)), (num_items, num_items))
    return connected_components(links, directed=False)[1]

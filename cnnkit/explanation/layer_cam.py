"""LayerCAM: each position of a layer's maps has a weight of its own. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def layer_cam(activations: NDArray, gradients: NDArray) -> NDArray:
    """Return the map (height, width) of a layer; numbers are 0 or larger.

    max(0, sum over k of max(0, g_k) A_k), where g_k is the gradient of the score with respect to
    map A_k, at each position. So it also works for early layers, whose maps are larger.

    Args:
        activations: (height, width, num_maps), what the layer gives.
        gradients: same shape, of the score of the class.

    Source: Jiang et al. 2021, "LayerCAM", IEEE Transactions on Image Processing 30,
    doi:10.1109/TIP.2021.3089943, equations 5 to 7.
    """
    return np.maximum((np.maximum(gradients, 0) * activations).sum(axis=2), 0)

"""Compute what the output layer of a model gets, for many images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.model.model_info import ModelInfo
from cnnkit.prediction import read_ahead
from cnnkit.progress import Report

_BATCH = 32


def image_features(
    records: Sequence[ImageRecord], *, extractor: Any, info: ModelInfo, report: Report
) -> NDArray:
    """Return the features (num_images, num_features) of images, in order.

    Args:
        records: at least one image.
        extractor: the `keras.Model` from pixels to features, from `feature_model`.
        info: how an image becomes pixels.
        report: shows how many are done.
    """
    read = partial(_pixels, info=info)
    parts, waiting = [], []
    with report.counting("computing features") as progress:
        for done, (_, future) in enumerate(read_ahead((r.file for r in records), read), 1):
            waiting.append(future.result())
            if len(waiting) == _BATCH or done == len(records):
                parts.append(np.asarray(extractor(np.stack(waiting), training=False)))
                waiting = []
                progress(done, len(records))
    return np.concatenate(parts)


def _pixels(image: Any, *, info: ModelInfo) -> NDArray:
    return read_pixels(image, info.pixels)

"""Held-out images and the model's own answers are kept; an export is proved by replaying them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.files import atomic_write
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import Predictor

DEFAULT_LIMIT = 1e-4


@dataclass(frozen=True)
class Golden:
    """Pixels (n, h, w, c) uint8, the Keras model's probabilities (n, classes), and the paths."""

    pixels: NDArray
    probabilities: NDArray
    paths: NDArray

    def save(self, path: Path) -> None:
        """Write golden.npz, without pickle."""
        with atomic_write(path, "wb") as file:
            np.savez(file, pixels=self.pixels, probabilities=self.probabilities, paths=self.paths)

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Read what `save` wrote."""
        try:
            with np.load(path) as arrays:
                return cls(arrays["pixels"], arrays["probabilities"], arrays["paths"])
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path} is damaged: {error}. Export another run.") from error


def golden_samples(model: Any, info: ModelInfo, dataset: ImageDataset, *, count: int) -> Golden:
    """Return images from all over the test split (else validation, train) with Keras's answers."""
    held_out = next(
        indices
        for split in ("test", "validation", "train")
        if len(indices := dataset.select(split))
    )
    by_class = held_out[np.argsort(dataset.labels[held_out], kind="stable")]
    chosen = by_class[np.unique(np.linspace(0, len(by_class) - 1, count).round().astype(int))]
    pixels = dataset.pixels(chosen)
    outputs = np.asarray(model(pixels, training=False))
    return Golden(
        pixels,
        info.probabilities(outputs),
        np.array([dataset.samples[index].path for index in chosen]),
    )


def check_parity(
    predictor: Predictor,
    golden: Golden,
    *,
    limit: float = DEFAULT_LIMIT,
    allow_constant: bool = False,
) -> dict[str, float]:
    """Replay golden samples and return `max_difference` and `top1_agreement`.

    Args:
        predictor: the exported model.
        golden: pixels and the original's probabilities.
        limit: the largest allowed difference of a probability.
        allow_constant: accept the same answer for all images; right after a training that
            learned nothing it is the model's own answer.

    Raises:
        CnnkitError: a larger difference, NaN, or one answer for all images.
    """
    probabilities = predictor(golden.pixels)
    if not np.isfinite(probabilities).all():
        raise CnnkitError("the exported model gives NaN or infinite probabilities.")
    difference = float(np.abs(probabilities - golden.probabilities).max())
    if difference > limit:
        raise CnnkitError(
            f"the exported model's probabilities differ by up to {difference:.2g} from the Keras "
            f"model's on {len(golden.pixels)} images; the limit is {limit:g}."
        )
    several = len(golden.pixels) > 1 and not allow_constant
    if several and np.ptp(probabilities, axis=0).max() < 1e-6:
        raise CnnkitError(
            f"the model gives the same probabilities for all {len(golden.pixels)} golden images, "
            "so nothing is proved. Train longer, or on more images."
        )
    same = probabilities.argmax(axis=1) == golden.probabilities.argmax(axis=1)
    return {"max_difference": difference, "top1_agreement": float(same.mean())}

"""Golden samples: stored images with the Keras model's own answers, to compare an export with.

A training stores them in the run's golden.npz. An export is accepted only if it gives the same
probabilities for the stored pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import CnnkitError, UsageError, damage_as_value_error
from cnnkit.files import atomic_write
from cnnkit.model.calibration import with_temperature
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import Predictor

# The largest difference of a probability. Summing float32 numbers in another order changes it by
# about 1e-7, a thousand times less.
DEFAULT_LIMIT = 1e-4
# Below this difference all answers count as the same one: they differ by rounding alone.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class Golden:
    """Images and the answers that the Keras model gave to them.

    Args:
        pixels: uint8 (num_images, height, width, channels).
        probabilities: (num_images, num_classes), from the Keras model.
        paths: (num_images,), as in split.csv.
        distances: (num_images,) that the calibrated model gives; not stored, and None if the model
            is not calibrated.
    """

    pixels: NDArray
    probabilities: NDArray
    paths: NDArray
    distances: NDArray | None = None

    def save(self, path: Path) -> None:
        """Write golden.npz; it holds plain arrays, no pickle."""
        with atomic_write(path, "wb") as file:
            np.savez(file, pixels=self.pixels, probabilities=self.probabilities, paths=self.paths)

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Read a file that `save` has written.

        Raises:
            UsageError: the file is damaged.
        """
        try:
            # Without allow_pickle, so that a run from someone else cannot run code.
            with damage_as_value_error(), np.load(path) as arrays:
                return cls(arrays["pixels"], arrays["probabilities"], arrays["paths"])
        except ValueError as error:
            raise UsageError(f"{path} is damaged: {error}. Use another run.") from error


def golden_samples(
    model: Any, info: ModelInfo, dataset: ImageDataset, *, count: int, batch_size: int
) -> Golden:
    """Return images of the test split, spread over its classes, with the Keras model's answers.

    Args:
        model: the Keras model.
        info: how to read its outputs.
        dataset: its test images are used; those of the validation split if there are none, and
            those of the training split if there are none of either.
        count: the largest number of images.
        batch_size: images that the model takes at once; what it was trained with fits into memory.
    """
    held_out = next(
        indices
        for split in ("test", "validation", "train")
        if len(indices := dataset.select(split))
    )
    # Sorted by class and then taken at equal distances, so that they are spread over the classes.
    by_class = held_out[np.argsort(dataset.labels[held_out], kind="stable")]
    # With fewer images than `count`, places come up several times, and np.unique drops these.
    chosen = by_class[np.unique(np.linspace(0, len(by_class) - 1, count).round().astype(int))]
    pixels = dataset.pixels(chosen)
    outputs = np.concatenate(
        [
            np.asarray(model(pixels[start : start + batch_size], training=False))
            for start in range(0, len(pixels), batch_size)
        ]
    )
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
    """Give stored images to an exported model and compare its answers with the stored ones.

    Args:
        predictor: the exported model.
        golden: the images, and the answers of the Keras model.
        limit: the largest allowed difference of a probability.
        allow_constant: accept the same answer for all images. A training that has learned nothing
            gives such a model, and it should still finish.

    Returns:
        `max_difference`, the largest difference of a probability, and `top1_agreement`, the share
        of images for which both models name the same class.

    Raises:
        CnnkitError: the difference is larger than the limit, a probability is NaN, or all images
            get the same answer, so that any model with that answer would pass.
    """
    probabilities, distances = predictor.answers(golden.pixels)
    if not np.isfinite(probabilities).all():
        raise CnnkitError("the exported model gives NaN or infinite probabilities.")
    expected, calibration = golden.probabilities, predictor.info.calibration
    if calibration is not None:
        expected = with_temperature(expected, calibration.temperature)
        _check_distances(distances, golden.distances, limit)
    difference = float(np.abs(probabilities - expected).max())
    if difference > limit:
        raise CnnkitError(
            f"the exported model's probabilities differ by up to {difference:.2g} from the Keras "
            f"model's on {len(golden.pixels)} images; the limit is {limit:g}."
        )
    several = len(golden.pixels) > 1 and not allow_constant
    if several and np.ptp(probabilities, axis=0).max() < _CONSTANT:
        raise CnnkitError(
            f"the model gives the same probabilities for all {len(golden.pixels)} stored images, "
            "so the comparison proves nothing. Train longer, or on more images."
        )
    same = probabilities.argmax(axis=1) == golden.probabilities.argmax(axis=1)
    return {"max_difference": difference, "top1_agreement": float(same.mean())}


def _check_distances(distances: NDArray | None, expected: NDArray | None, limit: float) -> None:
    """Refuse a calibrated model whose distances differ from those of the Keras model."""
    if distances is None:
        raise CnnkitError("the exported model gives no distances, although it is calibrated.")
    if expected is None:
        return
    difference = float(np.abs(distances - expected).max())
    if not difference <= limit:  # NaN is refused too
        raise CnnkitError(
            f"the exported model's distances differ by up to {difference:.2g} from those of the "
            f"Keras model; the limit is {limit:g}."
        )

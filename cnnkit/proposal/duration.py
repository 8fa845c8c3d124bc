"""Estimate how long a proposed training takes on this computer, without importing TensorFlow.

The speed of a matrix product is measured, and the multiply-adds of the training are counted. What
part of that speed a network reaches was measured with TensorFlow 2.21 on two cores
(`scripts/proposals.py` prints estimates next to times). A GPU is not taken into account.
"""

from __future__ import annotations

import time

import numpy as np

from cnnkit.arithmetic.layer_row import TRAINING_PASSES
from cnnkit.config import Config
from cnnkit.explore.summarize import summary_of_layers
from cnnkit.proposal.findings import Findings

# Of EfficientNetLite0 without its classifier, for one image of 224 x 224 (`cnnkit summary`).
_LITE0_MULTIPLY_ADDS = 384_000_000
# The part of a matrix product's speed that a training step reaches, on average over its steps.
_EFFICIENCY_OF_LITE = 0.55
_EFFICIENCY_OF_LAYERS = 0.5
_EFFICIENCY_OF_LARGE_BATCHES = 1.1  # oneDNN's convolutions are faster than NumPy's product
_LARGE_BATCH = 256
# Start, saving, conversion and evaluation; with a backbone, TensorFlow builds larger graphs.
_FIXED_SECONDS = 12.0
_BACKBONE_SECONDS = 18.0
_SIDE = 1024
_REPETITIONS = 8


def multiply_adds_per_second() -> float:
    """Return the speed of a float32 matrix product on all cores; takes about 0.2 s."""
    matrix = np.full((_SIDE, _SIDE), 0.5, np.float32)
    matrix @ matrix  # starts the threads
    seconds = []
    for _ in range(_REPETITIONS):
        begin = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - begin)
    return _SIDE**3 / min(seconds)  # the least disturbed one


def training_seconds(findings: Findings, config: Config, speed: float) -> float:
    """Return the expected duration of `cnnkit train`, in seconds; early stopping may end it sooner.

    Args:
        findings: about the data set.
        config: the proposal.
        speed: in multiply-adds per second, of a matrix product.
    """
    height, width = config.data.image_size
    fixed = _FIXED_SECONDS
    if config.model.backbone is not None:
        fixed += _BACKBONE_SECONDS
        multiply_adds = _LITE0_MULTIPLY_ADDS * height * width / 224**2
        speed *= _EFFICIENCY_OF_LITE
    else:
        summary = summary_of_layers(config, len(findings.class_counts), batch_size=1)
        multiply_adds = summary.multiply_adds or 0
        is_large = config.data.batch_size >= _LARGE_BATCH
        speed *= _EFFICIENCY_OF_LARGE_BATCHES if is_large else _EFFICIENCY_OF_LAYERS
    if config.training.phases:
        epochs = sum(phase.epochs or 0 for phase in config.training.phases)
    else:
        epochs = config.training.epochs
    shares = _shares(findings, config)
    passes = epochs * (TRAINING_PASSES * shares["train"] + shares["validation"]) + 1
    reading = findings.seconds_per_image * findings.num_images
    return fixed + reading + passes * findings.num_images * multiply_adds / speed


def _shares(findings: Findings, config: Config) -> dict[str, float]:
    """Return which part of the images, before the split, is in train and in validation."""
    split = config.data.split
    taken = {
        name: 0.0 if name in findings.splits else part
        for name, part in (("validation", split.validation), ("test", split.test))
    }
    return {"train": 1 - sum(taken.values()), "validation": split.validation}

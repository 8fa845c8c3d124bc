"""Estimate how long a proposed training takes on this computer, without importing TensorFlow.

The speed of a matrix product is measured, and the multiply-adds of the training are counted. What
part of that speed a network reaches was measured with TensorFlow 2.21 on two cores
(`scripts/proposals.py` prints estimates next to times). A GPU is not taken into account.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from cnnkit.arithmetic.layer_row import TRAINING_PASSES
from cnnkit.config import Config
from cnnkit.explore.summarize import summary_of_layers
from cnnkit.proposal.findings import Findings
from cnnkit.proposal.recipes import LARGE_NETWORK, SMALL_NETWORK

# Without the classifier, for one image of 224 x 224 (`cnnkit summary`).
_MULTIPLY_ADDS = {SMALL_NETWORK: 384_000_000, LARGE_NETWORK: 575_000_000}
_FEATURES = 1280  # of both
# Of a linear probe: as in training/linear_probe.py, and the iterations that scikit-learn needed
# for 10,000 images of CIFAR-10 with five strengths together, and for all with the best one.
_MOST_ROWS_TO_CHOOSE = 10_000
_ITERATIONS_TO_CHOOSE = 315
_ITERATIONS_TO_FIT = 80
# The part of a matrix product's speed that a training step reaches, on average over its steps.
_EFFICIENCY_OF_LITE = 0.55
_EFFICIENCY_OF_UPPER_LITE = 0.65  # if its first layers, with the largest maps, do not learn
_PASSES_OF_UPPER_LITE = 2.5  # of TRAINING_PASSES, because these are a quarter of its work
_EFFICIENCY_OF_LAYERS = 0.6
_EFFICIENCY_OF_LARGE_BATCHES = 1.1  # oneDNN's convolutions are faster than NumPy's product
_EFFICIENCY_OF_PROBE = 0.125  # float64, on one core
_LARGE_BATCH = 256
# Start, saving, conversion and evaluation; with a backbone, TensorFlow builds larger graphs.
_FIXED_SECONDS = 12.0
_BACKBONE_SECONDS = 18.0
_SIDE = 512  # takes about a millisecond, which other programs rarely interrupt
_MEASURED_SECONDS = 0.5


def multiply_adds_per_second() -> float:
    """Return the speed of a float32 matrix product on all cores, if nothing else runs on them.

    It takes about a second.
    """
    with threadpool_limits(1, "blas"):
        of_one_core = _fastest_product()
    # On a busy computer the threads hardly ever run at the same time, and wait for each other.
    return max(of_one_core, _fastest_product())


def _fastest_product() -> float:
    matrix = np.full((_SIDE, _SIDE), 0.5, np.float32)
    matrix @ matrix  # starts the threads
    seconds = []
    end = time.perf_counter() + _MEASURED_SECONDS
    while not seconds or time.perf_counter() < end:
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
    numbers = _numbers(findings, config)
    passes: float = TRAINING_PASSES
    fixed = _FIXED_SECONDS + findings.seconds_per_image * sum(numbers.values())
    if config.model.backbone is None:
        epochs, forward = config.training.epochs, 0
        summary = summary_of_layers(config, len(findings.class_counts), batch_size=1)
        multiply_adds = summary.multiply_adds or 0
        is_large = config.data.batch_size >= _LARGE_BATCH
        efficiency = _EFFICIENCY_OF_LARGE_BATCHES if is_large else _EFFICIENCY_OF_LAYERS
    else:
        fixed += _BACKBONE_SECONDS + _probe_seconds(numbers, len(findings.class_counts), speed)
        epochs = sum(phase.epochs or 0 for phase in config.training.phases)
        forward = numbers["train"] + numbers["validation"]  # the features for the linear probe
        height, width = config.data.image_size
        multiply_adds = _MULTIPLY_ADDS[config.model.backbone.origin[1]] * height * width / 224**2
        efficiency = _EFFICIENCY_OF_LITE
        if any(isinstance(phase.train, dict) for phase in config.training.phases):
            efficiency, passes = _EFFICIENCY_OF_UPPER_LITE, _PASSES_OF_UPPER_LITE
    forward += epochs * (passes * numbers["train"] + numbers["validation"])
    forward += numbers["validation"] + numbers["test"]  # the evaluation at the end
    return fixed + forward * multiply_adds / (efficiency * speed)


def _probe_seconds(numbers: Mapping[str, float], num_classes: int, speed: float) -> float:
    """Return the duration of a linear probe on the features of an EfficientNet-Lite."""
    tried = min(numbers["train"], _MOST_ROWS_TO_CHOOSE)
    if not numbers["validation"]:
        tried *= 4  # five folds, each with four fifths of them
    iterations = tried * _ITERATIONS_TO_CHOOSE + numbers["train"] * _ITERATIONS_TO_FIT
    # Each iteration multiplies the features by the weights, and the errors by the features.
    multiply_adds = 2 * iterations * _FEATURES * num_classes
    return multiply_adds / (_EFFICIENCY_OF_PROBE * speed)


def _numbers(findings: Findings, config: Config) -> dict[str, float]:
    """Return how many images there are in train, validation and test."""
    split, number = config.data.split, findings.num_images
    brought = Counter(record.split for record in findings.source.records)
    numbers = {
        name: brought[name] if name in brought else part * number
        for name, part in (("validation", split.validation), ("test", split.test))
    }
    drawn = sum(each for name, each in numbers.items() if name not in brought)
    return {"train": number - drawn, **numbers}

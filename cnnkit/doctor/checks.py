"""Train, convert and decode something small, and compare the numbers with stored ones."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnkit.backend import keras, tf
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import predictor_of

SIDE, CLASSES, BATCH, NUM_STEPS = 12, 3, 6, 10
# Losses of the ten steps in float64.
REFERENCE_LOSSES: Sequence[float] = (
    *(1.156988681, 1.126306138, 1.099614449, 1.074386208, 1.052058580),
    *(1.031708479, 1.012004761, 0.992941406, 0.974173918, 0.954254326),
)
_LARGEST_STEP_DIFFERENCE = 1e-3  # relative; float32 alone gives about 1e-6
_LARGEST_PARITY_DIFFERENCE = 1e-5  # of a probability
_LARGEST_LEVEL_DIFFERENCE = 4  # a JPEG of quality 100 rounds colours twice; one is off by 3


@dataclass(frozen=True)
class Check:
    """Whether something works.

    Args:
        name: what was tried.
        is_good: whether it works.
        found: the numbers, and what to do if it does not.
    """

    name: str
    is_good: bool
    found: str


def all_checks() -> list[Check]:
    """Train ten steps, convert the network, and decode two images."""
    return [check_training(), check_conversion(), check_pixels()]


def small_network(dtype: str = "float32") -> Any:
    """Return a network with fixed weights: convolutions, pooling, normalisation, a dense layer."""
    kinds = keras.layers
    image = keras.Input((SIDE, SIDE, 1), dtype="uint8")
    x = kinds.Rescaling(1 / 255, dtype=dtype)(image)
    for layer in (
        kinds.Conv2D(4, 3, padding="same", activation="relu", dtype=dtype),
        kinds.MaxPooling2D(dtype=dtype),
        kinds.Conv2D(8, 3, use_bias=False, dtype=dtype),
        kinds.BatchNormalization(dtype=dtype),
        kinds.Activation("relu", dtype=dtype),
        kinds.GlobalAveragePooling2D(dtype=dtype),
        kinds.Dense(CLASSES, activation="softmax", dtype=dtype, name="probabilities"),
    ):
        x = layer(x)
    model = keras.Model(image, x)
    random = np.random.RandomState(0)  # its numbers are the same in all versions of NumPy
    for variable in model.trainable_variables:
        if variable.name == "kernel":
            variable.assign(random.uniform(-0.5, 0.5, variable.shape))
    return model


def small_batch() -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (batch, side, side, 1) and one-hot labels (batch, classes)."""
    random = np.random.RandomState(1)
    images = random.randint(0, 256, (BATCH, SIDE, SIDE, 1)).astype(np.uint8)
    return images, np.eye(CLASSES)[np.arange(BATCH) % CLASSES]


def losses_of_steps(dtype: str = "float32") -> list[float]:
    """Return the loss before each of ten steps with Adam."""
    model, (images, labels) = small_network(dtype), small_batch()
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    targets = tf.constant(labels, dtype)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            probabilities = model(images, training=True)
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(targets, probabilities))
        optimizer.apply(tape.gradient(loss, model.trainable_variables))
        return loss

    return [float(step()) for _ in range(NUM_STEPS)]


def check_training() -> Check:
    """Compare ten training steps with the stored losses."""
    losses = np.array(losses_of_steps())
    difference = float(np.max(np.abs(losses / REFERENCE_LOSSES - 1)))
    # Not `>`: a difference that is NaN must not pass.
    is_good = difference <= _LARGEST_STEP_DIFFERENCE
    found = (
        f"loss {losses[0]:.4f} to {losses[-1]:.4f} in {NUM_STEPS} steps, off by {difference:.1e}"
    )
    advice = (
        f" (allowed: {_LARGEST_STEP_DIFFERENCE:g}). This TensorFlow computes wrong numbers here: a "
        "training would fail or be worse. Try another version, or the CPU with "
        "CUDA_VISIBLE_DEVICES=-1."
    )
    return Check("training", is_good, found + ("" if is_good else advice))


def check_conversion() -> Check:
    """Compare the network as `.tflite` with the original."""
    model, (images, _) = small_network(), small_batch()
    names = tuple(map(str, range(CLASSES)))
    info = ModelInfo(names, PixelSettings((SIDE, SIDE), "grayscale"), "softmax")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        write_tflite(model, info, path)
        difference = float(np.max(np.abs(predictor_of(path)(images) - model(images).numpy())))
    is_good = difference <= _LARGEST_PARITY_DIFFERENCE
    advice = (
        f" (allowed: {_LARGEST_PARITY_DIFFERENCE:g}). `predict` would answer differently from the "
        "trained model. Install the versions that cnnkit was tested with."
    )
    found = f"model.tflite is off by {difference:.1e}"
    return Check("conversion", is_good, found + ("" if is_good else advice))


def check_pixels() -> Check:
    """Decode a PNG and a JPEG that are made here, and compare with the picture they show."""
    side = 64
    ramp = np.add.outer(np.arange(side), np.arange(side)) * 255 // (2 * side - 2)
    picture = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=-1).astype(np.uint8)
    settings = PixelSettings((side, side), "rgb")
    differences = {}
    for kind, options in (("PNG", {}), ("JPEG", {"quality": 100, "subsampling": 0})):
        written = io.BytesIO()
        Image.fromarray(picture).save(written, kind, **options)
        pixels = read_pixels(written.getvalue(), settings).astype(int)
        differences[kind] = int(np.max(np.abs(pixels - picture)))
    is_good = differences["PNG"] == 0 and differences["JPEG"] <= _LARGEST_LEVEL_DIFFERENCE
    found = ", ".join(f"{kind} differs by {value} of 255" for kind, value in differences.items())
    advice = ". Install Pillow again: pip install --force-reinstall pillow"
    return Check("decoding", is_good, found + ("" if is_good else advice))

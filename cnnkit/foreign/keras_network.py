"""Open a `.keras` or `.h5` file, or a SavedModel, that cnnkit did not write."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.backend import keras, tf
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.foreign.how_to_read import H5
from cnnkit.foreign.keras2_files import load_h5
from cnnkit.foreign.loaded_network import Network, image_input, rows, the_one, units_of
from cnnkit.foreign.pixel_values import SCALINGS
from cnnkit.model.loading import load_keras_model, naming_damage
from cnnkit.quiet import quiet_stderr
from cnnkit.text import first_few
from cnnkit.utf8_paths import utf8_alias


def keras_network(path: Path) -> Network:
    """Return the model of a `.keras` or an `.h5` file.

    Raises:
        UsageError: it cannot be loaded, or is not a classifier of images.
    """
    model = load_h5(path) if path.suffix.lower() in H5 else load_keras_model(path)
    image = the_one(path, "input", model.inputs, [each.name for each in model.inputs])
    output = the_one(path, "output", model.outputs, [each.name for each in model.outputs])
    read = image_input(path, tuple(image.shape), image.dtype)
    scales = read.dtype == np.uint8 or _scales(model)
    calling = threading.Lock()  # Keras does not promise that a model may be called side by side

    def run(pixels: NDArray) -> NDArray:
        with calling:
            found = model(pixels, training=False)
        return rows(keras.tree.flatten(found)[0])

    return Network(
        read,
        units_of(path, tuple(output.shape)),
        run,
        scaling="0-255" if scales else None,
        keras=model,
    )


def with_pixels(network: Network, pixels: PixelSettings, scaling: str) -> Any:
    """Return a `keras.Model` from uint8 pixels to the outputs of a network of Keras."""
    image = keras.Input(pixels.shape, dtype="uint8", name="image")
    values = image
    if network.image.dtype != np.uint8:
        factor, offset = SCALINGS[scaling]
        values = keras.layers.Rescaling(factor, offset, name="scaling")(image)
        values = keras.ops.flip(values, axis=-1) if scaling == "caffe" else values
    if network.image.channels_first:
        values = keras.layers.Permute((3, 1, 2))(values)
    return keras.Model(image, network.keras(values))


def _scales(model: Any) -> bool:
    """Tell whether the first layer scales pixels, so that the model takes them as they are."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    if not layers:
        return False
    first = layers[0]
    if isinstance(first, keras.Model):
        return _scales(first)
    # A factor of about 1/255 or 1/127: it is for pixels of 0 to 255.
    return isinstance(first, keras.layers.Rescaling) and bool(np.max(first.scale) < 0.1)


def saved_model_network(path: Path) -> Network:
    """Return the model of a SavedModel folder.

    Raises:
        UsageError: it cannot be loaded, has no signature, or is not a classifier of images.
    """
    with naming_damage(path), quiet_stderr(), utf8_alias(path) as alias:
        loaded = tf.saved_model.load(str(alias))
    function = _signature(path, loaded)
    inputs = list(function.structured_input_signature[1].values())
    image = the_one(path, "input", inputs, [each.name for each in inputs])
    outputs = function.structured_outputs
    output = the_one(path, "output", list(outputs.values()), list(outputs))
    shape = image.shape.as_list() if image.shape.rank is not None else []
    read = image_input(path, shape, image.dtype.name)
    name = image.name

    def run(pixels: NDArray) -> NDArray:
        found = function(**{name: tf.constant(pixels)})
        return rows(next(iter(found.values())))

    run.loaded = loaded  # a function does not keep the variables that it reads
    return Network(
        read,
        units_of(path, output.shape.as_list() if output.shape.rank is not None else None),
        run,
        scaling="0-255" if read.dtype == np.uint8 else None,
    )


def _signature(path: Path, loaded: Any) -> Any:
    signatures = dict(loaded.signatures)
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    if "serving_default" in signatures:
        return signatures["serving_default"]
    has = f"It has {first_few(signatures, 10)}." if signatures else "It has no signatures."
    raise UsageError(
        f"{path} has no signature serving_default, so it is not known how to call it. {has} Save "
        "it with one: tf.saved_model.save(model, FOLDER, signatures=...)."
    )

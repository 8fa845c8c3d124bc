"""Build a backbone from a TF Hub handle or a SavedModel folder, after checking that it fits."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.backend import keras, tf
from cnnkit.errors import UsageError
from cnnkit.model.backbones.hub.endpoint import Endpoint, endpoint_of
from cnnkit.model.backbones.hub.hub_module import HubModule
from cnnkit.model.backbones.hub.packed_module import load_module, pack_module
from cnnkit.quiet import quiet_stderr
from cnnkit.text import shown

_ARCHIVES = (".tgz", ".tar.gz", ".tar", ".zip")
# The values that image modules of TF Hub expect, by its documented convention for TF1 and TF2.
_HUB_RANGE = (0.0, 1.0)


def hub_backbone(
    handle: str,
    image_size: tuple[int, int],
    channels: int,
    *,
    trainable: bool = False,
    value_range: tuple[float, float] | None = None,
    signature: str | None = None,
) -> Any:
    """Return a module as a `keras.Model` from raw pixels to features.

    Args:
        handle: https://..., gs://..., or the path of a folder with a saved_model.pb.
        image_size: (height, width) in pixels.
        channels: of the pixels.
        trainable: whether the module learns, with the variables that it marks as trainable.
        value_range: what the pixels 0 and 255 become. Defaults to what the input of the module
            needs, or to [0, 1] if the module follows the interface of TF Hub.
        signature: which signature to use, if a module without `__call__` has several.

    Raises:
        UsageError: the module cannot be found, does not take such images, or does not state which
            values it expects.
    """
    name = shown(handle)
    folder = _folder_of(handle)
    module = load_module(folder, name)
    endpoint = endpoint_of(module, signature)
    _check_images(endpoint.image, name, image_size, channels)
    values = _value_range(endpoint, folder, handle, value_range)
    feature_shape = _feature_shape(endpoint, name, (*image_size, channels))
    layer = HubModule(
        *pack_module(folder),
        feature_shape=feature_shape,
        signature=signature,
        module=module,
        trainable=trainable,
        name="hub_module",
    )
    image = keras.Input((*image_size, channels), dtype="uint8", name="image")
    backbone = keras.Model(image, layer(_rescaled(image, values)), name="backbone")
    backbone.trainable = trainable  # a new keras.Model has True, even if its layers have False
    return backbone


def _folder_of(handle: str) -> Path:
    if "://" in handle:
        return _resolved(handle)
    folder, name = Path(handle), shown(handle)
    if folder.is_file() and handle.endswith(_ARCHIVES):
        raise UsageError(
            f"model.backbone.hub: {name} is an archive. Unpack it, and give the folder with the "
            "saved_model.pb."
        )
    if not folder.is_dir():
        raise UsageError(
            f"model.backbone.hub: there is no folder {name}. Give the folder of a SavedModel, or "
            "a handle that begins with https://."
        )
    if not any(folder.glob("saved_model.pb*")):
        raise UsageError(
            f"model.backbone.hub: {name} has no saved_model.pb, so it is not a SavedModel. Give "
            "the folder that has one."
        )
    return folder


def _resolved(handle: str) -> Path:
    """Return the folder of a handle; TF Hub downloads the module unless it has done so before."""
    hub = _tensorflow_hub()
    with quiet_stderr():
        try:
            return Path(hub.resolve(handle))
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            # An error of urllib has what went wrong in its `reason`.
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        except tf.errors.OpError as error:
            reason = error.message
    cache = os.environ.get("TFHUB_CACHE_DIR") or "$TFHUB_CACHE_DIR"
    # TF Hub names the folder of a module by this hash of its handle.
    place = f"{cache}/{hashlib.sha1(handle.encode()).hexdigest()}"
    raise UsageError(
        f"model.backbone.hub: {shown(handle)} cannot be downloaded: "
        f"{str(reason).splitlines()[0]}. Without a network, download the module on another "
        "computer and unpack it into a folder. Then set model.backbone.hub to that folder; or keep "
        f"the handle, name the folder {place}/ and set the environment variable TFHUB_CACHE_DIR. "
        "With TFHUB_MODEL_LOAD_FORMAT=UNCOMPRESSED, TF Hub reads from Google's storage instead of "
        "downloading an archive."
    )


def _tensorflow_hub() -> Any:
    """Import tensorflow_hub. It imports all of Keras 2, so this is done only for a handle."""
    with quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pkg_resources
        try:
            import tensorflow_hub
        except ImportError as error:
            reason = error
        else:
            return tensorflow_hub
    raise UsageError(
        f"model.backbone.hub: tensorflow_hub cannot be imported: {reason}. A handle needs it: pip "
        'install "tensorflow-hub>=0.16.1" "setuptools<81". The folder of a module works without it.'
    )


def _check_images(spec: Any, name: str, image_size: tuple[int, int], channels: int) -> None:
    wanted = f"model.backbone.hub: {name} takes"
    is_number = spec.dtype.is_floating or spec.dtype == tf.uint8
    if not is_number or spec.shape.rank not in (None, 4):
        raise UsageError(
            f"{wanted} no images: its input is {spec.dtype.name} of shape {spec.shape}, but "
            "images are (batch, height, width, channels). Use another module."
        )
    if spec.shape.rank is None:
        return
    batch, *size, depth = spec.shape
    if batch is not None:
        raise UsageError(
            f"{wanted} only batches of {batch} images, but a backbone must take any number. Use "
            "another module."
        )
    if depth not in (None, channels):
        mode = {1: "grayscale", 3: "rgb"}.get(depth)
        action = f"Set data.color_mode: {mode}" if mode else "Use another module"
        raise UsageError(f"{wanted} images of {depth} channels, not of {channels}. {action}.")
    if any(side not in (None, here) for side, here in zip(size, image_size, strict=True)):
        height, width = (
            here if side is None else side for side, here in zip(size, image_size, strict=True)
        )
        raise UsageError(
            f"{wanted} images of {height} x {width}, but data.image_size is {image_size[0]} x "
            f"{image_size[1]}. Set data.image_size: [{height}, {width}]."
        )


def _value_range(
    endpoint: Endpoint, folder: Path, handle: str, given: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return what the pixels 0 and 255 become; None if the module takes them unchanged."""
    if endpoint.image.dtype == tf.uint8:
        if given not in (None, (0, 255)):  # [0, 255] is what such a module gets anyway
            raise UsageError(
                f"model.backbone.value_range: {shown(handle)} takes unchanged uint8 pixels. "
                "Remove value_range."
            )
        return None
    if given is not None:
        return given
    if not _follows_hub(endpoint, folder, handle):
        raise UsageError(
            f"model.backbone.value_range: {shown(handle)} does not state which values it expects. "
            "Set value_range to what the pixels 0 and 255 should become: [0, 1], [-1, 1], or "
            "[0, 255] if the module rescales them itself."
        )
    return _HUB_RANGE


def _follows_hub(endpoint: Endpoint, folder: Path, handle: str) -> bool:
    """Tell whether the convention of TF Hub applies. A saved Keras model may expect any values."""
    # tfhub_module.pb marks a module in the format of TF1; Keras 2 writes keras_metadata.pb.
    if "://" in handle or (folder / "tfhub_module.pb").is_file():
        return True
    return endpoint.can_train and not (folder / "keras_metadata.pb").is_file()


def _feature_shape(endpoint: Endpoint, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the features of one image, by running the module on a black one.

    Many modules leave the shape open in their signature, and Keras needs it.
    """
    black = tf.constant(np.zeros((1, *shape)), endpoint.image.dtype)
    size = " x ".join(map(str, shape))
    try:
        features = endpoint.run(black, False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = str(getattr(error, "message", None) or error).strip().splitlines()[0]
        raise UsageError(
            f"model.backbone.hub: {name} cannot be run on an image of {size}: {reason}"
        ) from error
    found = getattr(features, "shape", None)
    if found is None or found.rank not in (2, 4) or found[0] != 1:
        given = f"a tensor of shape {found}" if found is not None else type(features).__name__
        raise UsageError(
            f"model.backbone.hub: {name} returns {given} for one image of {size}. A backbone "
            "returns rows of numbers (batch, n) or maps (batch, height, width, channels). Use "
            "another module."
        )
    return tuple(found[1:])


def _rescaled(image: Any, value_range: tuple[float, float] | None) -> Any:
    if value_range is None:
        return image
    low, high = value_range
    return keras.layers.Rescaling((high - low) / 255, low, name="value_range")(image)

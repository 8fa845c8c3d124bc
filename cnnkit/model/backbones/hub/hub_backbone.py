"""A TF Hub handle or the folder of a SavedModel enters; a backbone leaves."""

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
# The documented convention of the image modules of TF Hub, of TF1 and TF2.
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
        handle: https://..., gs://..., or the folder that holds a saved_model.pb.
        image_size: (height, width) in pixels.
        channels: of the pixels.
        trainable: let the whole module learn, as far as it says itself.
        value_range: what the pixels 0 and 255 become; None for what the module says, or for [0, 1]
            where it keeps to the interface of TF Hub.
        signature: of a module without `__call__`, where it has several.

    Raises:
        UsageError: it is not there, it is no module for such images, or its range is not known.
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
    backbone.trainable = trainable  # its own, which is True where nobody says otherwise
    return backbone


def _folder_of(handle: str) -> Path:
    if "://" in handle:
        return _resolved(handle)
    folder, name = Path(handle), shown(handle)
    if folder.is_file() and handle.endswith(_ARCHIVES):
        raise UsageError(
            f"model.backbone.hub: {name} is an archive. Unpack it, and give the folder that holds "
            "its saved_model.pb."
        )
    if not folder.is_dir():
        raise UsageError(
            f"model.backbone.hub: there is no folder {name}. Give the folder of a SavedModel, or "
            "a handle that begins with https://."
        )
    if not any(folder.glob("saved_model.pb*")):
        raise UsageError(
            f"model.backbone.hub: {name} holds no saved_model.pb, so it is no SavedModel."
        )
    return folder


def _resolved(handle: str) -> Path:
    """Return the folder that TF Hub downloads a handle to, or has downloaded it to before."""
    hub = _tensorflow_hub()
    with quiet_stderr():
        try:
            return Path(hub.resolve(handle))
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        except tf.errors.OpError as error:
            reason = error.message
    cache = os.environ.get("TFHUB_CACHE_DIR") or "$TFHUB_CACHE_DIR"
    place = f"{cache}/{hashlib.sha1(handle.encode()).hexdigest()}"
    raise UsageError(
        f"model.backbone.hub: {shown(handle)} cannot be had: {str(reason).splitlines()[0]}. "
        "Without a network, download the module elsewhere and unpack it into a folder; give that "
        f"folder, or name it {place}/, set the environment variable TFHUB_CACHE_DIR, and keep the "
        "handle. TFHUB_MODEL_LOAD_FORMAT=UNCOMPRESSED reads from Google's storage instead of "
        "downloading an archive."
    )


def _tensorflow_hub() -> Any:
    """Import tensorflow_hub, which brings all of Keras 2: only a handle needs it."""
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
        'install "tensorflow-hub>=0.16.1" "setuptools<81". The folder of a module does not.'
    )


def _check_images(spec: Any, name: str, image_size: tuple[int, int], channels: int) -> None:
    wanted = f"model.backbone.hub: {name} takes"
    is_number = spec.dtype.is_floating or spec.dtype == tf.uint8
    if not is_number or spec.shape.rank not in (None, 4):
        raise UsageError(
            f"{wanted} no images: its input is {spec.dtype.name} of shape {spec.shape}, and "
            "images are (batch, height, width, channels)."
        )
    if spec.shape.rank is None:
        return
    batch, *size, depth = spec.shape
    if batch is not None:
        raise UsageError(f"{wanted} batches of {batch} images only, and any number is needed.")
    if depth not in (None, channels):
        mode = {1: "grayscale", 3: "rgb"}.get(depth)
        action = f"Set data.color_mode: {mode}" if mode else "Take another module"
        raise UsageError(f"{wanted} images of {depth} channels, not of {channels}. {action}.")
    if any(side not in (None, here) for side, here in zip(size, image_size, strict=True)):
        height, width = (
            here if side is None else side for side, here in zip(size, image_size, strict=True)
        )
        raise UsageError(
            f"{wanted} images of {height} x {width}, and data.image_size is {image_size[0]} x "
            f"{image_size[1]}. Set data.image_size: [{height}, {width}]."
        )


def _value_range(
    endpoint: Endpoint, folder: Path, handle: str, given: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return what 0 and 255 become; None where the module takes the pixels themselves."""
    if endpoint.image.dtype == tf.uint8:
        if given not in (None, (0, 255)):
            raise UsageError(
                f"model.backbone.value_range: {shown(handle)} takes uint8 pixels as they are. "
                "Remove value_range."
            )
        return None
    if given is not None:
        return given
    if not _keeps_to_hub(endpoint, folder, handle):
        raise UsageError(
            f"model.backbone.value_range: {shown(handle)} does not say which values it wants. Set "
            "value_range to what the pixels 0 and 255 become: [0, 1], [-1, 1], or [0, 255] where "
            "the module rescales them itself."
        )
    return _HUB_RANGE


def _keeps_to_hub(endpoint: Endpoint, folder: Path, handle: str) -> bool:
    """Tell whether the convention of TF Hub holds. A saved Keras model may want any values."""
    if "://" in handle or (folder / "tfhub_module.pb").is_file():
        return True
    return endpoint.can_train and not (folder / "keras_metadata.pb").is_file()


def _feature_shape(endpoint: Endpoint, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Run the module on a black image and return the shape of its features."""
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
            f"model.backbone.hub: {name} gives {given} for one image of {size}. A backbone gives "
            "rows of numbers (batch, n) or maps (batch, height, width, channels)."
        )
    return tuple(found[1:])


def _rescaled(image: Any, value_range: tuple[float, float] | None) -> Any:
    if value_range is None:
        return image
    low, high = value_range
    return keras.layers.Rescaling((high - low) / 255, low, name="value_range")(image)

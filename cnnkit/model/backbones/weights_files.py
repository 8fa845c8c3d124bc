"""A network without weights and a weights file enter; the network with them leaves.

Keras loads the weights of an `.h5` file in the order of the layers, whatever they belong to. So
the file is looked at first, and one of another network is named for what it is.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.backend import keras
from cnnkit.config.model_section import NO_PATHS
from cnnkit.errors import CnnkitError, UsageError, did_you_mean
from cnnkit.networks import NETWORKS, NetworkRow
from cnnkit.text import shown

Shapes = Counter  # of the arrays of weights: how many there are of each shape

# The most arrays that a classifier of keras.applications has (VGG: three dense layers).
_CLASSIFIER_ARRAYS = 6
# Of ImageNet's red, green and blue, as EfficientNet's first layers have them.
_DEVIATIONS = np.array([0.229, 0.224, 0.225], "float32")


def imagenet_weights(
    row: NetworkRow, arguments: Mapping[str, Any], image_size: tuple[int, int]
) -> Path:
    """Return the file of ImageNet weights in Keras's folder; it is downloaded if it is not there.

    Raises:
        CnnkitError: it cannot be downloaded; the text says where to put it by hand.
    """
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
    path = folder / row.weights_name(arguments, image_size)
    if not path.is_file():
        sizes = ((size, size) for size in (*row.trained_sizes, row.default_size))
        others = [folder / row.weights_name(arguments, size) for size in sizes]
        _download(row.weights_url(arguments, image_size), path, others)
    return path


def _download(url: str, path: Path, others: Iterable[Path]) -> None:
    """Fetch a file; `others` would do in its place."""
    part = f"{path.name}.{os.getpid()}.part"  # whole or not there, whatever kills us
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(sys.stderr):  # Keras shows its progress on stdout
            fetched = keras.utils.get_file(
                part,
                url,
                cache_dir=str(path.parents[1]),
                cache_subdir=path.parent.name,
                force_download=True,
            )
        os.replace(fetched, path)
    except Exception as error:  # Keras raises no narrower one where there is no network
        raise CnnkitError(
            f"model.backbone.weights: imagenet needs {url}, which could not be downloaded: "
            f"{error}\nTo put the file there by hand, fetch it elsewhere, save it as\n  {path}\n"
            "(the environment variable KERAS_HOME names another folder than ~/.keras) and run the "
            "command again; or set model.backbone.weights to the path of the file."
            + _advice(others)
        ) from error


def _advice(others: Iterable[Path]) -> str:
    other = next((file for file in others if file.is_file()), None)
    if other is None:
        return ""
    return (
        f"\nWeights that were trained with images of another size fit as well, and some are there: "
        f"model.backbone.weights: {shown(str(other))}"
    )


def existing_weights(file: str) -> Path:
    """Return the path of a weights file that the user named.

    Raises:
        UsageError: there is none, or its name is not that of a weights file.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise UsageError(
            f"model.backbone.weights: there is no file {shown(file)}."
            f"{did_you_mean(path.name, NO_PATHS)} Give imagenet, none, or the path of an .h5 file "
            "of weights."
        )
    if path.suffix not in (".h5", ".hdf5"):
        raise UsageError(
            f"model.backbone.weights: {shown(file)} is not an .h5 file of weights. For a whole "
            "model set model.backbone: {file: ...} instead of name."
        )
    return path


def load_weights(
    network: Any,
    path: Path,
    row: NetworkRow,
    arguments: Mapping[str, Any],
    untrained: Callable[..., Any],
) -> None:
    """Give a network the weights of a file.

    Args:
        network: without its classifier.
        path: an `.h5` file, of Keras 2's layout or `.weights.h5` of Keras 3.
        row: what the network is.
        arguments: of the network.
        untrained: returns the network with other arguments, for the message on a wrong file.

    Raises:
        UsageError: the file is damaged, or has the weights of something else.
    """
    name = shown(str(path))
    in_file, wanted = _shapes_in(path, name), _shapes_of(network)
    if in_file != wanted:
        reason = _what_else(in_file, wanted, row, arguments, untrained, name)
        raise UsageError(f"model.backbone.weights: {name} does not fit {row.name}: {reason}")
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        raise _damaged(name, error) from error
    if not all(np.isfinite(array).all() for array in network.get_weights()):
        raise _damaged(name, "it has numbers that are NaN or infinite")
    if row.module == "efficientnet":
        _correct_normalization(network)


def _correct_normalization(network: Any) -> None:
    """Make EfficientNet's normalisation divide by the deviation where it has ImageNet's figures.

    The published files have the deviation in the place of its square. Keras corrects that by a
    layer more, but only where it fetches the file itself; of a file given by its path it makes a
    network that sees other colours (github.com/tensorflow/tensorflow/issues/49930 and 62193).
    """
    layer = network.get_layer("normalization")
    mean, variance, count = layer.get_weights()
    if mean.any():  # else the network was trained without
        layer.set_weights([mean, variance * _DEVIATIONS, count])
    layer.finalize_state()


def _shapes_of(network: Any) -> Shapes:
    return Counter(tuple(weight.shape) for weight in network.weights)


def _shapes_in(path: Path, name: str) -> Shapes:
    import h5py

    found: Shapes = Counter()

    def look(place: str, item: Any) -> None:
        beside = place.startswith("optimizer") or "seed_generator" in place
        if isinstance(item, h5py.Dataset) and not beside:
            found[item.shape] += 1

    try:
        with h5py.File(path, "r") as file:
            (file["model_weights"] if "model_weights" in file else file).visititems(look)
    except (OSError, RuntimeError, KeyError) as error:
        raise _damaged(name, error) from error
    return found


def _damaged(name: str, reason: object) -> UsageError:
    return UsageError(
        f"model.backbone.weights: {name} cannot be read, it may be damaged or cut off: {reason}. "
        "Remove it and fetch it again."
    )


def _what_else(
    in_file: Shapes,
    wanted: Shapes,
    row: NetworkRow,
    arguments: Mapping[str, Any],
    untrained: Callable[..., Any],
    name: str,
) -> str:
    """Say what a file has that does not fit, and what to do."""
    if _has_classifier(in_file, wanted):
        return f"it has the classifier too. To make one without:\n{_without(row, arguments, name)}"
    for key, argument in row.arguments.items():
        for value in set(argument.trained) - {arguments.get(key, argument.default)}:
            others = _shapes_of(untrained(**{**arguments, key: value}))
            if in_file == others or _has_classifier(in_file, others):
                return f"it is of {key} {value}. Set model.backbone.{key} to that."
    numbers = _numbers(in_file)
    twin = next((other.name for other in NETWORKS.values() if other.parameters == numbers), None)
    if twin:
        return f"it is of {twin}. Set model.backbone.name to that, or take another file."
    return (
        f"it has {sum(in_file.values())} arrays of {numbers:,} numbers in all, the network "
        f"{sum(wanted.values())} of {_numbers(wanted):,}. Take the file of {row.name} without its "
        "classifier (notop), with the same arguments."
    )


def _has_classifier(in_file: Shapes, wanted: Shapes) -> bool:
    more = sum(in_file.values()) - sum(wanted.values())
    return not wanted - in_file and 0 < more <= _CLASSIFIER_ARRAYS


def _numbers(shapes: Shapes) -> int:
    return sum(math.prod(shape) * count for shape, count in shapes.items())


def _without(row: NetworkRow, arguments: Mapping[str, Any], name: str) -> str:
    """Return the program that writes a file without the classifier."""
    given = "".join(f", {key}={value!r}" for key, value in arguments.items())
    return (
        "  import keras\n"
        f"  whole = keras.applications.{row.name}(weights={name!r}{given})\n"
        f"  body = keras.applications.{row.name}(weights=None, include_top=False{given})\n"
        "  body.set_weights(whole.get_weights()[: len(body.weights)])\n"
        '  body.save_weights("notop.weights.h5")'
    )

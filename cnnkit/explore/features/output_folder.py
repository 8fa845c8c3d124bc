"""Layers and the folder that is wanted enter; file names and a folder that lose nothing leave."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnnkit.files import check_output


def png_name(layer: str) -> str:
    """Return a file name for a layer, whose own name may hold slashes."""
    return re.sub(r"[^\w.-]", "-", layer) + ".png"


def layer_files(layers: Sequence[str], others: Iterable[str]) -> dict[str, str]:
    """Return the file name of each layer's picture, no two alike.

    Args:
        layers: all that can be drawn, so that a layer has one file name whichever are drawn.
        others: file names that no layer may have.
    """
    used = {name.lower() for name in others}  # some systems take A.png and a.png for one file
    files = {}
    for layer in layers:
        number, name = 1, png_name(layer)
        while name.lower() in used:
            number += 1
            name = png_name(f"{layer}-{number}")
        used.add(name.lower())
        files[layer] = name
    return files


def wanted_folder(
    output: Path | None,
    default: Path,
    files: Iterable[str],
    *,
    overwrite: bool,
    inputs: Iterable[str | Path] = (),
) -> Path | None:
    """Return the folder to write to; None where it is to be a new one.

    Args:
        output: the folder that the user names; None for none.
        default: in its place.
        files: names of what will be written.
        overwrite: whether files of these names may be replaced.
        inputs: files that are read, which are never replaced.

    Raises:
        UsageError: a file is there that is not to be replaced.
    """
    if output is None and not overwrite:
        return None
    folder = output or default
    inputs = list(inputs)
    for path in (folder / name for name in files):
        check_output(path, "--output", (path.suffix,), overwrite=overwrite, inputs=inputs)
    return folder

"""Choose a folder and one file name per layer, so that no earlier file is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnnkit.files import check_output


def png_name(layer: str) -> str:
    """Return a file name for a layer; its own name may contain slashes."""
    return re.sub(r"[^\w.-]", "-", layer) + ".png"


def layer_files(layers: Sequence[str], others: Iterable[str]) -> dict[str, str]:
    """Return a different file name for each layer's picture.

    Args:
        layers: all layers that can be drawn. A layer then has the same file name, whether all
            layers are drawn or only some.
        others: file names that no layer may have.
    """
    used = {name.lower() for name in others}  # some systems take A.png and a.png for the same file
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
    """Return the folder to write to; None if a new one has to be made.

    Args:
        output: the folder that the user named; None if there is none.
        default: the folder to use instead, if files in it may be replaced.
        files: names of the files that will be written.
        overwrite: whether files with these names may be replaced.
        inputs: files that are read; they are never replaced.

    Raises:
        UsageError: one of the files exists and must not be replaced.
    """
    if output is None and not overwrite:
        return None  # a new folder cannot replace anything
    folder = output or default
    inputs = list(inputs)
    for path in (folder / name for name in files):
        check_output(path, "--output", (path.suffix,), overwrite=overwrite, inputs=inputs)
    return folder

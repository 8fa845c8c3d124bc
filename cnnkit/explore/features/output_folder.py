"""Choose a folder and one file name per layer, so that no earlier file is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.new_folders import check_writable
from cnnkit.output_guard import check_output, is_drawn
from cnnkit.text import shown

FEATURES_PAGE, FILTERS_PAGE = "features.html", "filters.html"


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
        overwrite: whether files with these names may be replaced, and whether the named folder may
            contain earlier pictures.
        inputs: files that are read; they are never replaced.

    Raises:
        UsageError: one of the files exists and must not be replaced, the named folder contains
            files that `features` and `filters` do not write, or nothing can be written there.
    """
    check_writable(output or default.parent, "Choose another --output.")
    if output is None and not overwrite:
        return None  # a new folder cannot replace anything
    folder, in_run = output or default, output is None
    inputs = list(inputs)
    for path in (folder / name for name in files):
        check_output(
            path, "--output", (path.suffix,), overwrite=overwrite, inputs=inputs, in_run=in_run
        )
    if output:
        _check_folder(output, overwrite=overwrite)
    return folder


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder with other files: among photos, our pictures would become training images."""
    if not folder.is_dir():
        return
    name = f"--output {shown(str(folder))}"
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in found:
        if not _is_ours(path):
            raise UsageError(
                f"{name}: `cnnkit features` and `cnnkit filters` did not write {shown(path.name)} "
                "in this folder. Choose a new or an empty folder."
            )
    if found and not overwrite:
        raise UsageError(f"{name} is not empty. Choose another --output, or add --overwrite.")


def _is_ours(path: Path) -> bool:
    return path.is_file() and (path.name in (FEATURES_PAGE, FILTERS_PAGE) or is_drawn(path))

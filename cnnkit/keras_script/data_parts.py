"""The values of a script that say where its images are, and how they are divided."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnkit.config import Config
from cnnkit.data.sources.builtin import builtin_folder
from cnnkit.data.sources.builtin_names import (
    DIGIT_NAMES,
    KNOWN_CLASS_NAMES,
    SHAPE_NAMES,
    is_builtin,
)
from cnnkit.data.sources.class_names import class_names
from cnnkit.data.sources.listing import find_images
from cnnkit.data.split_words import split_from_folder
from cnnkit.errors import DataError, UsageError
from cnnkit.keras_script.python_text import WIDTH, call_text, value_text
from cnnkit.keras_script.refusals import KERAS_SETS
from cnnkit.runs import Run

_MOST_LISTED = 30  # classes that are written into the script
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_KERAS_SIZES = {"mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1)}


def data_values(
    config: Config,
    run: Run | None,
    folder: Path,
    *,
    paths: Sequence[str],
    are_sounds: bool,
    note: Callable[[str], object],
) -> dict[str, Any]:
    """Return the values of the template `data.py.jinja`.

    Args:
        config: the config.
        run: the run that it belongs to, if there is one.
        folder: where the script is written.
        paths: of the images; none if they cannot be listed here.
        are_sounds: whether the images are WAV files.
        note: called with a sentence about what was assumed.

    Raises:
        UsageError: the images of a run are not files.
    """
    found = _of_run(run, config, folder) if run else _of_config(config, folder, note)
    reads_files = found["kind"] in ("classes", "splits", "run")
    sigmoid, grey = config.model.output == "sigmoid", config.data.background
    return {
        "fractions": {},
        "folders": {},
        "is_resized": True,
        **found,
        "items": "paths" if reads_files else "images",
        "things": "sounds" if are_sounds else "images",
        "are_sounds": are_sounds,
        "suffixes": 'SUFFIXES = (".wav",)' if are_sounds else _suffixes_text(paths),
        "reads_files": reads_files,
        "has_pixels": reads_files or found.get("is_resized", True),
        "source": config.data.source,
        "resize": config.data.resize,
        "opaque": value_text([config.data.background] * 3 + [255]),
        "canvas": value_text([grey] * 3 if config.data.color_mode == "rgb" else grey),
        "batch_size": config.data.batch_size,
        "target": "0 or 1" if sigmoid else "1 at the place of the class",
    }


def _suffixes_text(paths: Sequence[str]) -> str:
    """Return the line that sets SUFFIXES: the usual ones, and those of these paths."""
    found = {Path(path).suffix.lower() for path in paths}
    texts = map(value_text, [*_SUFFIXES, *sorted(found.difference(_SUFFIXES))])
    return call_text("SUFFIXES = ", list(texts), indent=0)


def listed_paths(config: Config, run: Run | None) -> list[str]:
    """Return the paths of the images of a run or a config; none of what cannot be listed here."""
    if run is not None:
        return [row["path"] for row in run.read_split()]
    if is_builtin(config.data.source):
        return []
    try:
        return [record.path for record in find_images(config.data).records]
    except DataError:
        return []


def _of_run(run: Run, config: Config, folder: Path) -> dict[str, Any]:
    images = _images_folder(config)
    first = next(iter(run.read_split()), None)
    if first is None or not (images / first["path"]).is_file():
        raise UsageError(
            f"The images of {run.folder} are not files in {images}, so a script cannot read them. "
            "Put them there as one folder per class, or write the script of the config."
        )
    return {
        "kind": "run",
        "location": f"DATA = {_path_text(images, folder)}\n"
        f"SPLIT = {_path_text(run.split, folder)}  # which image is in which split",
        "class_names": _names_text(run.class_names(), ""),
    }


def _images_folder(config: Config) -> Path:
    """Return the folder that the paths in split.csv start from."""
    if is_builtin(config.data.source):
        return builtin_folder(config.data.source, config.data.shapes)
    source = Path(config.data.source)
    return source.parent if source.is_file() else source


def _of_config(config: Config, folder: Path, note: Callable[[str], object]) -> dict[str, Any]:
    source, split = config.data.source, config.data.split
    if source == "digits":
        fractions = _fractions(split.validation, split.test)
        names = _names_text(DIGIT_NAMES, "")
        return {"kind": "digits", "location": "", "class_names": names, "fractions": fractions}
    if source in KERAS_SETS:
        return _of_keras(config)
    if is_builtin(source):
        place = builtin_folder(source, config.data.shapes)
        names = SHAPE_NAMES if source == "shapes" else KNOWN_CLASS_NAMES[source]
        names = config.data.classes or names
    else:
        place = Path(source)
        names = _listed(config, place, note)
    layout = _layout(place, split.validation, split.test)
    return {
        "class_names": _names_text(names, "" if config.data.classes else _class_folder(layout)),
        "location": f"DATA = {_path_text(place, folder)}",
        **layout,
    }


def _of_keras(config: Config) -> dict[str, Any]:
    source, channels = config.data.source, 3 if config.data.color_mode == "rgb" else 1
    names = KNOWN_CLASS_NAMES[source]
    text = _names_text(names, "") if len(names) <= _MOST_LISTED else (
        f"CLASS_NAMES = [str(number) for number in range({len(names)})]"
    )  # fmt: skip
    stored = _KERAS_SIZES.get(source, (32, 32, 3))
    return {
        "kind": "keras",
        "location": "",
        "class_names": text,
        "is_resized": (*config.data.image_size, channels) != stored,
        "fractions": _fractions(config.data.split.validation, 0),
    }


def _fractions(validation: float, test: float) -> dict[str, str]:
    """Return by split the part of what is left: the test images are taken first."""
    left = 1 - test
    wanted = {"test": test, "validation": validation / left if left else 0}
    return {name: value_text(round(part, 6)) for name, part in wanted.items() if part}


def _layout(place: Path, validation: float, test: float) -> dict[str, Any]:
    """Return whether a folder has classes, or splits with classes in them."""
    names = sorted(each.name for each in place.iterdir() if each.is_dir()) if place.is_dir() else []
    folders = {split_from_folder(name): name for name in names if split_from_folder(name)}
    if "train" not in folders or len(folders) < 2:
        return {"kind": "classes", "fractions": _fractions(validation, test)}
    ordered = {name: folders[name] for name in ("train", "validation", "test") if name in folders}
    fractions = {} if "validation" in ordered else _fractions(validation, 0)
    return {"kind": "splits", "folders": ordered, "fractions": fractions}


def _class_folder(layout: Mapping[str, Any]) -> str:
    """Return the folder that has a folder per class, as Python text."""
    if layout["kind"] == "classes":
        return "DATA"
    return f"(DATA / {value_text(layout['folders']['train'])})"


def _listed(config: Config, place: Path, note: Callable[[str], object]) -> tuple[str, ...]:
    try:
        return class_names(config.data)
    except DataError:
        note(
            f"{place} cannot be read on this computer. The script expects one folder per class in "
            "it, with pictures. If they are WAV files, write it where they are."
        )
        return tuple(config.data.classes or ())


def _names_text(names: Sequence[str], folder: str) -> str:
    """Return the line that sets CLASS_NAMES: the names, or if they are many, where to find them."""
    if folder and not 0 < len(names) <= _MOST_LISTED:
        inner = f'path.name for path in {folder}.glob("[!.]*") if path.is_dir()'
        return call_text("CLASS_NAMES = sorted", [inner], indent=0)
    texts = [value_text(name) for name in names]
    line = f"CLASS_NAMES = [{', '.join(texts)}]"
    if len(line) <= WIDTH:
        return line
    return "CLASS_NAMES = [\n" + "".join(f"    {text},\n" for text in texts) + "]"


def _path_text(path: Path, folder: Path) -> str:
    """Return a path as Python text: from the folder of the script, if that is not far."""
    relative = os.path.relpath(path, folder).replace(os.sep, "/")
    if relative.startswith("../../.."):
        return f"Path({value_text(str(path.absolute()))})"
    return f"Path(__file__).parent / {value_text(relative)}"

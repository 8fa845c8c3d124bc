"""Write a config or a run as one plain Keras script."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from cnnkit.config import Config
from cnnkit.data.sound_names import num_sounds
from cnnkit.errors import UsageError
from cnnkit.explore.summarize import config_and_classes
from cnnkit.export.spectrogram_text import spectrogram_values
from cnnkit.files import write_text
from cnnkit.keras_script.augmentation_lines import crop_limits, layer_calls
from cnnkit.keras_script.data_parts import data_values, listed_paths
from cnnkit.keras_script.model_lines import model_lines, reads_weights_file
from cnnkit.keras_script.python_text import WIDTH, python_name
from cnnkit.keras_script.refusals import refusals
from cnnkit.keras_script.training_parts import training_values
from cnnkit.runs import Run
from cnnkit.text import count_of, quoted


@dataclass(frozen=True)
class Script:
    """A script.

    Args:
        code: its text.
        path: where it was written; None if it was not.
        notes: what was assumed.
    """

    code: str
    path: Path | None
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the code if it is not in a file."""
        return self.code.rstrip("\n") if self.path is None else ""

    def as_dict(self) -> dict[str, Any]:
        """Return what `code --json` prints."""
        path = None if self.path is None else str(self.path)
        return {"code": self.code, "file": path, "notes": list(self.notes)}


def keras_script(
    source: Path,
    overrides: Sequence[str] = (),
    num_classes: int | None = None,
    *,
    folder: Path | None = None,
    note: Callable[[str], object] = str,
) -> str:
    """Return the text of the script.

    Args:
        source: a config file or the folder of a run.
        overrides: `--set` options.
        num_classes: units of the output layer, if the data is not available to count the classes.
        folder: where the script will be; paths in it start there. None for the current folder.
        note: called with a sentence about what was assumed.

    Raises:
        UsageError: the config is wrong, or says what plain Keras cannot say: each key with the
            reason.
    """
    config, classes = config_and_classes(source, overrides, num_classes, note)
    if config.search:
        note("search is left out: the script trains the config as it is written.")
    run = Run(source) if (source / "run.json").is_file() else None
    paths = listed_paths(config, run)
    if found := refusals(config, is_run=run is not None, paths=paths):
        listed = "\n".join(map(str, found))
        things = count_of(len(found), "thing")
        raise UsageError(f"{source} says {things} that plain Keras cannot say:\n{listed}")
    are_sounds = num_sounds(paths) > 0
    data = data_values(config, run, folder or Path(), paths=paths, are_sounds=are_sounds, note=note)
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("cnnkit.keras_script"), PackageLoader("cnnkit.export")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # this is Python, not HTML
    )
    values = _values(config, classes, run, source, data)
    return environment.get_template("script.py.jinja").render(values)


def _values(
    config: Config,
    classes: int,
    run: Run | None,
    source: Path,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    title = source.name if run else source.stem
    sigmoid = config.model.output == "sigmoid"
    height, width = config.data.image_size
    return {
        **data,
        **spectrogram_values(),
        **training_values(config),
        "title": title,
        "name": python_name(title),
        "command": f"cnnkit code {quoted(source)}",
        "needs": _wrapped(_needs(data)),
        "left_out": _wrapped(_left_out(config, run)),
        "imports": _imports(data),
        "seed": config.training.seed,
        "height": height,
        "width": width,
        "channels": 3 if config.data.color_mode == "rgb" else 1,
        "sigmoid": sigmoid,
        "model_lines": model_lines(config, classes),
        "changes": layer_calls(config.augmentation),
        "crop": crop_limits(config.augmentation),
        "flips": config.model.tta == "flips",
        "final_split": _final_split(config, data),
    }


def _final_split(config: Config, data: Mapping[str, Any]) -> str:
    """Return the split that is scored at the end: the test images, if there are some."""
    if data["kind"] == "splits":
        return "test" if "test" in data["folders"] else "validation"
    if data["kind"] in ("keras", "run"):
        return "test"
    return "test" if config.data.split.test else "validation"


def _needs(data: Mapping[str, Any]) -> str:
    packages = ["tensorflow"] + ["pillow"] * bool(data["has_pixels"])
    if data["fractions"] or data["kind"] == "digits":
        packages.append("scikit-learn")
    if data["are_sounds"]:
        packages.append("scipy")
    return f"It needs: pip install {' '.join(packages)}"


def _left_out(config: Config, run: Run | None) -> str:
    split = "" if run else "divide the images into splits, "
    text = f"What differs from cnnkit: other random numbers {split}order and change the images."
    if config.training.max_minutes:
        text += " training.max_minutes is left out."
    if reads_weights_file(config):
        text += " The weights of the backbone are read from a file of this computer."
    return text


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _imports(data: Mapping[str, Any]) -> list[str]:
    pillow = "from PIL import Image, ImageOps"
    if data["are_sounds"] and data["resize"] != "crop":
        pillow = "from PIL import Image"
    scipy = ["from scipy.io import wavfile"] if data["are_sounds"] else []
    sklearn = []
    if data["kind"] == "digits":
        sklearn.append("from sklearn.datasets import load_digits")
    if data["fractions"]:
        sklearn.append("from sklearn.model_selection import train_test_split")
    return [
        *(["import csv"] if data["kind"] == "run" else []),
        *(["import os", "import signal"] if data["reads_files"] else []),
        *(["import warnings"] if data["are_sounds"] else []),
        "from pathlib import Path",
        "",
        "import keras",
        "import numpy as np",
        "import tensorflow as tf",
        "from keras import layers",
        *([pillow] if data["has_pixels"] else []),
        *scipy,
        *sklearn,
    ]


def write_script(
    source: Path, output: Path | None, overrides: Sequence[str] = (), num_classes: int | None = None
) -> Script:
    """Write the script of a config or a run into a file, or only return it.

    Args:
        source: a config file or the folder of a run.
        output: the file; None for none.
        overrides: `--set` options.
        num_classes: as for `keras_script`.

    Raises:
        UsageError: as `keras_script`.
    """
    notes: list[str] = []
    folder = None if output is None else output.parent
    code = keras_script(source, overrides, num_classes, folder=folder, note=notes.append)
    if output is not None:
        write_text(output, code)
    return Script(code, output, tuple(notes))

"""What a model file needs in addition to its weights: class names, pixel settings, kind of output,
and the numbers of `cnnkit calibrate` if it was calibrated.

Every exported file contains it, so that nobody has to guess the labels or the preprocessing: a
`.tflite` as a ZIP archive after its last byte (TensorFlow Lite's own metadata is stored that way
too), an `.onnx` as metadata, and a SavedModel as files in its folder.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError, damage_as_value_error
from cnnkit.model.calibration import Calibration
from cnnkit.model.loading import naming_damage

INFO_NAME = "cnnkit.json"
LABELS_NAME = "labels.txt"


class ForeignModelError(UsageError):
    """A model file has no class names and pixel settings, so cnnkit did not write it.

    Args:
        path: of the file or the SavedModel folder.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} has no class names and pixel settings, so it is not a model that cnnkit "
            "wrote. Give a run folder, or a file that `cnnkit export` has written; or say how to "
            "read it, in the commands that have the option --labels."
        )


@dataclass(frozen=True)
class ModelInfo:
    """How to prepare an image for a model, and how to read the model's output.

    Args:
        class_names: in label order.
        pixels: how an image file becomes the model's input.
        output: `softmax` or `sigmoid`.
        calibration: which answers are given; None if the model was not calibrated.
    """

    class_names: tuple[str, ...]
    pixels: PixelSettings
    output: str
    calibration: Calibration | None = None

    def to_json(self) -> str:
        """Return the JSON document that `from_json` reads."""
        values: dict[str, Any] = {
            "class_names": self.class_names,
            "pixels": self.pixels.to_dict(),
            "output": self.output,
        }
        if self.calibration is not None:
            values["calibration"] = self.calibration.as_dict()
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Return the info that `to_json` wrote."""
        values = json.loads(text)
        return cls(
            tuple(values["class_names"]),
            PixelSettings.from_dict(values["pixels"]),
            values["output"],
            Calibration.from_dict(values["calibration"]) if "calibration" in values else None,
        )

    def labels(self) -> str:
        """Return the class names, one per line."""
        return "".join(f"{name}\n" for name in self.class_names)

    def probabilities(self, outputs: NDArray) -> NDArray:
        """Return the probabilities (num_images, num_classes) for the model's outputs.

        The one unit of `sigmoid` is the probability p of the second class: a row becomes 1 - p, p.
        """
        if self.output == "softmax":
            return outputs
        # The one sigmoid unit is the probability of the second class.
        return np.concatenate([1 - outputs, outputs], axis=1)


def append_info(path: Path, info: ModelInfo) -> None:
    """Append the info and the labels to a `.tflite` as a ZIP archive, which `unzip` can read.

    TensorFlow Lite reads a file from its beginning and ignores what follows the model; ZIP tools
    read from the end.
    """
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in ((INFO_NAME, info.to_json()), (LABELS_NAME, info.labels())):
            # A ZipInfo without a date means 1980, so equal models give equal files.
            archive.writestr(zipfile.ZipInfo(name), text)


def has_appended_info(path: Path) -> bool:
    """Tell whether a file is a ZIP archive, or ends with one, that has the info."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with damage_as_value_error(), zipfile.ZipFile(path) as archive:
            return INFO_NAME in archive.namelist()
    except ValueError:
        return False


def read_appended_info(path: Path) -> ModelInfo:
    """Return the info that `append_info` has appended to a `.tflite`.

    Raises:
        ForeignModelError: the file has none.
    """
    try:
        with damage_as_value_error(), zipfile.ZipFile(path) as archive:
            return ModelInfo.from_json(archive.read(INFO_NAME).decode())
    except ValueError as error:
        raise ForeignModelError(path) from error


def read_folder_info(folder: Path) -> ModelInfo:
    """Return the info in the cnnkit.json of a SavedModel or OpenVINO folder.

    Raises:
        ForeignModelError: there is none.
        UsageError: it is damaged.
    """
    path = folder / INFO_NAME
    if not path.is_file():
        raise ForeignModelError(folder)
    with naming_damage(path):
        return ModelInfo.from_json(path.read_text(encoding="utf-8"))

"""What a model file needs besides its weights: class names, pixel settings and the kind of output.

It travels inside every file that leaves a run, so that no label file and no preprocessing has to
be guessed: as a ZIP behind a `.tflite` (where TensorFlow Lite's own metadata keeps its files too),
as metadata of an `.onnx`, and as files in a SavedModel folder.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError

INFO_NAME = "cnnkit.json"
LABELS_NAME = "labels.txt"


@dataclass(frozen=True)
class ModelInfo:
    """Names of the classes in label order, how pixels are made, and `softmax` or `sigmoid`."""

    class_names: tuple[str, ...]
    pixels: PixelSettings
    output: str

    def to_json(self) -> str:
        """Return the one document that `from_json` reads."""
        return json.dumps(
            {
                "class_names": self.class_names,
                "pixels": self.pixels.to_dict(),
                "output": self.output,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Return the info that `to_json` wrote."""
        values = json.loads(text)
        return cls(
            tuple(values["class_names"]),
            PixelSettings.from_dict(values["pixels"]),
            values["output"],
        )

    def labels(self) -> str:
        """Return the class names, one a line."""
        return "".join(f"{name}\n" for name in self.class_names)

    def probabilities(self, outputs: NDArray) -> NDArray:
        """Return (num_images, num_classes) probabilities from what the model gives.

        One sigmoid unit gives the probability p of the second class: a row becomes 1 - p, p.
        """
        if self.output == "softmax":
            return outputs
        return np.concatenate([1 - outputs, outputs], axis=1)


def append_info(path: Path, info: ModelInfo) -> None:
    """Put the info and the labels behind the bytes of a `.tflite`; `unzip` shows them too."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in ((INFO_NAME, info.to_json()), (LABELS_NAME, info.labels())):
            archive.writestr(zipfile.ZipInfo(name), text)  # of 1980: equal models, equal files


def read_appended_info(path: Path) -> ModelInfo:
    """Return the info behind a `.tflite`.

    Raises:
        UsageError: the file carries none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return ModelInfo.from_json(archive.read(INFO_NAME).decode())
    except (zipfile.BadZipFile, KeyError) as error:
        raise UsageError(
            f"{path} carries no class names and pixel settings, so it is not a model that cnnkit "
            "wrote. Give a run folder, or a file that `cnnkit export` made."
        ) from error

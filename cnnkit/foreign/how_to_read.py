"""What a user says about a model that cnnkit did not write, and what its file cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

H5 = (".h5", ".hdf5")
FORMATS = (".tflite", ".onnx", ".keras", *H5)


@dataclass(frozen=True)
class HowToRead:
    """The class names, the preparation of images and the kind of outputs of a foreign model.

    Args:
        labels: a text file with one class name per line, in the order of the model's outputs; or
            `imagenet` for the 1,000 classes of ImageNet.
        scaling: how pixels become the model's input, a key of `pixel_values.SCALINGS`; None for
            what the file says.
        resize: `stretch`, `crop` or `pad`; None for `stretch`.
        image_size: (height, width) in pixels, if the model takes images of any size.
        logits: whether the model gives logits, to which softmax is applied (sigmoid if there is
            only one).
    """

    labels: str | Path | None = None
    scaling: str | None = None
    resize: str | None = None
    image_size: tuple[int, int] | None = None
    logits: bool = False

    def options(self) -> dict[str, Any]:
        """Return the options of the command line that say this, with their values."""
        given = {
            "--labels": self.labels and str(self.labels),
            "--scaling": self.scaling,
            "--resize": self.resize,
            "--image-size": self.image_size,
            "--logits": self.logits,
        }
        return {option: value for option, value in given.items() if value}

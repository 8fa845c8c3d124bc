"""Load a model that cnnkit did not write, as a function from pixels to probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.foreign.label_files import label_lines, read_labels
from cnnkit.foreign.loaded_network import Network, Run
from cnnkit.foreign.pixel_values import SCALING_TEXTS, input_maker
from cnnkit.model.calibrated_layers import PROBABILITIES
from cnnkit.model.loading import naming_damage
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import Predictor, is_saved_model
from cnnkit.text import count_of

Note = Callable[[str], Any]
_SLACK = 1e-3  # by so much probabilities may differ from a sum of 1


@dataclass(frozen=True, eq=False)
class ForeignModel:
    """A model that cnnkit did not write, with all that is needed to use it.

    Args:
        path: of its file or SavedModel folder.
        network: the model.
        info: class names, pixel settings, kind of output.
        scaling: a key of `SCALINGS`.
        logits: whether its outputs are logits.
    """

    path: Path
    network: Network
    info: ModelInfo
    scaling: str
    logits: bool

    def _input_maker(self) -> Callable[[NDArray], NDArray]:
        image = self.network.image
        return input_maker(
            self.scaling,
            image.dtype,
            image.quantization,
            channels=image.channels,
            channels_first=image.channels_first,
        )

    def count_units(self) -> int:
        """Return how many numbers the model gives for an image, by giving it a black one.

        Raises:
            UsageError: it cannot answer an image of this size.
        """
        black = np.zeros((1, *self.info.pixels.shape), np.uint8)
        with naming_damage(self.path):
            return self.network.run(self._input_maker()(black)).shape[1]

    def predictor(self) -> Predictor:
        """Return it as a function from pixels to probabilities."""
        network, made = self.network, self._input_maker()

        def outputs(run: Run, pixels: NDArray) -> dict[str, NDArray]:
            return {PROBABILITIES: self._probabilities(run(made(pixels)))}

        beside = network.run_side_by_side
        return Predictor(
            self.path,
            self.info,
            partial(outputs, network.run),
            beside and partial(outputs, beside),
            None if network.keras is None else self._with_pixels,
            made,
        )

    def _with_pixels(self) -> Any:
        """Return the Keras model with the scaling of pixels in front."""
        from cnnkit.foreign.keras_network import with_pixels

        return with_pixels(self.network, self.info.pixels, self.scaling)

    def sentence(self) -> str:
        """Return how the model is read, for people."""
        height, width = self.info.pixels.image_size
        colours = "grey" if self.network.image.channels == 1 else "RGB"
        kind = "logits" if self.logits else "probabilities"
        return (
            f"{self.path}: {height} x {width} {colours} images, resize {self.info.pixels.resize}, "
            f"scaling {self.scaling}, {count_of(len(self.info.class_names), 'class', 'classes')}, "
            f"{kind}."
        )

    def _probabilities(self, found: NDArray) -> NDArray:
        """Return outputs (num_images, units) as probabilities.

        Raises:
            UsageError: there are not as many as classes, or they are not probabilities.
        """
        _check_number(self.path, found.shape[1], self.info.class_names)
        if not np.isfinite(found).all():
            raise UsageError(
                f"{self.path} gives NaN or infinite numbers, so it cannot be used. Perhaps it was "
                "not converted correctly, or --scaling is wrong."
            )
        if self.logits:
            return _softmax(found)
        sums = found.sum(axis=1) if found.shape[1] > 1 else np.ones(len(found))
        # The outputs of a quantised model are rounded, each by half a step at most.
        slack = _SLACK + self.network.step * found.shape[1] / 2
        if found.min() < -_SLACK or found.max() > 1 + _SLACK or np.abs(sums - 1).max() > slack:
            raise UsageError(
                f"{self.path} does not give probabilities: its outputs are between "
                f"{found.min():.3g} and {found.max():.3g}, and add up to {sums[0]:.3g}. If they "
                "are logits, add --logits. If several classes can be true at the same time, "
                "cnnkit cannot use the model."
            )
        if self.network.step and found.shape[1] > 1:
            return found / np.maximum(found.sum(axis=1, keepdims=True), self.network.step)
        return found


def load_foreign(path: Path, how: HowToRead, note: Note) -> ForeignModel:
    """Load a model that cnnkit did not write.

    Args:
        path: a file of FORMATS, or a SavedModel folder.
        how: what the user says about it.
        note: called with one sentence that says how the model is read.

    Raises:
        UsageError: something about it is not known, or it is not a classifier of images.
    """
    labels = None if how.labels is None else read_labels(how.labels)  # before the model is loaded
    network = _network(path)
    names = labels or _own_labels(path)
    scaling = how.scaling or network.scaling
    size = network.image.image_size or how.image_size
    _check_known(path, names, scaling, size)
    if network.image.image_size and how.image_size not in (None, network.image.image_size):
        height, width = network.image.image_size
        raise UsageError(
            f"{path} takes images of {height} x {width} pixels. Leave --image-size out."
        )
    pixels = PixelSettings(
        size, "grayscale" if network.image.channels == 1 else "rgb", how.resize or "stretch"
    )
    found = ForeignModel(
        path, network, ModelInfo(names, pixels, "softmax"), scaling, logits=how.logits
    )
    units = found.count_units()
    _check_number(path, units, names)
    if units == 1:
        found = replace(found, info=replace(found.info, output="sigmoid"))
    note(found.sentence())
    return found


def _network(path: Path) -> Network:
    kind = path.suffix.lower()
    if kind == ".tflite":
        from cnnkit.foreign.tflite_network import tflite_network

        return tflite_network(path)
    if kind == ".onnx":
        from cnnkit.foreign.onnx_network import onnx_network

        return onnx_network(path)
    from cnnkit.foreign import keras_network

    if is_saved_model(path):
        return keras_network.saved_model_network(path)
    return keras_network.keras_network(path)


def _own_labels(path: Path) -> tuple[str, ...]:
    """Return the labels that a `.tflite` has in its metadata; empty if there are none."""
    if path.suffix.lower() != ".tflite":
        return ()
    from cnnkit.foreign.tflite_network import packed_labels

    return tuple(label_lines(packed_labels(path) or ""))


def _check_known(
    path: Path, names: tuple[str, ...], scaling: str | None, size: tuple[int, int] | None
) -> None:
    """Refuse a model about which something is not known; the message has all of it."""
    lacks = []
    if not names:
        lacks.append(
            "  --labels FILE   the class names, one per line, in the order of the model's "
            "outputs; or --labels imagenet"
        )
    if scaling is None:
        choices = [f"      {name:<7}{text}" for name, text in SCALING_TEXTS.items()]
        lacks.append(
            "  --scaling NAME  how pixels of 0 to 255 were scaled when the model was trained:\n"
            + "\n".join(choices)
        )
    if size is None:
        lacks.append("  --image-size N  the height and width of its images, in pixels")
    if lacks:
        raise UsageError(
            f"cnnkit did not write {path}, and the file does not say all that is needed. Give:\n"
            + "\n".join(lacks)
        )


def _check_number(path: Path, units: int, names: tuple[str, ...]) -> None:
    if units == len(names) or (units == 1 and len(names) == 2):
        return
    advice = "Give the labels of this model."
    if len(names) == units + 1 and names[0].lower() in ("background", "dummy"):
        advice = f"Remove the first line, {names[0]}: this model has no such class."
    elif units == len(names) + 1:
        advice += " Perhaps a first line such as background is missing."
    elif units == 1:
        advice = "One output means two classes: the output is the probability of the second one."
    raise UsageError(
        f"{path} has {count_of(units, 'output')}, and its labels are "
        f"{count_of(len(names), 'name')}. {advice}"
    )


def _softmax(logits: NDArray) -> NDArray:
    """Return probabilities; of a single logit, its sigmoid."""
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)

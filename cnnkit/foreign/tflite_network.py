"""Open a `.tflite` file that cnnkit did not write; TensorFlow is not needed."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import UsageError, damage_as_value_error
from cnnkit.foreign.loaded_network import (
    ImageInput,
    Network,
    Run,
    image_input,
    rows,
    the_one,
    units_of,
)
from cnnkit.foreign.pixel_values import Quantization, scaling_of
from cnnkit.litert import copies_for_threads, load_interpreter, most_copies
from cnnkit.usable_cores import usable_cores


def tflite_network(path: Path) -> Network:
    """Return the model of a `.tflite` file.

    Raises:
        UsageError: the file is damaged, or the model is not a classifier of images.
    """
    # One image is answered by one call, so all cores may work on it.
    interpreter = load_interpreter(path, usable_cores())
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    image = the_one(path, "input", inputs, [each["name"] for each in inputs])
    output = the_one(path, "output", outputs, [each["name"] for each in outputs])
    steps = _quantization(output)
    shape = [None if size < 0 else int(size) for size in _signature(image)]
    read = image_input(path, shape, np.dtype(image["dtype"]).name, _quantization(image))
    if read.image_size is None:
        raise UsageError(
            f"{path} takes images of any size. Convert the model again for images of one size."
        )
    return Network(
        read,
        units_of(path, [int(size) for size in output["shape"]]),
        _run(interpreter, image, output),
        copies_for_threads(lambda: _run_of(path), most=most_copies(path)),
        scaling=_scaling(read),
        step=steps.scale if steps else 0.0,
    )


def _scaling(image: ImageInput) -> str | None:
    if image.quantization is not None:
        return scaling_of(image.quantization, image.dtype)
    return "0-255" if image.dtype == np.uint8 else None


def packed_labels(path: Path) -> str | None:
    """Return the text of the labels that TensorFlow Lite's metadata keep in the file.

    They are a ZIP archive after the model. None if there is none, or not exactly one text in it.
    """
    try:
        with damage_as_value_error(), zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".txt")]
            return archive.read(names[0]).decode() if len(names) == 1 else None
    except ValueError:
        return None


def _signature(details: Mapping[str, Any]) -> NDArray:
    # The shape with open sizes as -1; older files have none.
    signature = details.get("shape_signature")
    return details["shape"] if signature is None or not len(signature) else signature


def _quantization(details: Mapping[str, Any]) -> Quantization | None:
    if not np.issubdtype(details["dtype"], np.integer):
        return None
    scale, zero_point = details["quantization"]
    return Quantization(float(scale), int(zero_point)) if scale else None


def _run_of(path: Path) -> Run:
    interpreter = load_interpreter(path, 1)
    return _run(interpreter, interpreter.get_input_details()[0], _first_output(interpreter))


def _first_output(interpreter: Any) -> Mapping[str, Any]:
    return interpreter.get_output_details()[0]


def _run(interpreter: Any, image: Mapping[str, Any], output: Mapping[str, Any]) -> Run:
    steps = _quantization(output)

    def run(inputs: NDArray) -> NDArray:
        found = []
        for one in inputs:
            interpreter.set_tensor(image["index"], one[None])
            interpreter.invoke()
            found.append(interpreter.get_tensor(output["index"])[0])
        values = rows(np.array(found))
        return values if steps is None else steps.real(values)

    return run

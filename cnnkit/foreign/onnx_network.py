"""Open an `.onnx` file that cnnkit did not write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.errors import UsageError
from cnnkit.foreign.loaded_network import Network, image_input, rows, the_one, units_of
from cnnkit.model.loading import naming_damage
from cnnkit.runtimes import onnx_session

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
}


def onnx_network(path: Path) -> Network:
    """Return the model of an `.onnx` file.

    Raises:
        UsageError: the file is damaged, onnxruntime is missing, or the model is not a classifier.
    """
    session = onnx_session(path)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    image = the_one(path, "input", inputs, [each.name for each in inputs])
    output = the_one(path, "output", outputs, [each.name for each in outputs])
    dtype = _DTYPES.get(image.type, image.type)
    read = image_input(path, [_size(size) for size in image.shape], dtype)
    one_at_a_time = isinstance(image.shape[0], int)
    # onnxruntime has no public names for its exceptions.
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    def answer(pixels: NDArray) -> NDArray:
        # Such as an image size that the inner layers do not fit.
        with naming_damage(path, errors.InvalidArgument, errors.Fail, errors.RuntimeException):
            return session.run(None, {image.name: pixels})[0]

    def run(pixels: NDArray) -> NDArray:
        if one_at_a_time:
            return rows(np.concatenate([answer(one[None]) for one in pixels])).astype(np.float32)
        return rows(answer(pixels)).astype(np.float32)

    units = units_of(path, [_size(size) for size in output.shape] if output.shape else None)
    if output.type not in ("tensor(float)", "tensor(float16)", "tensor(double)"):
        raise UsageError(
            f"{path} gives {output.type}. A classifier of images gives floating-point numbers, one "
            "per class."
        )
    scaling = "0-255" if dtype == "uint8" else None
    return Network(read, units, run, scaling=scaling)


def _size(size: object) -> int | None:
    """Return a size of a shape; ONNX names an open one, such as `batch`."""
    return size if isinstance(size, int) and size > 0 else None

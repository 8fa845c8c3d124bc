"""Run a `.tflite` file on LiteRT, which needs no TensorFlow."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnnkit.memory import computer_memory
from cnnkit.model.calibrated_layers import PROBABILITIES, Outputs
from cnnkit.model.loading import naming_damage
from cnnkit.quiet import quiet_stderr
from cnnkit.utf8_paths import utf8_alias

Answer = TypeVar("Answer", bound=Callable[[NDArray], Any])


def litert_outputs(path: Path, num_threads: int | None) -> Outputs:
    """Load a `.tflite` file.

    Args:
        path: the file.
        num_threads: how many cores work on an image; None for one.

    Returns:
        A function from pixels to the outputs, for one thread at a time.

    Raises:
        UsageError: the file is damaged.
    """
    interpreter = load_interpreter(path, num_threads)
    image = interpreter.get_input_details()[0]["index"]
    places = _output_places(interpreter)

    def outputs(pixels: NDArray) -> dict[str, NDArray]:
        rows: dict[str, list[NDArray]] = {name: [] for name in places}
        for one in pixels:  # the file takes one image at a time, see `write_tflite`
            interpreter.set_tensor(image, one[None])
            interpreter.invoke()
            for name, place in places.items():
                rows[name].append(interpreter.get_tensor(place)[0])
        return {name: np.array(found) for name, found in rows.items()}

    return outputs


def load_interpreter(path: Path, num_threads: int | None) -> Any:
    """Return LiteRT's interpreter of a `.tflite` file, ready for one thread at a time.

    Args:
        path: the file.
        num_threads: how many cores work on an image; None for one.

    Raises:
        UsageError: the file is damaged.
    """
    with naming_damage(path), quiet_stderr(), utf8_alias(path) as alias:
        interpreter = _interpreter_class()(model_path=str(alias), num_threads=num_threads)
        interpreter.allocate_tensors()
    return interpreter


def interpreter_of(content: bytes, num_threads: int | None) -> Any:
    """Return LiteRT's interpreter of the content of a `.tflite`, which is known to be right."""
    with quiet_stderr():
        interpreter = _interpreter_class()(model_content=content, num_threads=num_threads)
        interpreter.allocate_tensors()
    return interpreter


def _output_places(interpreter: Any) -> dict[str, int]:
    """Return the index of the tensor of each output, by the name of the output."""
    details = interpreter.get_output_details()
    if len(details) == 1:
        return {PROBABILITIES: details[0]["index"]}
    # Only the signature has the names, and only its runner tells which tensor has which name.
    runner = interpreter.get_signature_runner()
    return {name: each["index"] for name, each in runner.get_output_details().items()}


def _interpreter_class() -> type:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:  # a platform for which LiteRT has no wheel
        from cnnkit.backend import tf

        Interpreter = tf.lite.Interpreter
    return Interpreter


def copies_for_threads(load: Callable[[], Answer], most: int) -> Answer:
    """Return a function for several threads; each call uses a copy of the model that is free.

    Args:
        load: loads a copy, which is for one thread at a time.
        most: how many copies there may be.
    """
    free: list[Answer] = []
    places = threading.Semaphore(most)
    loading = threading.Lock()  # while a model is loaded, stderr is set aside for all threads

    def outputs(pixels: NDArray) -> Any:
        with places:
            try:
                copy = free.pop()
            except IndexError:
                with loading:
                    copy = load()
            found = copy(pixels)
            free.append(copy)
        return found

    return outputs


def most_copies(path: Path) -> int:
    """Return how many copies of a model take about half of the memory, at least 1."""
    memory = computer_memory()
    # LiteRT arranges the weights once more for each copy; as much again is for the layers' outputs.
    needed = 2 * path.stat().st_size
    return max(1, memory // 2 // needed) if memory else os.cpu_count() or 1

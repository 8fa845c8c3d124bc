"""Choose what TensorFlow computes on: the CPU, one GPU, or all."""

from __future__ import annotations

import re

from cnnkit.backend import tf
from cnnkit.errors import UsageError
from cnnkit.text import count_of


def use_device(name: str) -> None:
    """Let TensorFlow see only the chosen device; `auto` and `all` hide none.

    Args:
        name: auto, cpu, all, or gpu:N.

    Raises:
        UsageError: there is no such device, or TensorFlow has computed something already.
    """
    if name in ("auto", "all"):
        return
    if name != "cpu" and not re.fullmatch(r"gpu:\d+", name):
        raise UsageError(f"{name!r} is no device. Write auto, cpu, or a GPU such as gpu:0.")
    gpus = tf.config.list_physical_devices("GPU")
    chosen = []
    if name.startswith("gpu:"):
        number = int(name.removeprefix("gpu:"))
        if number >= len(gpus):
            raise UsageError(
                f"{name} was asked for, but TensorFlow sees {count_of(len(gpus), 'GPU')} here"
                f"{' (they count from gpu:0)' if gpus else ''}. `cnnkit doctor` says why; auto and "
                "cpu work everywhere."
            )
        chosen = [gpus[number]]
    if tf.config.get_visible_devices("GPU") == chosen:
        return
    try:
        tf.config.set_visible_devices(chosen, "GPU")
    except RuntimeError as error:
        raise UsageError(
            f"TensorFlow has computed on other devices already, so {name} cannot be chosen any "
            "more. Choose it before anything is computed, or in a new process."
        ) from error

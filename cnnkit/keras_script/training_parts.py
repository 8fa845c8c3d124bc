"""The functions of a script that say what learns, and for how long, in each phase."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cnnkit.config import Config
from cnnkit.keras_script.python_text import call_text, value_text
from cnnkit.keras_script.rate_lines import compile_lines, rate_lines, step_as_piecewise
from cnnkit.training.phases import Phase, phases_of

_MONITORS = {"train_loss": "loss", "train_accuracy": "accuracy"}  # as Keras calls them


def training_values(config: Config) -> dict[str, Any]:
    """Return the values of the template `training.py.jinja`."""
    phases = phases_of(config)
    monitor = config.training.monitor
    best = monitor != "epoch"
    known = _MONITORS.get(monitor, monitor)
    parts = [
        _phase_part(config, step_as_piecewise(phase), number, len(phases), known)
        for number, phase in enumerate(phases, 1)
    ]
    return {
        "phases": parts,
        "is_warm": any(phase.warmup_epochs for phase in phases),
        "best": best,
        "monitor": known,
        "class_weight_lines": _class_weight_lines(config),
    }


def _phase_part(
    config: Config, phase: Phase, number: int, total: int, monitor: str
) -> dict[str, Any]:
    suffix = f"_{number}" if total > 1 else ""
    epochs_name = f"EPOCHS{suffix}"
    rates = rate_lines(phase, epochs_name)
    return {
        "epochs": phase.epochs,
        "epochs_name": epochs_name,
        "function": f"prepare{suffix}",
        "what": "what learns, the loss and the optimizer",
        "comment": f"    # Phase {number}: {phase.label}" if total > 1 else "",
        "lines": [
            *_trainable_lines(config, phase),
            *rates,
            *compile_lines(config, phase, bool(rates)),
        ],
        "fit": _fit(config, phase, epochs_name, monitor),
    }


def _trainable_lines(config: Config, phase: Phase) -> list[str]:
    """Return the lines that say which layers of the backbone learn."""
    if config.model.backbone is None:
        return []
    get = '    backbone = model.get_layer("backbone")'
    if not phase.backbone_learns:
        return [get, "    backbone.trainable = False  # only the layers after it learn"]
    found, first = _first_that_learns(phase)
    keeps_norm = phase.batch_norm == "inference"
    note = "    # The layers from there on learn."
    if keeps_norm:
        note = "    # The layers from there on learn; batch normalisation keeps its averages."
    norm = ["        is_norm = isinstance(layer, layers.BatchNormalization)"] * keeps_norm
    learns = "position >= first" + " and not is_norm" * keeps_norm
    return [
        get,
        "    backbone.trainable = True",
        f"    found = {found}",
        f"    first = {first}",
        note,
        "    for position, layer in enumerate(found):",
        *norm,
        f"        layer.trainable = {learns}",
    ]


def _first_that_learns(phase: Phase) -> tuple[str, str]:
    """Return the layers that count, and the position of the first that learns, as Python texts."""
    if phase.train == "all" or not isinstance(phase.train, Mapping):
        return "backbone.layers", "0"
    kind, value = next(iter(phase.train.items()))
    if kind == "last_layers":
        return "[layer for layer in backbone.layers if layer.weights]", f"len(found) - {value}"
    return "backbone.layers", f"[layer.name for layer in found].index({value_text(value)})"


def _fit(config: Config, phase: Phase, epochs_name: str, monitor: str) -> str:
    # Of the monitor `epoch`, every epoch is better than the one before: nothing ever waits for it.
    is_measured = config.training.monitor != "epoch"
    callbacks = ["best"] if is_measured else []
    if is_measured and phase.patience < math.inf:
        stop = f'keras.callbacks.EarlyStopping("{monitor}", patience={phase.patience})'
        callbacks.append(stop)
    if is_measured and phase.schedule.name == "plateau":
        given = phase.schedule.arguments
        inner = [
            f'"{monitor}"',
            f"factor={value_text(given['factor'])}",
            f"patience={given['patience']}",
            f"min_lr={value_text(given['min_learning_rate'])}",
            "min_delta=0",
        ]
        callbacks.append(call_text("keras.callbacks.ReduceLROnPlateau", inner, indent=3).strip())
    weights = ["class_weight=class_weight"] if config.training.class_weights is not None else []
    inner = [
        "training",
        "validation_data=validation",
        f"epochs={epochs_name}",
        *weights,
        f"callbacks={_list(callbacks)}",
    ]
    return call_text("model.fit", inner)


def _list(callbacks: list[str]) -> str:
    line = f"[{', '.join(callbacks)}]"
    if len(line) <= 60 and "\n" not in line:
        return line
    inner = "".join(f"            {each},\n" for each in callbacks)
    return f"[\n{inner}        ]"


def _class_weight_lines(config: Config) -> list[str]:
    wanted = config.training.class_weights
    if wanted is None:
        return []
    if isinstance(wanted, Mapping):
        inner = ", ".join(f"{value_text(name)}: {value_text(w)}" for name, w in wanted.items())
        return [
            f"    by_name = {{{inner}}}",
            "    weights = [by_name.get(name, 1.0) for name in CLASS_NAMES]",
            "    class_weight = dict(enumerate(weights))",
        ]
    lines = ['    counts = np.bincount(data["train"][1], minlength=NUM_CLASSES).clip(1)']
    if wanted == "auto":
        lines.append("    weights = 1 / counts  # an image of a small class counts more")
    else:
        lines.append("    weights = (1 - 0.999) / (1 - 0.999**counts)")
    return [
        *lines,
        "    # The mean over all images is 1, so that the loss keeps its size.",
        "    weights = weights * counts.sum() / (weights * counts).sum()",
        "    class_weight = dict(enumerate(weights))",
    ]

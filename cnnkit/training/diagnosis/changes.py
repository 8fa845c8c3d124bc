"""Lines of a config that verdicts suggest to change: keys and values that the schema accepts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from cnnkit.config import Call, Config
from cnnkit.config.calls import signature_of
from cnnkit.config.own_calls import MIXING
from cnnkit.training.diagnosis.phase_curves import PhaseCurves
from cnnkit.training.diagnosis.verdict import Change
from cnnkit.training.phases import section_of_phase

_MORE_FEATURES = 4  # times as many filters or units in the narrowest layer
_MOST_DROPOUT = 0.5  # the largest rate that is suggested
_CHANGED_IMAGES = [
    {"random_rotation": 0.05},
    {"random_translation": {"height_factor": 0.1, "width_factor": 0.1}},
]
_OTHER_LIGHT = [{"random_brightness": 0.2}, {"random_contrast": {"factor": [0.3, 0.3]}}]


def usual_rate(optimizer: Call) -> float:
    """Return the default learning rate of an optimizer, from which its users rarely go far."""
    return float(signature_of("optimizers", optimizer.name)["learning_rate"].default)


def rate_change(config: Config, number: int, factor: float) -> Change:
    """Return the change that multiplies the learning rate of a phase, which has a number from 1."""
    key, optimizer = _optimizer_key(config, number)
    rate = optimizer.arguments["learning_rate"]
    return Change(f"{key}.learning_rate", f"{rate * factor:.3g}", f"{rate:g}")


def rate_to(config: Config, curves: PhaseCurves, target: float) -> Change:
    """Return the change that brings the learning rate of a phase to a target."""
    # The rate of fine-tuning is a tenth of the one in the config.
    factor = target / curves.phase.optimizer.arguments["learning_rate"]
    return rate_change(config, curves.number, factor)


def clipping(config: Config, number: int) -> Iterator[Change]:
    """Yield the change that limits the gradients of a phase, unless they are limited already."""
    key, optimizer = _optimizer_key(config, number)
    names = ("clipnorm", "clipvalue", "global_clipnorm")
    if "clipnorm" in signature_of("optimizers", optimizer.name) and not any(
        optimizer.arguments.get(name) for name in names
    ):
        yield Change(f"{key}.clipnorm", "1.0")


def _optimizer_key(config: Config, number: int) -> tuple[str, Call]:
    index = section_of_phase(config, number)
    own = None if index is None else config.training.phases[index].optimizer
    optimizer = own or config.training.optimizer
    where = "training" if own is None else f"training.phases[{index}]"
    return f"{where}.optimizer.{optimizer.name}", optimizer


def more_epochs(config: Config, curves: PhaseCurves, factor: int = 2) -> Change:
    """Return the change that lets a phase learn for longer."""
    index = section_of_phase(config, curves.number)
    own = None if index is None else config.training.phases[index].epochs
    now = own or config.training.epochs
    where = "training" if own is None else f"training.phases[{index}]"
    return Change(f"{where}.epochs", str(now * factor), str(now))


def more_minutes(config: Config) -> Change:
    """Return the change that gives a training twice the time."""
    now = config.training.max_minutes or 1
    return Change("training.max_minutes", f"{2 * now:g}", f"{now:g}")


def schedule_change(config: Config, curves: PhaseCurves, schedule: str) -> Change:
    """Return the change of the learning-rate schedule of a phase."""
    index = section_of_phase(config, curves.number)
    own = None if index is None else config.training.phases[index].schedule
    now = own or config.training.schedule
    where = "training" if own is None else f"training.phases[{index}]"
    return Change(f"{where}.schedule", schedule, now.name)


def against_overfitting(config: Config) -> Iterator[Change]:
    """Yield changes after which a network learns its training images less by heart."""
    if not config.augmentation:
        yield Change("augmentation", _yaml(_CHANGED_IMAGES), "none")
    yield from _more_dropout(config)
    training = config.training
    if not training.label_smoothing:
        yield Change("training.label_smoothing", "0.1", "0")
    if training.early_stopping is None:
        yield Change("training.early_stopping.patience", "5", "none")


def _more_dropout(config: Config) -> Iterator[Change]:
    for key, call in _dropouts(config):
        if call.arguments["rate"] < _MOST_DROPOUT:
            yield Change(key, _yaml({call.name: _MOST_DROPOUT}), f"{call.arguments['rate']:g}")
            return


def less_dropout(config: Config, above: float = 0.0) -> Iterator[Change]:
    """Yield the change of each dropout whose rate is above a limit."""
    for key, call in _dropouts(config):
        rate = call.arguments["rate"]
        if rate > above:
            yield Change(
                key, _yaml({call.name: round(min(_MOST_DROPOUT, rate / 2), 3)}), f"{rate:g}"
            )


def _dropouts(config: Config) -> Iterator[tuple[str, Call]]:
    """Yield the key and the call of each dropout that is not inside a block."""
    for key, call in _top_layers(config):
        if _is_dropout(call):
            yield key, call


def random_layers(config: Config) -> list[str]:
    """Return the layers that only training images go through, in words; in blocks, too."""
    if config.model.backbone is not None and config.model.head is None:
        return ["dropout (0.2)"]  # of the default head
    calls = list(_with_inner(call for _, call in _top_layers(config)))
    rates = [call.arguments["rate"] for call in calls if _is_dropout(call)]
    noise = [call.name for call in calls if "noise" in call.name.lower()]
    return [*([f"dropout ({max(rates):g})"] if rates else []), *noise]


def has_weight_penalty(config: Config) -> bool:
    """Tell whether some layer adds a penalty on its weights to the training loss."""
    calls = _with_inner(call for _, call in _top_layers(config))
    return any(
        name.endswith("_regularizer") and value is not None
        for call in calls
        for name, value in call.arguments.items()
    )


def _is_dropout(call: Call) -> bool:
    return "dropout" in call.name.lower() and "rate" in call.arguments


def _with_inner(calls: Iterable[Any]) -> Iterator[Call]:
    """Yield calls and all calls in their arguments, such as the layers of a residual block."""
    for call in calls:
        if isinstance(call, Call):
            yield call
            yield from _with_inner(call.arguments.values())
        elif isinstance(call, list | tuple):
            yield from _with_inner(call)


def no_augmentation(config: Config) -> Iterator[Change]:
    """Yield the change that shows the training images as they are."""
    if config.augmentation:
        yield Change("augmentation", "[]", ", ".join(call.name for call in config.augmentation))


def other_light(config: Config) -> Change:
    """Return the change that adds other light to the training images."""
    calls = config.augmentation
    single = [call.to_yaml() for call in calls if call.name not in MIXING]
    mixing = [call.to_yaml() for call in calls if call.name in MIXING]  # must stay at the end
    now = ", ".join(call.name for call in calls) or "none"
    return Change("augmentation", _yaml([*single, *_OTHER_LIGHT, *mixing]), now)


def larger_network(config: Config) -> Iterator[Change]:
    """Yield the change that widens the narrowest layer, or lets a frozen backbone learn."""
    training = config.training
    if config.model.backbone is not None:
        if not training.fine_tune and not training.phases:
            yield Change("training.fine_tune", "true", "false")
        return
    widths = [
        (call.arguments[name], f"{key}.{call.name}.{name}")
        for key, call in _top_layers(config)
        for name in ("filters", "units")
        if isinstance(call.arguments.get(name), int)
    ]
    if widths:
        width, key = min(widths)
        yield Change(key, str(width * _MORE_FEATURES), str(width))


def _top_layers(config: Config) -> Iterator[tuple[str, Call]]:
    part = "layers" if config.model.backbone is None else "head"
    for index, call in enumerate(getattr(config.model, part) or ()):
        yield f"model.{part}[{index}]", call


def _yaml(value: Any) -> str:
    # JSON is YAML on one line; without quotes it can be pasted into a shell more easily.
    return json.dumps(value).replace('"', "")

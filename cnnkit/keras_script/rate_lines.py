"""The lines of a script for the learning rate, the optimizer and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnkit.config import Call, Config
from cnnkit.keras_script.python_text import arguments_of, call_text, value_text
from cnnkit.training.phases import Phase

_SCHEDULES = "keras.optimizers.schedules."


def rate_lines(phase: Phase, epochs: str) -> list[str]:
    """Return the lines that set `learning_rate`; none if it is one number.

    Args:
        phase: whose schedule and warm-up are used.
        epochs: the name of the number of epochs in the script.
    """
    base, warm = _base(phase), bool(phase.warmup_epochs)
    lines = []
    steps = f"{epochs} * steps"
    if warm:
        lines.append(f"    warmup_steps = round({value_text(phase.warmup_epochs)} * steps)")
        steps = f"max(1, {steps} - warmup_steps)"
    name, arguments = _schedule(phase.schedule, base, steps)
    if name is None:
        constant = arguments[0]
        return [*lines, f"    learning_rate = Warmup({constant}, warmup_steps)"] if warm else []
    call = call_text(f"learning_rate = {_SCHEDULES}{name}", arguments)
    return [*lines, call] + (
        ["    learning_rate = Warmup(learning_rate, warmup_steps)"] if warm else []
    )


def _base(phase: Phase) -> Any:
    return phase.optimizer.arguments["learning_rate"]


def _schedule(call: Call, base: float, steps: str) -> tuple[str | None, list[str]]:
    """Return Keras's schedule and its arguments; None for a constant rate, and for plateau."""
    given, rate = call.arguments, value_text(base)
    final = given.get("final_fraction", 0.0)
    ends = [f"alpha={value_text(final)}"] if final else []
    match call.name:
        case "cosine":
            return "CosineDecay", [rate, f"decay_steps={steps}", *ends]
        case "cosine_restarts":
            first = [rate, f"first_decay_steps={given['first_epochs']} * steps"]
            factors = [f"{key}={value_text(given[key])}" for key in ("t_mul", "m_mul")]
            return "CosineDecayRestarts", [*first, *factors, *ends]
        case "polynomial":
            end = value_text(base * final)
            more = [f"end_learning_rate={end}", f"power={value_text(given['power'])}"]
            return "PolynomialDecay", [rate, f"decay_steps={steps}", *more]
        case "exponential" | "inverse_time":
            name = "ExponentialDecay" if call.name == "exponential" else "InverseTimeDecay"
            every = f"decay_steps={given['every_epochs']} * steps"
            return name, [rate, every, f"decay_rate={value_text(given['decay_rate'])}"]
        case "piecewise_constant":
            return _piecewise(given["boundaries"], [1.0, *given["factors"]], base)
    return None, [rate]


def _piecewise(
    epochs: Sequence[int], factors: Sequence[float], base: float
) -> tuple[str, list[str]]:
    # Keras changes the rate after the step of a boundary.
    places = ", ".join(f"{epoch} * steps - 1" for epoch in epochs)
    values = ", ".join(value_text(base * factor) for factor in factors)
    return "PiecewiseConstantDecay", [f"[{places}]", f"[{values}]"]


def step_as_piecewise(phase: Phase) -> Phase:
    """Return the phase with `step` written as `piecewise_constant`, which Keras has."""
    from dataclasses import replace

    schedule = phase.schedule
    if schedule.name != "step":
        return phase
    every, factor = schedule.arguments["every_epochs"], schedule.arguments["factor"]
    boundaries = list(range(every, phase.epochs, every))
    if not boundaries:
        return replace(phase, schedule=Call("constant"))
    factors = [factor ** (place + 1) for place in range(len(boundaries))]
    arguments = {"boundaries": boundaries, "factors": factors}
    return replace(phase, schedule=Call("piecewise_constant", arguments))


def compile_lines(config: Config, phase: Phase, is_scheduled: bool) -> list[str]:
    """Return the call of `model.compile`."""
    given = dict(phase.optimizer.keras_arguments)
    if is_scheduled:
        given.pop("learning_rate")
    rate = ["learning_rate"] if is_scheduled else []
    arguments = [*rate, *arguments_of(given, ("learning_rate",))]
    optimizer = call_text(f"optimizer=keras.optimizers.{phase.optimizer.keras_name}", arguments,
                          indent=2).strip()  # fmt: skip
    inner = [optimizer, f"loss={_loss(config)}", 'metrics=["accuracy"]']
    return [call_text("model.compile", inner)] if _fits(inner) else _exploded(inner)


def _fits(inner: Sequence[str]) -> bool:
    return "\n" not in call_text("model.compile", inner)


def _exploded(inner: Sequence[str]) -> list[str]:
    return ["    model.compile(", *(f"        {part}," for part in inner), "    )"]


def _loss(config: Config) -> str:
    words = config.loss_name.split("_")
    kind = "".join(word.capitalize() for word in words)
    given = {} if config.training.loss is None else dict(config.training.loss.arguments)
    if config.training.label_smoothing:
        given["label_smoothing"] = config.training.label_smoothing
    return call_text(f"keras.losses.{kind}", arguments_of(given), indent=2).strip()

"""Judge a network and its training by the criteria of a rubric: points and a sentence for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnkit.arithmetic import LayerNames, LayerRow, nodes_of, spread, times
from cnnkit.config import Config
from cnnkit.config.calls import Call
from cnnkit.errors import did_you_mean
from cnnkit.explore.summary_text import FLOAT32_BYTES, Summary
from cnnkit.grading.rubric import AccuracyCriterion, Criterion, LayersCriterion, ShapeCriterion
from cnnkit.text import count_of

_UNITS = {
    "parameters": "parameters",
    "multiply_adds": "multiply-adds for one image",
    "megabytes": "MB of weights",
    "minutes": "minutes of training",
}


@dataclass(frozen=True)
class Judgement:
    """What one criterion gave.

    Args:
        criterion: which.
        points: reached.
        sentence: what was found, and what was required.
    """

    criterion: Criterion
    points: float
    sentence: str

    @property
    def is_met(self) -> bool:
        """Whether all points are reached."""
        return self.points >= self.criterion.points

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "criterion": self.criterion.label,
            "points": self.points,
            "of": self.criterion.points,
            "met": self.is_met,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Args:
        accuracy: on the test images; None if it failed.
        minutes: how long it took.
        failure: why it failed or was not done.
    """

    accuracy: float | None
    minutes: float | None
    failure: str = ""


def judge_network(criterion: Criterion, config: Config, summary: Summary) -> Judgement:
    """Judge what the config alone decides."""
    match criterion.judge:
        case "shape":
            return _judge_shape(criterion, criterion.shape, config, summary)
        case "layers":
            return _judge_layers(criterion, criterion.layers, config, summary)
        case "megabytes":
            parameters = summary.parameters
            size = None if parameters is None else parameters * FLOAT32_BYTES / 1e6
            return _judge_number(criterion, size)
    return _judge_number(criterion, getattr(summary, criterion.judge))


def judge_training(criterion: Criterion, trained: Trained) -> Judgement:
    """Judge what only a training shows."""
    if trained.failure:
        return Judgement(criterion, 0.0, f"Not judged: {trained.failure}")
    if criterion.judge == "minutes":
        return _judge_number(criterion, trained.minutes)
    return _judge_accuracy(criterion, criterion.accuracy, trained.accuracy)


def _all_or_none(criterion: Criterion, is_met: bool, sentence: str) -> Judgement:
    return Judgement(criterion, criterion.points if is_met else 0.0, sentence)


def _judge_number(criterion: Criterion, value: float | None) -> Judgement:
    limits, unit = getattr(criterion, criterion.judge), _UNITS[criterion.judge]
    if value is None:
        text = f"The number of {unit} is known to Keras only, so it is not judged."
        return Judgement(criterion, 0.0, text)
    number = f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
    return _within(criterion, value, limits, f"{number} {unit}")


def _within(criterion: Criterion, value: float, limits: Any, found: str) -> Judgement:
    """Return all points if a number is within its limits, and a sentence that says so."""
    low, high = limits.at_least, limits.at_most
    is_met = (low is None or value >= low) and (high is None or value <= high)
    parts = [] if low is None else [f"at least {_amount(low)} needed"]
    parts += [] if high is None else [f"at most {_amount(high)} allowed"]
    joined = " and ".join(parts)
    if low == high:
        joined = f"exactly {_amount(low)} needed"
    if high == 0:
        joined = "none is allowed"
    link = "; " if is_met else ", but "
    return _all_or_none(criterion, is_met, f"{found}{link}{joined}.")


def _amount(limit: float) -> str:
    return f"{_number(limit)} {'is' if limit == 1 else 'are'}"


def _number(limit: float) -> str:
    return f"{int(limit):,}" if limit == int(limit) else f"{limit:,}"


def _judge_shape(
    criterion: Criterion, wanted: ShapeCriterion, config: Config, summary: Summary
) -> Judgement:
    named = _rows_by_name(config, summary)
    shapes = {name: row.output_shape for name, row in named.items()}
    shapes |= {"input": summary.input_shape, "output": summary.rows[-1].output_shape}
    if wanted.of not in shapes:
        near = did_you_mean(wanted.of, shapes)
        return Judgement(criterion, 0.0, f"There is no layer {wanted.of}.{near}")
    shape = shapes[wanted.of]
    what = f"The {wanted.of}" if wanted.of in ("input", "output") else f"The output of {wanted.of}"
    if shape is None:
        return Judgement(criterion, 0.0, f"{what} has a shape that only Keras knows.")
    is_met = list(shape) == list(wanted.equals)
    ending = "as required." if is_met else f"but {times(wanted.equals)} is required."
    return _all_or_none(criterion, is_met, f"{what} is {times(shape)}, {ending}")


def _rows_by_name(config: Config, summary: Summary) -> dict[str, LayerRow]:
    """Return the rows of the layers by the names that Keras gives them."""
    if config.model.backbone is not None:
        return {row.name: row for row in summary.rows}
    rows = {(row.path, row.name): row for row in summary.rows}
    names, found = LayerNames(), {}
    for node in nodes_of(config.model.layers):
        row = rows.get((node.path, node.name))
        if row is not None:  # a shortcut that changes nothing has no row
            found[names.of(node)] = row
    return found


def _judge_layers(
    criterion: Criterion, wanted: LayersCriterion, config: Config, summary: Summary
) -> Judgement:
    # The last row is the output layer, which is no layer of the submission.
    number = sum(_fits(row, wanted) for row in summary.rows[:-1])
    arguments = ", ".join(f"{key} {value}" for key, value in wanted.arguments.items())
    layers = count_of(number, f"{wanted.kind} layer")
    found = f"{layers} with {arguments}" if arguments else layers
    return _within(criterion, number, wanted, found)


def _fits(row: LayerRow, wanted: LayersCriterion) -> bool:
    call = Call(wanted.kind)
    # `pool` stands for two Keras layers, by its type, so its name in the config counts first.
    is_kind = row.name == wanted.kind or (wanted.kind != "pool" and row.kind == call.keras_name)
    return is_kind and all(
        _is_equal(_argument(row, name), value) for name, value in wanted.arguments.items()
    )


def _argument(row: LayerRow, name: str) -> Any:
    if name == "type":
        return "max" if "Max" in row.kind else "average"
    return row.arguments.get(name)


def _is_equal(found: Any, wanted: Any) -> bool:
    """Compare two values of an argument: a size of 3 is the same as [3, 3]."""
    if isinstance(found, Mapping) or isinstance(wanted, Mapping):
        return bool(found == wanted)
    if isinstance(found, list | tuple) or isinstance(wanted, list | tuple):
        length = len(found if isinstance(found, list | tuple) else wanted)
        return tuple(spread(found, length)) == tuple(spread(wanted, length))
    return bool(found == wanted)


def _judge_accuracy(
    criterion: Criterion, wanted: AccuracyCriterion, accuracy: float | None
) -> Judgement:
    value = accuracy or 0.0
    low = wanted.no_points_below
    share = float(value >= wanted.at_least)
    if low is not None:
        share = min(max((value - low) / (wanted.at_least - low), 0.0), 1.0)
    needed = f"{wanted.at_least:g} for all points"
    if low is not None:
        needed += f", {low:g} for the first"
    sentence = f"Accuracy {value:.3f} on the hidden test images; {needed}."
    return Judgement(criterion, round(criterion.points * share, 2), sentence)

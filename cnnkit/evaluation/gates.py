"""Requirements on metrics, such as accuracy>=0.9: read them, check them, report the result.

A requirement that is not met ends the command with exit code 3: a script can then tell a model that
is not good enough from a command that failed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.evaluation.all_metrics import CLASS_INTERVALS, CLASS_METRICS, HEADLINE_METRICS
from cnnkit.evaluation.intervals import wilson_interval
from cnnkit.evaluation.slices import Slice
from cnnkit.text import first_few, shown

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
# The operators of two characters first: `>` alone would match the beginning of `>=`.
_REQUIREMENT = re.compile(r"^\s*(.+?)(?<!=)\s*(>=|<=|>|<)\s*([-+.\deE]+)\s*$")
_CLASS, _SLICE, _ACCURACY = "per_class.", "slices.", ".accuracy"
_COUNTS = ("num_images", "worse_slices")  # without an interval
_LEAST_CLASSES = {"top5_accuracy": 6}
_MAY_PASS_ONE = (*_COUNTS, "log_loss", "brier_score", "support")


class Requirement(NamedTuple):
    """`accuracy>=0.9` in its parts."""

    metric: str
    comparison: str
    limit: float


class Outcome(NamedTuple):
    """Whether a requirement is met.

    Args:
        requirement: as the user wrote it.
        sentence: the value, what is required, and whether it is met.
        is_met: whether it is.
        value: of the metric; of `--no-worse-than`, the difference of the accuracies.
        checked: what the limit was compared with: `value`, the `lower end` or the `upper end` of
            its interval, or the `p-value` of McNemar's test.
        checked_value: that number.
        limit: what was required of it.
    """

    requirement: str
    sentence: str
    is_met: bool
    value: float
    checked: str
    checked_value: float
    limit: float


def parse_requirement(text: str) -> Requirement:
    """Return the parts of a requirement.

    >>> parse_requirement("macro_f1 > 0.8")
    Requirement(metric='macro_f1', comparison='>', limit=0.8)
    """
    match = _REQUIREMENT.match(text)
    try:
        return Requirement(match[1], match[2], float(match[3]))
    except (TypeError, ValueError):  # no match, or a limit such as 1e
        raise UsageError(
            f'--require "{text}" cannot be read. Write a metric, one of >= <= > <, and a number, '
            'as in "accuracy>=0.9".'
        ) from None


def check_metric_names(
    requirements: Iterable[str], class_names: Sequence[str], *, on_lower: bool = False
) -> None:
    """Refuse a requirement on something that an evaluation with these classes does not have.

    Args:
        requirements: such as `accuracy>=0.9` or `per_class.cat.recall>=0.8`.
        class_names: of the model or the predictions.
        on_lower: whether each of them needs an interval.

    Raises:
        UsageError: a requirement cannot be read, or names no metric.
    """
    for text in requirements:
        metric, _, limit = parse_requirement(text)
        key = metric
        if metric.startswith(_CLASS):
            class_name, key = _class_and_key(metric)
            has_interval = key in CLASS_INTERVALS
            is_known = class_name in class_names and key in CLASS_METRICS
        elif metric.startswith(_SLICE):
            # Which slices there are is known when the images are; they have nothing but accuracy.
            is_known = has_interval = _slice_name(metric) is not None
        else:
            has_interval = metric in HEADLINE_METRICS
            is_known = has_interval or metric in _COUNTS
            is_known = is_known and len(class_names) >= _LEAST_CLASSES.get(metric, 1)
        if not is_known:
            raise _unknown_metric(metric, class_names)
        if limit > 1 and key not in _MAY_PASS_ONE:
            raise UsageError(
                f'--require "{text}": {shown(metric)} is at most 1. Write {limit:g}% as '
                f"{limit / 100:g}."
            )
        if on_lower and not has_interval:
            raise UsageError(
                f"--on lower: {shown(metric)} has no interval. Remove this requirement, or check "
                "it in a command without --on lower."
            )


def check_requirements(
    requirements: Iterable[str],
    metrics: Mapping[str, Any],
    slices: Sequence[Slice] = (),
    *,
    on_lower: bool = False,
) -> list[Outcome]:
    """Return whether each requirement is met.

    Args:
        requirements: such as `accuracy>=0.9`, `per_class.cat.recall>=0.8`,
            `slices.brightness.lowest.accuracy>=0.8` or `worse_slices<=0`.
        metrics: as from `all_metrics`.
        slices: as from `find_slices`.
        on_lower: check the worse end of the interval instead of the value: the lower end if a
            metric must be large, the upper end if it must be small.

    Raises:
        UsageError: a requirement cannot be read, or names no metric or one that is not defined.
    """
    outcomes = []
    for text in requirements:
        required = parse_requirement(text)
        value, interval = _value_and_interval(required.metric, metrics, slices)
        if value is None or (on_lower and interval is None):
            raise UsageError(
                f"--require: {shown(required.metric)} is not defined for these images: there are "
                "too few of them, or too few of their classes."
            )
        described, checked, number = f"is {_number(value)}", "value", value
        if on_lower:
            must_be_large = required.comparison in (">=", ">")
            checked, number = (
                ("lower end", interval[0]) if must_be_large else ("upper end", interval[1])
            )
            described += f", the {checked} of its interval {_number(number)}"
        is_met = _OPERATORS[required.comparison](number, required.limit)
        outcomes.append(
            Outcome(
                text,
                f"{shown(required.metric)} {described}, required {required.comparison} "
                f"{required.limit:g}: {'met' if is_met else 'NOT met'}",
                is_met,
                value,
                checked,
                number,
                required.limit,
            )
        )
    return outcomes


def _number(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def _class_and_key(metric: str) -> tuple[str, str]:
    # The key is what follows the last dot: a class name may contain dots itself.
    class_name, _, key = metric.removeprefix(_CLASS).rpartition(".")
    return class_name, key


def _slice_name(metric: str) -> str | None:
    """Return `brightness.lowest` of `slices.brightness.lowest.accuracy`, None if it is no slice."""
    name = metric.removeprefix(_SLICE).removesuffix(_ACCURACY)
    return name if metric.endswith(_ACCURACY) and "." in name else None


def _value_and_interval(
    metric: str, metrics: Mapping[str, Any], slices: Sequence[Slice]
) -> tuple[Any, Any]:
    if metric.startswith(_SLICE) and (name := _slice_name(metric)):
        found = _slice_of(name, slices)
        low, high = wilson_interval(found.accuracy, found.images)
        return found.accuracy, (float(low), float(high))
    if metric == "worse_slices":
        return sum(each.is_worse for each in slices), None
    if metric.startswith(_CLASS):
        class_name, key = _class_and_key(metric)
        values = metrics["per_class"].get(class_name, {})
        if key in CLASS_METRICS and class_name in metrics["per_class"]:
            # Without images, a recall of 0 would say that the class is always missed.
            is_defined = key not in ("recall", "f1") or values["support"] > 0
            value = values[key] if is_defined else None
            return value, values["intervals"].get(key)
    elif metric in HEADLINE_METRICS or metric in _COUNTS:
        if metric in metrics:
            return metrics[metric], metrics.get("intervals", {}).get(metric)
    raise _unknown_metric(metric, tuple(metrics["per_class"]))


def _slice_of(name: str, slices: Sequence[Slice]) -> Slice:
    by_name = {f"{each.by}.{each.value}": each for each in slices}
    if name not in by_name:
        raise UsageError(
            f"--require: there is no slice {shown(name)} with enough images."
            f"{did_you_mean(name, by_name)} Slices: {first_few(by_name, 12)}."
        )
    return by_name[name]


def _unknown_metric(metric: str, class_names: Sequence[str]) -> UsageError:
    keys = "|".join(CLASS_METRICS)
    if metric.startswith(_CLASS):
        class_name, key = _class_and_key(metric)
        if key in CLASS_METRICS:
            return UsageError(
                f"--require: there is no class {shown(class_name)}."
                f"{did_you_mean(class_name, class_names)} Classes: {first_few(class_names, 8)}."
            )
        if class_name in class_names:
            return UsageError(
                f"--require: there is no metric {shown(metric)}.{did_you_mean(key, CLASS_METRICS)} "
                f"A class has {', '.join(CLASS_METRICS)}."
            )
    allowed = [
        name
        for name in (*HEADLINE_METRICS, *_COUNTS)
        if len(class_names) >= _LEAST_CLASSES.get(name, 1)
    ]
    return UsageError(
        f"--require: there is no metric {shown(metric)}.{did_you_mean(metric, allowed)} "
        f"Allowed: {', '.join(allowed)}, per_class.<class>.{keys}, "
        "slices.<property>.<value>.accuracy."
    )

"""Requirements on metrics, such as accuracy>=0.9: read them, check them, report the result.

A requirement that is not met raises `GateError`, which ends the command with exit code 3: a
script can then tell a model that is not good enough from a command that failed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from cnnkit.errors import GateError, UsageError, did_you_mean

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
# The operators of two characters first: `>` alone would match the beginning of `>=`.
_REQUIREMENT = re.compile(r"^\s*(.+?)\s*(>=|<=|>|<)\s*([-+.\deE]+)\s*$")


def check_requirements(requirements: Iterable[str], metrics: dict[str, Any]) -> list[str]:
    """Return one sentence per requirement if all of them are met.

    Args:
        requirements: such as `accuracy>=0.9` or `per_class.cat.recall>=0.8`.
        metrics: as from `all_metrics`.

    Raises:
        UsageError: a requirement cannot be read, or names no metric.
        GateError: at least one is not met; the text has the sentences of all.
    """
    lines, all_met = [], True
    for text in requirements:
        name, compare, limit = parse_requirement(text)
        value = _value_of(name, metrics)
        met = _OPERATORS[compare](value, limit)
        all_met = all_met and met
        result = "met" if met else "NOT met"
        lines.append(f"{name} is {value:.4f}, required {compare} {limit:g}: {result}")
    if not all_met:
        raise GateError("\n".join(lines))
    return lines


def parse_requirement(text: str) -> tuple[str, str, float]:
    """Return (metric, operator, limit) of `accuracy>=0.9`.

    >>> parse_requirement("macro_f1 > 0.8")
    ('macro_f1', '>', 0.8)
    """
    match = _REQUIREMENT.match(text)
    try:
        return match[1], match[2], float(match[3])
    except (TypeError, ValueError):  # no match, or a limit such as 1e
        raise UsageError(
            f'--require "{text}" cannot be read. Write a metric, one of >= <= > <, and a number, '
            'as in "accuracy>=0.9".'
        ) from None


def _value_of(name: str, metrics: dict[str, Any]) -> float:
    value: Any = metrics
    if name.startswith("per_class."):
        # The key is what follows the last dot: a class name may contain dots itself.
        class_name, _, key = name.removeprefix("per_class.").rpartition(".")
        value = metrics["per_class"].get(class_name, {}).get(key)
    else:
        value = metrics.get(name)
    if isinstance(value, int | float):
        return value
    allowed = [key for key, number in metrics.items() if isinstance(number, int | float)]
    raise UsageError(
        f"--require: there is no metric {name}.{did_you_mean(name, allowed)} "
        f"Allowed: {', '.join(allowed)}, per_class.<class>.precision|recall|f1|support."
    )

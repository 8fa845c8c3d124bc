"""Numbers of a report as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_AS_SHARES = frozenset(
    "accuracy top5_accuracy balanced_accuracy precision recall f1 macro_f1 weighted_f1".split()
)


def percent(value: float) -> str:
    """Return a share as a percentage; only a whole is 0% or 100%.

    >>> percent(0.984), percent(1.0), percent(0.99996), percent(0.0)
    ('98.4%', '100%', '99.99%', '0%')
    """
    if value in (0, 1):
        return f"{value:.0%}"
    digits = 1 if 0.0005 <= value < 0.9995 else 2
    return f"{min(max(value, 0.0001), 0.9999):.{digits}%}"


def metric_text(name: str, value: float | None) -> str:
    """Return a metric: shares as percentages, others with three digits after the point.

    >>> metric_text("accuracy", 0.5), metric_text("log_loss", 0.12345), metric_text("roc_auc", None)
    ('50.0%', '0.123', 'not defined')
    """
    if value is None:
        return "not defined"
    return percent(value) if name in _AS_SHARES else f"{value:.3f}"


def interval_text(name: str, ends: Sequence[float] | None) -> str:
    """Return the ends of an interval, nothing if there is none.

    >>> interval_text("accuracy", [0.1, 0.25])
    '10.0% to 25.0%'
    """
    return "" if ends is None else f"{metric_text(name, ends[0])} to {metric_text(name, ends[1])}"


def plain(value: Any) -> str:
    """Return a value of a config in words.

    >>> plain([3, 3]), plain(0.0005), plain(True), plain({"a": 1})
    ('3, 3', '0.0005', 'yes', 'a 1')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return str(value)

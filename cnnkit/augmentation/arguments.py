"""An argument's value enters; the limits of what is drawn leave, by Keras's rules."""

from __future__ import annotations

from typing import Any

from cnnkit.errors import did_you_mean

Limits = tuple[float, float]


def limits(name: str, value: Any, low: float, high: float) -> Limits:
    """Return (lower, upper): a number f means [-f, f], cut at `low`; a pair means itself.

    Args:
        name: of the argument, for the message.
        value: a number or a pair of numbers.
        low: the smallest number allowed.
        high: the largest number allowed.

    Raises:
        ValueError: a number outside of [low, high].

    >>> limits("factor", 0.2, -1, 1), limits("factor", 0.2, 0, 1)
    ((-0.2, 0.2), (0, 0.2))
    >>> limits("factor", [0.3, 0.1], 0, 1)
    (0.1, 0.3)
    """
    pair = list(value) if isinstance(value, list | tuple) else [value]
    if len(pair) > 2 or not all(low <= number <= high for number in pair):
        raise ValueError(f"{name} must be in [{low}, {high}], received {value}.")
    if len(pair) == 1:
        return max(-abs(pair[0]), low), abs(pair[0])
    return min(pair), max(pair)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return the word, or raise ValueError with the allowed ones."""
    if value not in allowed:
        raise ValueError(
            f"unknown {name} {value!r}, expected {', '.join(allowed)}."
            f"{did_you_mean(str(value), allowed)}"
        )
    return value

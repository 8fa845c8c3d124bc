"""Read the value of an argument as the limits of a random number, by the rules of Keras."""

from __future__ import annotations

from typing import Any

from cnnkit.errors import did_you_mean

Limits = tuple[float, float]


def limits(name: str, value: Any, low: float, high: float) -> Limits:
    """Return (lower, upper). A number f means [-f, f], but at least `low`; a pair is the limits.

    Args:
        name: of the argument, for the message.
        value: a number or a pair of numbers.
        low: the smallest number allowed.
        high: the largest number allowed.

    Raises:
        ValueError: a number is outside [low, high].

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
    """Return the value if it is one of the allowed words.

    Raises:
        ValueError: it is not; the text lists the allowed words.
    """
    if value not in allowed:
        raise ValueError(
            f"unknown {name} {value!r}, expected {', '.join(allowed)}."
            f"{did_you_mean(str(value), allowed)}"
        )
    return value

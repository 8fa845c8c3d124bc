"""Options that describe a convolution, and what follows it, for `kernels` and `convolve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_MOST_DIGITS = 9  # a longer number is a typing error, and int() of a very long text raises


class Pair(click.ParamType):
    """`ROWS,COLUMNS`, or one number for both.

    Args:
        least: the smallest number that is allowed.
        both: whether two numbers are required.
    """

    name = "N|ROWS,COLUMNS"

    def __init__(self, least: int, *, both: bool = False) -> None:
        self._least, self._both = least, both

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Return (rows, columns)."""
        if isinstance(value, tuple):
            return value
        parts = value.split(",")
        if max(map(len, parts)) > _MOST_DIGITS:
            self.fail(f'"{value}" is too large.')
        if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
            parts = []
        numbers = [int(part) for part in parts]
        if not numbers or min(numbers) < self._least or (self._both and len(numbers) < 2):
            one = "" if self._both else "one whole number or "
            self.fail(
                f"expected {one}two numbers of at least {self._least}, for example 2,1, "
                f'received "{value}".'
            )
        return numbers[0], numbers[-1]


_OPTIONS = (
    click.option("--stride", type=Pair(1), help="Steps of the kernel. Default: 1."),
    click.option(
        "--padding",
        type=click.Choice(["valid", "same"]),
        help="valid (the default): the kernel stays inside. same: zeros are added around the "
        "input, so that the output at stride 1 is as large as the input.",
    ),
    click.option("--pad", type=Pair(1), help="Instead of --padding: add a border of this size."),
    click.option(
        "--pad-mode",
        type=click.Choice(["zeros", "edge", "reflect"]),
        help="Fill the border with zeros (the default), the nearest number, or a mirror image.",
    ),
    click.option(
        "--dilation-rate",
        type=Pair(1),
        help="Distance between neighbours in the window. Default: 1.",
    ),
    click.option("--relu", is_flag=True, help="Then replace negative numbers by 0."),
    click.option(
        "--pool", type=click.Choice(["max", "average"]), help="Then apply max or average pooling."
    ),
    click.option("--pool-size", type=Pair(1), help="The window of the pooling. Default: 2."),
    click.option(
        "--pool-stride", type=Pair(1), help="Steps of the pooling. Default: its window's size."
    ),
    click.option(
        "--pool-padding",
        type=click.Choice(["valid", "same"]),
        help="valid (the default): windows that cross the edge are dropped. same: they count, with "
        "only the numbers that are inside.",
    ),
)


def convolution_options(command: Callable) -> Callable:
    """Add the options, in the order in which the operations happen."""
    # click lists the option that is added last as the first one.
    for option in reversed(_OPTIONS):
        command = option(command)
    return command

"""A stack of layer calls and an input shape enter; shapes, parameters and multiply-adds leave."""

from cnnkit.arithmetic.stack import (
    LayerRow,
    StackError,
    check_stack,
    output_row,
    output_shape,
    shortcut,
    walk_stack,
)

__all__ = [
    "LayerRow",
    "StackError",
    "check_stack",
    "output_row",
    "output_shape",
    "shortcut",
    "walk_stack",
]

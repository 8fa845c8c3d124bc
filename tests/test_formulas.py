"""Each formula evaluates to its number."""

from __future__ import annotations

import math
import re

from hypothesis import HealthCheck, assume, given, settings
from stacks import STACKS, layers_of

from cnnkit.arithmetic import (
    StackError,
    formulas_of,
    walk_stack,
)


def _formulas(stack, shape):
    rows = walk_stack(layers_of(*stack), shape)
    return [
        str(formula) for position in range(len(rows)) for formula in formulas_of(rows, position)
    ]


def test_the_formulas_of_lectures():
    padded = {"conv": {"filters": 10, "kernel_size": 3, "strides": 2, "pad": 1}}
    lines = _formulas([padded], (28, 28, 3))
    assert "height, width: floor((28 + 2*1 - 3)/2) + 1 = 14" in lines
    assert "parameters: (3*3*3 + 1) * 10 = 280" in lines
    assert "multiply-adds: 3*3*3 * 14*14*10 = 52,920" in lines
    assert "parameters if it were dense: (28*28*3 + 1) * 14*14*10 = 4,611,880" in lines
    assert "receptive field: 1 + (3 - 1)*1 = 3" in lines


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(STACKS)
def test_every_formula_gives_its_result(stack):
    try:
        rows = walk_stack(layers_of(*stack, "flatten", {"dense": 3}), (23, 20, 3))
    except StackError:
        assume(False)
    known = {"floor": math.floor, "ceil": math.ceil, "max": max}
    for position, row in enumerate(rows):
        formulas = formulas_of(rows, position)
        for formula in formulas:
            assert eval(formula.expression, known) == formula.result, formula
        numbers = {formula.quantity: formula.result for formula in formulas}
        if row.multiply_adds:
            assert numbers["multiply-adds"] == row.multiply_adds
        if row.parameters and not re.match("PReLU|BatchNorm", row.kind):
            assert numbers["parameters"] == row.parameters
        for axis, size in zip(("height", "width"), row.output_shape, strict=False):
            for quantity in numbers.keys() & {axis, "height, width"}:
                assert numbers[quantity] == size

"""Exercises that convolve or pool a small matrix, with the steps of `cnnkit convolve`."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnkit.explore.kernels.layer_chain import Chain, Pooling, Stage, run_chain
from cnnkit.explore.kernels.matrix_text import matrix_lines
from cnnkit.explore.kernels.operators import Kernel, Operator
from cnnkit.explore.kernels.sliding import Sliding
from cnnkit.explore.kernels.worked_example import WorkedMatrix, element_lines
from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.exercise import Exercise
from cnnkit.quiz.typed_answers import Answer, Decimal, Matrix, Whole, number_rows

_FLIP = "The kernel is not flipped, as in the layers of a CNN."
_COUNTED = "Rows and columns are counted from 0."
_ALL = 64  # steps: more than any exercise has
_NEAR = 0.01


def _material(values: np.ndarray, kernel: np.ndarray | None = None) -> tuple[str, ...]:
    """Return the matrix and the kernel next to each other."""
    left = ["input", *matrix_lines(values)]
    if kernel is None:
        return tuple(left)
    right = ["kernel", *matrix_lines(kernel)]
    width = max(map(len, left))
    right += [""] * (len(left) - len(right))
    return tuple(f"{a.ljust(width)}     {b}".rstrip() for a, b in zip(left, right, strict=True))


def _convolved(draw: Draw, rows: int, size: int, chain: Chain) -> tuple[np.ndarray, list[Stage]]:
    values = np.array(draw.matrix(rows, rows, 0, 4))
    weights = np.zeros((size, size))
    while 2 * np.count_nonzero(weights) < weights.size:  # a kernel of zeros asks nothing
        weights = np.array(draw.matrix(size, size, -1, 2 if size == 2 else 1))
    return values, run_chain(values, Operator("kernel", (Kernel(weights.astype(float)),)), chain)


def _asked(
    question: str,
    values: np.ndarray,
    stages: list[Stage],
    answer: Answer | None = None,
    solution: list[str] | None = None,
    **given: Any,
) -> Exercise:
    """Return the exercise; by default the whole result is asked for."""
    operator, output = stages[0].operator, stages[-1].output
    kernel = None if operator is None else operator.kernels[0].weights
    whole = bool(np.all(output == np.round(output)))
    return Exercise(
        question,
        answer or Matrix(number_rows(output.tolist()), 0.0 if whole else _NEAR),
        tuple(solution or WorkedMatrix(values, stages, _ALL).text().splitlines()),
        _material(values, kernel),
        {
            "input": values.tolist(),
            **({} if kernel is None else {"kernel": kernel.astype(int).tolist()}),
            **given,
        },
    )


def small_convolution(draw: Draw) -> Exercise:
    """Ask for the whole result with padding valid."""
    size = draw.pick((2, 3))
    values, stages = _convolved(draw, draw.pick((3, 4)) if size == 2 else 4, size, Chain())
    words = (
        "Convolve the input with the kernel (stride 1, padding valid).",
        "Slide the kernel over the input with stride 1 and padding valid. Which matrix results?",
    )
    return _asked(f"{draw.pick(words)} {_FLIP}", values, stages)


def strided_convolution(draw: Draw) -> Exercise:
    """Ask for the whole result with stride 2."""
    size, chain = draw.pick((2, 3)), Chain(Sliding((2, 2)))
    values, stages = _convolved(draw, 4 if size == 2 else 5, size, chain)
    words = (
        "Convolve the input with the kernel (stride 2, padding valid).",
        "Move the kernel over the input in steps of 2, with padding valid. Which matrix results?",
    )
    return _asked(f"{draw.pick(words)} {_FLIP}", values, stages, stride=2)


def one_number(draw: Draw) -> Exercise:
    """Ask for one number of the result."""
    padding = draw.pick(("valid", "same"))
    values, stages = _convolved(draw, 5, 3, Chain(Sliding(padding=padding)))
    stage = stages[0]
    last = stage.output.shape[0] - 1
    place = (draw.whole(0, last), draw.whole(0, last))
    zeros = " Beyond the border of the input there are zeros." if padding == "same" else ""
    words = (
        f"The input is convolved with the kernel (stride 1, padding {padding}). Which number is in "
        f"row {place[0]}, column {place[1]} of the result?",
        f"Work out the number in row {place[0]}, column {place[1]} of the result of the "
        f"convolution with stride 1 and padding {padding}.",
    )
    value = int(stage.output[place])
    return _asked(
        f"{draw.pick(words)} {_COUNTED} {_FLIP}{zeros}",
        values,
        stages,
        Whole(value),
        element_lines(stage, *place),
        padding=padding,
        place=list(place),
    )


def convolution_and_relu(draw: Draw) -> Exercise | None:
    """Ask for the result after ReLU."""
    values, stages = _convolved(draw, 3, 2, Chain(relu=True))
    if stages[0].output.min() >= 0 or stages[0].output.max() <= 0:
        return None  # ReLU would change nothing, or leave only zeros
    words = (
        "Convolve the input with the kernel (stride 1, padding valid) and apply ReLU.",
        "Which matrix results from the convolution (stride 1, padding valid), followed by ReLU?",
    )
    return _asked(f"{draw.pick(words)} {_FLIP}", values, stages, relu=True)


def same_convolution(draw: Draw) -> Exercise:
    """Ask for the result with padding same."""
    values, stages = _convolved(draw, 3, 3, Chain(Sliding(padding="same")))
    words = (
        "Convolve the input with the kernel (stride 1, padding same: a border of zeros keeps the "
        "size).",
        "With a border of zeros of width 1 around the input, convolve it with the kernel at "
        "stride 1.",
    )
    return _asked(f"{draw.pick(words)} {_FLIP}", values, stages, padding="same")


# --- pooling


def _pooled(draw: Draw, rows: int, pooling: Pooling, **given: Any) -> Exercise:
    values = np.array(draw.matrix(rows, rows, 0, 9))
    stages = run_chain(values, None, Chain(pooling=pooling))
    size, stride = pooling.size[0], (pooling.sliding.strides or pooling.size)[0]
    padding = pooling.sliding.padding
    how = f"windows of {size} x {size}, stride {stride}, padding {padding}"
    words = (
        f"Apply {pooling.kind} pooling to the input: {how}.",
        f"Which matrix does {pooling.kind} pooling return? It has {how}.",
    )
    beyond = " Only numbers of the input count, not what is beyond its border."
    return _asked(
        draw.pick(words) + (beyond if padding == "same" else ""),
        values,
        stages,
        kind=pooling.kind,
        size=size,
        stride=stride,
        padding=padding,
    )


def max_pooling(draw: Draw) -> Exercise:
    """Ask for a max pooling with windows that touch."""
    return _pooled(draw, draw.pick((4, 5, 6)), Pooling("max", (2, 2), Sliding((2, 2))))


def average_pooling(draw: Draw) -> Exercise:
    """Ask for an average pooling."""
    return _pooled(draw, 4, Pooling("average", (2, 2), Sliding((2, 2))))


def overlapping_pooling(draw: Draw) -> Exercise:
    """Ask for a max pooling with windows that overlap."""
    rows, size, stride = draw.pick(((4, 3, 1), (5, 3, 2), (4, 2, 1)))
    return _pooled(draw, rows, Pooling("max", (size, size), Sliding((stride, stride))))


def same_pooling(draw: Draw) -> Exercise:
    """Ask for a pooling whose last windows reach beyond the input."""
    kind = draw.pick(("max", "average"))
    return _pooled(draw, draw.pick((3, 5)), Pooling(kind, (2, 2), Sliding((2, 2), "same")))


def whole_average(draw: Draw) -> Exercise:
    """Ask for a global average pooling."""
    rows = draw.pick((2, 3, 4))
    values = np.array(draw.matrix(rows, rows, 0, 9))
    total, count = int(values.sum()), values.size
    terms = " + ".join(map(str, values.ravel().tolist()))
    words = (
        "Which number does global average pooling return for this channel?",
        "What is the global average pooling of this map?",
    )
    value = total / count
    answer = Decimal(value, _NEAR)
    return Exercise(
        draw.pick(words),
        answer,
        (f"({terms}) / {count} = {total} / {count} = {answer.text}",),
        _material(values),
        {"input": values.tolist(), "kind": "global average"},
    )


CONVOLUTION = (
    small_convolution,
    one_number,
    strided_convolution,
    convolution_and_relu,
    same_convolution,
)
POOLING = (max_pooling, average_pooling, overlapping_pooling, whole_average, same_pooling)

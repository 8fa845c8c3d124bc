"""Exercises about output sizes, padding and stride."""

from __future__ import annotations

from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.exercise import Exercise
from cnnkit.quiz.small_networks import Layer, Network, conv, pool
from cnnkit.quiz.typed_answers import Sizes, Whole

_SIZE = ("height", "width", "padding of")  # how the formulas of sizes begin
_SAME = (
    "With padding same, zeros are added so that the output has size / stride rows and columns, "
    "rounded up. If their number is odd, one more is added below and to the right, as in Keras "
    "with TensorFlow."
)
_ASK_SHAPE = (
    "Which shape does this layer return?",
    "What is the output shape of this layer?",
    "A map goes through this layer. Which shape has the result?",
)


def _asking_shape(draw: Draw, network: Network, question: str = "") -> Exercise:
    return Exercise(
        question or draw.pick(_ASK_SHAPE),
        network.shape_answer,
        tuple(network.worked(_SIZE, shapes=True)),
        network.lines(),
        network.given,
    )


def _side(draw: Draw) -> int:
    return draw.whole(6, 32)


def conv_shape(draw: Draw) -> Exercise:
    """Ask for the shape after a convolution."""
    side, kernel = _side(draw), draw.pick((1, 2, 3, 5))
    layer = conv(draw.pick((4, 6, 8, 16)), kernel, draw.pick((1, 1, 2)))
    return _asking_shape(draw, Network((side, side, draw.pick((1, 3, 8))), [layer]))


def oblong_shape(draw: Draw) -> Exercise | None:
    """Ask for the shape if height and width differ."""
    height, width = _side(draw), _side(draw)
    if height == width:
        return None
    layer = conv(draw.pick((4, 6, 8)), draw.pick((3, 4, 5)), draw.pick((1, 2)))
    return _asking_shape(draw, Network((height, width, draw.pick((1, 3))), [layer]))


def pool_shape(draw: Draw) -> Exercise:
    """Ask for the shape after a pooling."""
    side, size = _side(draw), draw.pick((2, 3))
    layer = pool(draw.pick(("max", "average")), size, draw.pick((1, 2, size)))
    return _asking_shape(draw, Network((side, side, draw.pick((3, 6, 8, 16))), [layer]))


def _conv_and_pool(draw: Draw) -> list[Layer]:
    padding = draw.pick(("valid", "valid", "same"))
    first = conv(draw.pick((4, 6, 8)), draw.pick((3, 5)), 1, padding)
    return [first, pool("max", 2, 2)]


def network_shape(draw: Draw) -> Exercise:
    """Ask for the shape after three layers."""
    side = draw.whole(14, 32)
    last = conv(draw.pick((8, 12, 16)), 3, draw.pick((1, 2)))
    network = Network((side, side, draw.pick((1, 3))), [*_conv_and_pool(draw), last])
    words = (
        "Which shape does the last layer return?",
        "An image goes through these layers. What is the shape of the result?",
    )
    return _asking_shape(draw, network, draw.pick(words))


def flattened_units(draw: Draw) -> Exercise:
    """Ask for the length of the row of numbers after flatten."""
    side = draw.whole(8, 20)
    layers = [*_conv_and_pool(draw), {"flatten": {}}]
    network = Network((side, side, draw.pick((1, 3))), layers)
    words = (
        "How many numbers does flatten return for one image?",
        "How many numbers of one image reach the layer after flatten?",
    )
    return Exercise(
        draw.pick(words),
        Whole(network.output_shape[0]),
        tuple(network.worked((*_SIZE, "units"))),
        network.lines(),
        network.given,
    )


# --- padding


def same_shape(draw: Draw) -> Exercise:
    """Ask for the shape with padding same."""
    side = _side(draw)
    layer = conv(draw.pick((4, 8, 16)), draw.pick((3, 5, 7)), draw.pick((1, 2, 3)), "same")
    return _asking_shape(draw, Network((side, side, draw.pick((1, 3, 8))), [layer]))


def added_zeros(draw: Draw) -> Exercise:
    """Ask how many rows of zeros padding same adds, and where."""
    side, stride = _side(draw), draw.pick((1, 2, 2, 3))
    network = Network((side, side, 1), [conv(4, draw.pick((2, 3, 4, 5, 7)), stride, "same")])
    (row,) = network.rows
    window, outputs = row.arguments["kernel_size"], network.output_shape[0]
    total = max((outputs - 1) * stride + window - side, 0)
    words = (
        "How many rows of zeros does this layer add above the map, and how many below it?",
        "Above and below the map, how many rows of zeros does this layer add?",
    )
    return Exercise(
        f"{draw.pick(words)} {_SAME}",
        Sizes((total // 2, total - total // 2), ("above", "below")),
        tuple(network.worked(("padding of",))),
        network.lines(),
        network.given,
    )


def bordered_shape(draw: Draw) -> Exercise:
    """Ask for the shape with a border of a given number of zeros."""
    side, border = _side(draw), draw.whole(1, 3)
    layers = [{"ZeroPadding2D": {"padding": border}}, conv(draw.pick((4, 8)), 5, draw.pick((1, 2)))]
    network = Network((side, side, draw.pick((1, 3))), layers)
    return _asking_shape(draw, network, "Which shape does the convolution return?")


def keeping_border(draw: Draw) -> Exercise:
    """Ask for the border that keeps the size at stride 1."""
    side, border = draw.whole(10, 32), draw.whole(1, 4)
    kernel = 2 * border + 1
    words = (
        f"A convolution with a kernel of {kernel} x {kernel} and stride 1 should keep the size "
        f"{side} x {side} of its map. How many zeros does it need on each of the four sides?",
        f"How many rows of zeros are needed on each side of a map of {side} x {side}, so that "
        f"a {kernel} x {kernel} convolution with stride 1 returns {side} x {side} again?",
    )
    return Exercise(
        draw.pick(words),
        Whole(border),
        (
            f"floor(({side} + 2*p - {kernel})/1) + 1 = {side}, so 2*p = {kernel} - 1",
            f"p = ({kernel} - 1)/2 = {border}",
        ),
        given={"size": side, "kernel_size": kernel},
    )


# --- stride


def strided_shape(draw: Draw) -> Exercise:
    """Ask for the shape with a stride of 2 or more."""
    side, stride = draw.whole(10, 32), draw.pick((2, 2, 3, 4))
    layer = conv(draw.pick((4, 8, 16)), draw.pick((3, 5)), stride, draw.pick(("valid", "same")))
    return _asking_shape(draw, Network((side, side, draw.pick((1, 3))), [layer]))


def stride_from_sizes(draw: Draw) -> Exercise | None:
    """Ask for the stride that leads from one size to another."""
    side, kernel, stride = draw.whole(12, 32), draw.pick((3, 5)), draw.pick((2, 3, 4))
    left = (side - kernel) // stride + 1
    fitting = [s for s in range(1, side) if (side - kernel) // s + 1 == left]
    if fitting != [stride]:
        return None
    words = (
        f"A convolution of {kernel} x {kernel} with padding valid turns a map of {side} x {side} "
        f"into one of {left} x {left}. Which stride does it have, the same in both directions?",
        f"With which stride, the same in both directions, does a {kernel} x {kernel} convolution "
        f"with padding valid make {left} x {left} out of {side} x {side}?",
    )
    return Exercise(
        draw.pick(words),
        Whole(stride),
        (
            f"floor(({side} - {kernel})/{stride}) + 1 = {left}",
            f"with {stride - 1}: floor(({side} - {kernel})/{stride - 1}) + 1 = "
            f"{(side - kernel) // (stride - 1) + 1}",
            f"with {stride + 1}: floor(({side} - {kernel})/{stride + 1}) + 1 = "
            f"{(side - kernel) // (stride + 1) + 1}",
        ),
        given={"size": side, "kernel_size": kernel, "output_size": left},
    )


def window_positions(draw: Draw) -> Exercise:
    """Ask how often a window is placed."""
    height, width = draw.whole(5, 12), draw.whole(5, 12)
    network = Network((height, width, 1), [conv(1, draw.pick((2, 3)), draw.pick((1, 2)))])
    rows, columns, _ = network.output_shape
    words = (
        "At how many positions does the kernel lie while it slides over the map?",
        "How many times is the kernel placed on the map in total?",
    )
    worked = (*network.worked(_SIZE), f"positions: {rows} * {columns} = {rows * columns}")
    return Exercise(draw.pick(words), Whole(rows * columns), worked, network.lines(), network.given)


def repeated_strides(draw: Draw) -> Exercise:
    """Ask for the height after several layers with stride 2."""
    side, number = draw.whole(20, 64), draw.whole(2, 4)
    layer = conv(draw.pick((4, 8)), 3, 2, "same")
    network = Network((side, side, 3), [layer] * number)
    words = ("How many rows does the last map have?", "What is the height of the last map?")
    return Exercise(
        draw.pick(words),
        Whole(network.output_shape[0]),
        tuple(network.worked(("padding of", "height"))),
        network.lines(),
        network.given,
    )


OUTPUT_SIZE = (conv_shape, pool_shape, network_shape, oblong_shape, flattened_units)
PADDING = (same_shape, added_zeros, bordered_shape, keeping_border)
STRIDE = (strided_shape, stride_from_sizes, window_positions, repeated_strides)

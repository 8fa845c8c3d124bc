"""Exercises about parameters, multiply-adds and receptive fields."""

from __future__ import annotations

from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.exercise import Exercise
from cnnkit.quiz.small_networks import Layer, Network, conv, pool
from cnnkit.quiz.typed_answers import Whole

_ASK_WEIGHTS = (
    "How many parameters does this layer have?",
    "How many weights does this layer have, biases included?",
    "How many numbers can this layer learn?",
)


def _counted(draw: Draw, network: Network) -> Exercise:
    return Exercise(
        draw.pick(_ASK_WEIGHTS),
        Whole(network.rows[-1].parameters or 0),
        tuple(network.worked(("parameters",))),
        network.lines(),
        network.given,
    )


def conv_weights(draw: Draw) -> Exercise:
    """Ask for the parameters of a convolution."""
    side = draw.whole(8, 32)
    layer = conv(draw.pick((4, 6, 8, 10, 16)), draw.pick((1, 3, 5)), 1, "same")
    return _counted(draw, Network((side, side, draw.pick((1, 3, 4, 8, 10))), [layer]))


def weights_without_bias(draw: Draw) -> Exercise:
    """Ask for the parameters of a convolution without biases."""
    side, padding = draw.whole(8, 32), draw.pick(("valid", "same"))
    layer = conv(draw.pick((4, 6, 8, 16)), 3, 1, padding, use_bias=False)
    network = Network((side, side, draw.pick((3, 4, 8))), [layer])
    return Exercise(
        "How many parameters does this layer have?",
        Whole(network.rows[-1].parameters or 0),
        tuple(network.worked(("parameters",))),
        network.lines(),
        network.given,
    )


def dense_weights(draw: Draw) -> Exercise:
    """Ask for the parameters of a dense layer after flatten."""
    shape = (draw.whole(3, 7), draw.whole(3, 7), draw.pick((2, 4, 8)))
    network = Network(shape, [{"flatten": {}}, {"dense": {"units": draw.pick((4, 5, 10, 20))}}])
    words = ("How many parameters does the dense layer have?",
             "How many weights does the dense layer have, biases included?")  # fmt: skip
    return Exercise(
        draw.pick(words),
        Whole(network.rows[-1].parameters or 0),
        tuple(network.worked(("units", "parameters"))),
        network.lines(),
        network.given,
    )


def depthwise_weights(draw: Draw) -> Exercise:
    """Ask for the parameters of a depthwise convolution."""
    side = draw.whole(8, 16)
    given = {"kernel_size": draw.pick((3, 5)), "strides": 1, "padding": "same"}
    shape = (side, side, draw.pick((4, 8, 10, 16)))
    return _counted(draw, Network(shape, [{"depthwise_conv": given}]))


def norm_weights(draw: Draw) -> Exercise:
    """Ask which numbers of a batch normalisation are trained."""
    side, channels = draw.whole(4, 16), draw.pick((4, 6, 8, 16, 32))
    network = Network((side, side, channels), [{"batch_norm": {}}])
    (row,) = network.rows
    is_all = draw.pick((True, False))
    words = "including its moving averages" if is_all else "that gradients change"
    count = (row.parameters or 0) + (row.non_trainable if is_all else 0)
    worked = network.worked(("trained", "moving") if is_all else ("trained",))
    total = (f"{row.parameters} + {row.non_trainable} = {count}",) if is_all else ()
    return Exercise(
        f"How many numbers does this layer keep, {words}?"
        if is_all
        else f"How many parameters does this layer have {words}?",
        Whole(count),
        (*worked, *total),
        network.lines(),
        {**network.given, "moving_averages": is_all},
    )


def _small_network(draw: Draw) -> Network:
    side = draw.whole(8, 16)
    layers: list[Layer] = [
        conv(draw.pick((2, 4, 6)), 3, 1, draw.pick(("valid", "same"))),
        pool("max", 2, 2),
        draw.pick(({"flatten": {}}, {"global_pool": {}})),
    ]
    return Network((side, side, draw.pick((1, 3))), layers, draw.pick((2, 3, 5, 10)))


def network_weights(draw: Draw) -> Exercise:
    """Ask for the parameters of a whole network."""
    network = _small_network(draw)
    counts = [row.parameters or 0 for row in network.rows]
    words = (
        "How many parameters does the whole network have?",
        "How many weights does the whole network have, biases included?",
    )
    total = f"{' + '.join(str(count) for count in counts if count)} = {sum(counts):,}"
    return Exercise(
        draw.pick(words),
        Whole(sum(counts)),
        (*network.worked(("height", "padding of", "units", "parameters")), f"total: {total}"),
        network.lines(),
        network.given,
    )


def multiply_adds(draw: Draw) -> Exercise:
    """Ask for the multiply-adds of a convolution."""
    side = draw.pick((5, 6, 8, 10))
    layer = conv(draw.pick((2, 4, 5)), draw.pick((1, 3)), draw.pick((1, 2)), "same")
    network = Network((side, side, draw.pick((1, 2, 3))), [layer])
    words = (
        "How many multiplications does this layer need for one image? Those with the zeros of the "
        "padding count, biases do not.",
        "How many multiply-adds does this layer need for one image, those with the zeros of the "
        "padding included, biases left out?",
    )
    return Exercise(
        draw.pick(words),
        Whole(network.rows[-1].multiply_adds or 0),
        tuple(network.worked(("padding of", "height", "multiply-adds"))),
        network.lines(),
        network.given,
    )


# --- receptive fields

_ASK_FIELD = (
    "One number of the last map sees a square of the image. How many pixels wide is it, including "
    "what is beyond the border?",
    "How wide is the receptive field of one number of the last map, in pixels, including what is "
    "beyond the border of the image?",
)


def _seen(draw: Draw, layers: list[Layer]) -> Exercise:
    side = draw.pick((28, 32, 48, 64))
    network = Network((side, side, draw.pick((1, 3))), layers)
    field = network.rows[-1].receptive_field or (0, 0)
    return Exercise(
        draw.pick(_ASK_FIELD),
        Whole(field[0], "pixels"),
        tuple(network.worked(("receptive field",))),
        network.lines(),
        network.given,
    )


def equal_layers_field(draw: Draw) -> Exercise:
    """Ask for the receptive field of equal convolutions with stride 1."""
    layer = conv(draw.pick((4, 8)), draw.pick((3, 5)), 1, "same")
    return _seen(draw, [layer] * draw.whole(2, 4))


def pooled_field(draw: Draw) -> Exercise:
    """Ask for the receptive field of convolutions and a pooling."""
    first, last = (conv(draw.pick((4, 8)), draw.pick((3, 5)), 1, "same") for _ in range(2))
    return _seen(draw, [first, pool("max", 2, 2), last])


def strided_field(draw: Draw) -> Exercise:
    """Ask for the receptive field of convolutions with stride 2."""
    layers = [
        conv(draw.pick((4, 8)), draw.pick((3, 5)), draw.pick((1, 2)), "same") for _ in range(2)
    ]
    return _seen(draw, [conv(4, 3, 2, "same"), *layers])


def dilated_field(draw: Draw) -> Exercise:
    """Ask for the receptive field with a dilation."""
    first = conv(draw.pick((4, 8)), 3, 1, "same")
    wide = conv(draw.pick((4, 8)), 3, 1, "same", dilation_rate=draw.pick((2, 3, 4)))
    return _seen(draw, [first, wide] if draw.pick((True, False)) else [wide])


def layers_for_field(draw: Draw) -> Exercise:
    """Ask how many layers are needed to see a number of pixels."""
    kernel, needed = draw.pick((3, 5)), draw.whole(7, 30)
    step = kernel - 1
    number = -(-(needed - 1) // step)  # rounded up
    words = (
        f"How many convolutions of {kernel} x {kernel} with stride 1 are needed at least, so that "
        f"one number of the last map sees {needed} x {needed} pixels or more?",
        f"You stack convolutions of {kernel} x {kernel} with stride 1. What is the smallest number "
        f"of layers after which one number sees at least {needed} x {needed} pixels?",
    )
    lines = [f"receptive field of n layers: 1 + n*({kernel} - 1)"]
    lines += [f"n = {n}: 1 + {n}*{step} = {1 + n * step}" for n in (number - 1, number)]
    return Exercise(
        draw.pick(words),
        Whole(number, "layers"),
        tuple(lines),
        given={"layers": [conv(1, kernel, 1, "same")], "receptive_field": needed},
    )


PARAMETERS = (
    conv_weights,
    dense_weights,
    network_weights,
    weights_without_bias,
    depthwise_weights,
    multiply_adds,
    norm_weights,
)
RECEPTIVE_FIELD = (
    equal_layers_field,
    pooled_field,
    strided_field,
    layers_for_field,
    dilated_field,
)

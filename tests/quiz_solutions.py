"""The answers of exercises, computed with Keras, scikit-learn or plain loops from what is given."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest
from sklearn import metrics

from cnnkit.backend import keras
from cnnkit.config import read_layers

_layers = keras.layers


def check(exercise):
    """Compare the answer of an exercise with one that is computed in another way."""
    expected = CHECKS[exercise.kind](exercise.given, exercise)
    value = exercise.answer.value
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        assert [list(row) for row in value] == [pytest.approx(row) for row in expected], exercise
    elif isinstance(value, float):
        assert value == pytest.approx(expected), exercise
    else:
        assert value == expected, exercise


# --- networks


def _model(given, names=()):
    """Build the network with Keras; an output layer follows if there are classes."""
    image = keras.Input(given["input_shape"])
    x, outputs = image, []
    calls = read_layers(given["layers"])
    for call in calls:
        x = getattr(_layers, call.keras_name)(**call.keras_arguments)(x)
        outputs.append(x)
    if "num_classes" in given:
        outputs.append(_layers.Dense(given["num_classes"])(x))
    model = keras.Model(image, outputs[-1])
    if names:
        found = [layer for layer in model.layers if not isinstance(layer, _layers.InputLayer)]
        return model, dict(zip(names, found, strict=True))
    return model


def _shape(given, exercise):
    return tuple(_model(given).output.shape[1:])


def _side(given, exercise):
    return _shape(given, exercise)[0]


def _weights(given, exercise):
    return _model(given).count_params()


def _last_weights(given, exercise):
    return _model(given).layers[-1].count_params()


def _norm_weights(given, exercise):
    model = _model(given)
    variables = model.weights if given["moving_averages"] else model.trainable_weights
    return sum(variable.shape[0] for variable in variables)


def _multiply_adds(given, exercise):
    model = _model(given)
    rows, columns = model.output.shape[1:3]
    return rows * columns * int(model.layers[-1].kernel.numpy().size)


def _positions(given, exercise):
    rows, columns = _shape(given, exercise)[:2]
    return rows * columns


def _zeros(given, exercise):
    """Find the zeros by what an added row changes: the sums of ones without and with padding."""
    (call,) = read_layers(given["layers"])
    kernel, stride = call.arguments["kernel_size"], call.arguments["strides"]
    side = given["input_shape"][0]
    layer = _layers.Conv2D(1, kernel, stride, "same", use_bias=False, kernel_initializer="ones")
    first, *_, last = layer(keras.ops.ones((1, side, 1, 1))).numpy()[0, :, 0, 0] / 1
    # A map of one column is covered once in each row of the kernel that lies on the map.
    return (kernel - round(first), kernel - round(last))


def _stride(given, exercise):
    fitting = []
    for stride in range(1, given["size"]):
        layer = _layers.Conv2D(1, given["kernel_size"], stride)
        shape = (1, given["size"], given["size"], 1)
        if layer.compute_output_shape(shape)[1] == given["output_size"]:
            fitting.append(stride)
    assert len(fitting) == 1
    return fitting[0]


def _border(given, exercise):
    conv = _layers.Conv2D(1, given["kernel_size"])
    fitting = []
    for border in range(9):
        shape = _layers.ZeroPadding2D(border).compute_output_shape((1, *[given["size"]] * 2, 1))
        if conv.compute_output_shape(shape)[1] == given["size"]:
            fitting.append(border)
    assert len(fitting) == 1
    return fitting[0]


def _field_width(layers):
    """Follow one number of the last map back to all pixels that it depends on, along a row."""
    seen = {0}
    for call in reversed(read_layers(layers)):
        arguments = call.keras_arguments
        size = arguments.get("kernel_size", arguments.get("pool_size"))
        step, spread = arguments["strides"], arguments.get("dilation_rate", 1)
        seen = {place * step + part * spread for place in seen for part in range(size)}
    return max(seen) - min(seen) + 1


def _field(given, exercise):
    return _field_width(given["layers"])


def _layers_needed(given, exercise):
    number = 1
    while _field_width(given["layers"] * number) < given["receptive_field"]:
        number += 1
    return number


# --- matrices


def _at(rows, row, column):
    inside = 0 <= row < len(rows) and 0 <= column < len(rows[0])
    return rows[row][column] if inside else None


def _windows(rows, size, stride, padding):
    """Return a row of windows per row of the result; None is beyond the border."""
    length = len(rows)
    before, count = 0, (length - size) // stride + 1
    if padding == "same":
        count = -(-length // stride)
        before = max((count - 1) * stride + size - length, 0) // 2
    starts = [place * stride - before for place in range(count)]
    return [
        [
            [[_at(rows, top + i, left + j) for j in range(size)] for i in range(size)]
            for left in starts
        ]
        for top in starts
    ]


def _convolved(given, exercise):
    kernel = given["kernel"]
    size = len(kernel)
    windows = _windows(given["input"], size, given.get("stride", 1), given.get("padding", "valid"))
    result = [
        [
            sum((window[i][j] or 0) * kernel[i][j] for i, j in product(range(size), repeat=2))
            for window in row
        ]
        for row in windows
    ]
    if given.get("relu"):
        result = [[max(number, 0) for number in row] for row in result]
    if "place" in given:
        return result[given["place"][0]][given["place"][1]]
    return result


def _pooled(given, exercise):
    pooled = {"max": max, "average": lambda numbers: sum(numbers) / len(numbers)}[given["kind"]]
    windows = _windows(given["input"], given["size"], given["stride"], given["padding"])
    return [
        [pooled([n for line in window for n in line if n is not None]) for window in row]
        for row in windows
    ]


def _whole_average(given, exercise):
    numbers = [number for row in given["input"] for number in row]
    return sum(numbers) / len(numbers)


# --- confusion matrices


def _images(given):
    pairs = [
        (true, answer)
        for true, row in enumerate(given["matrix"])
        for answer, count in enumerate(row)
        for _ in range(count)
    ]
    return list(zip(*pairs, strict=True))


def _score(function, **options):
    return lambda given, exercise: float(function(*_images(given), **options))


def _of_class(function):
    def score(given, exercise):
        asked = [name in exercise.question for name in given["classes"]].index(True)
        return function(*_images(given), average=None)[asked]

    return score


def _missed(given, exercise):
    asked = [name in exercise.question for name in given["classes"]].index(True)
    labels, answers = _images(given)
    of_this = [a != asked for t, a in zip(labels, answers, strict=True) if t == asked]
    of_others = [a == asked for t, a in zip(labels, answers, strict=True) if t != asked]
    return sum(of_this if "predicted as another" in exercise.question else of_others)


def _weakest(given, exercise):
    recalls = metrics.recall_score(*_images(given), average=None).tolist()
    assert recalls.count(min(recalls)) == 1
    return "abc"[recalls.index(min(recalls))]


# --- transfer


def _trained(given):
    """Return the Keras model of a phase and its layers by name, with the others frozen."""
    model, layers = _model(given, given["names"])
    order, train = given["backbone"], given["train"]
    if train == "head":
        frozen = order
    elif train == "all":
        frozen = []
    elif "backbone_from" in train:
        frozen = order[: order.index(train["backbone_from"])]
    else:
        frozen = order[: len(order) - train["last_layers"]]
    for name in frozen:
        layers[name].trainable = False
    return model, layers


def _count(variables):
    return sum(int(variable.numpy().size) for variable in variables)


def _trainable(given, exercise):
    return _count(_trained(given)[0].trainable_weights)


def _frozen(given, exercise):
    return _count(_trained(given)[0].non_trainable_weights)


def _learning(given, exercise):
    return [name for name, layer in _trained(given)[1].items() if layer.trainable_weights]


def _pixel(given, exercise):
    low, high = given["range"]
    return low + (high - low) * given["pixel"] / 255


@cache
def _reasons():
    from cnnkit.quiz.transfer_exercises import _REASONS

    return {question: options[0] for question, options, _ in _REASONS}


def _reason(given, exercise):
    assert exercise.answer.options[exercise.answer.right] == _reasons()[exercise.question]
    return exercise.answer.value


CHECKS = {
    **dict.fromkeys(
        "conv_shape pool_shape network_shape oblong_shape same_shape bordered_shape "
        "strided_shape".split(),
        _shape,
    ),
    "flattened_units": _side,
    "added_zeros": _zeros,
    "keeping_border": _border,
    "stride_from_sizes": _stride,
    "window_positions": _positions,
    "repeated_strides": _side,
    **dict.fromkeys("conv_weights weights_without_bias depthwise_weights".split(), _last_weights),
    "dense_weights": _last_weights,
    "network_weights": _weights,
    "multiply_adds": _multiply_adds,
    "norm_weights": _norm_weights,
    **dict.fromkeys("equal_layers_field pooled_field strided_field dilated_field".split(), _field),
    "layers_for_field": _layers_needed,
    **dict.fromkeys(
        "small_convolution one_number strided_convolution convolution_and_relu "
        "same_convolution".split(),
        _convolved,
    ),
    **dict.fromkeys(
        "max_pooling average_pooling overlapping_pooling same_pooling".split(), _pooled
    ),
    "whole_average": _whole_average,
    "accuracy": _score(metrics.accuracy_score),
    "macro_f1": _score(metrics.f1_score, average="macro"),
    "balanced_accuracy": _score(metrics.balanced_accuracy_score),
    "recall": _of_class(metrics.recall_score),
    "precision": _of_class(metrics.precision_score),
    "missed_images": _missed,
    "weakest_class": _weakest,
    "trainable_weights": _trainable,
    "frozen_weights": _frozen,
    "learning_layers": _learning,
    "scaled_pixel": _pixel,
    "reason": _reason,
}

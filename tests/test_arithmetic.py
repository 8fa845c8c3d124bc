"""Shapes, parameters, multiply-adds and receptive fields, against hand calculations and Keras."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from keras_numbers import keras_model, profiled_flops, seen_pixels, trainable_parameters

from cnnkit.arithmetic import (
    IMAGE,
    Node,
    StackError,
    check_stack,
    formulas_of,
    has_weights,
    nodes_of,
    walk_nodes,
    walk_stack,
)
from cnnkit.config import names_of, read_layers

_LENET = [
    {"conv": {"filters": 6, "kernel_size": 5}},
    "pool",
    {"conv": {"filters": 16, "kernel_size": 5}},
    "pool",
    "flatten",
    {"dense": 120},
    {"dense": 84},
]


def _layers(*stack):
    return read_layers(list(stack))


def _numbers(rows):
    return {
        "shape": rows[-1].output_shape,
        "trained": sum(row.parameters for row in rows),
        "all": sum(row.parameters + row.non_trainable for row in rows),
        "flops": 2 * sum(row.multiply_adds for row in rows),
    }


def _keras_numbers(layers, shape):
    model = keras_model(layers, shape)
    return {
        "shape": model.output_shape[1:],
        "trained": trainable_parameters(model),
        "all": model.count_params(),
        "flops": profiled_flops(model),
    }


def test_lenet_by_hand():
    rows = walk_stack(_layers(*_LENET), (32, 32, 1))
    assert [row.output_shape for row in rows] == [
        (28, 28, 6),
        (14, 14, 6),
        (10, 10, 16),
        (5, 5, 16),
        (400,),
        (120,),
        (84,),
    ]
    assert [row.parameters for row in rows] == [156, 0, 2416, 0, 0, 48120, 10164]
    assert [row.multiply_adds for row in rows] == [117600, 0, 240000, 0, 0, 48000, 10080]
    assert [row.receptive_field for row in rows[:5]] == [
        (5, 5),
        (6, 6),
        (14, 14),
        (16, 16),
        (32, 32),
    ]
    assert [row.field_stride for row in rows[:5]] == [(1, 1), (2, 2), (2, 2), (4, 4), (0, 0)]
    assert {row.field_start for row in rows} == {(0, 0)}


# Arguments that each kind of layer is tried with, on a map of 12 x 10 x 6 unless a shape is given.
_SEQUENCE, _VOLUME = (12, 6), (6, 8, 10, 4)
_KERNEL = {"filters": 8, "kernel_size": 3}
_TRIED = {
    "AveragePooling1D": [(_SEQUENCE, {"pool_size": 2})],
    "AveragePooling3D": [(_VOLUME, {"pool_size": [1, 2, 3], "padding": "same"})],
    "BatchNormalization": [{}, {"axis": 1, "scale": False}],
    "CenterCrop": [{"height": 7, "width": 5}, {"height": 20, "width": 16}],
    "Conv1D": [(_SEQUENCE, {**_KERNEL, "padding": "causal", "dilation_rate": 2}),
               (_SEQUENCE, {**_KERNEL, "padding": "causal", "strides": 2})],
    "Conv1DTranspose": [(_SEQUENCE, {**_KERNEL, "strides": 2, "padding": "same"})],
    "Conv2D": [{**_KERNEL, "strides": [2, 3], "padding": "same"},
               {**_KERNEL, "pad": {"size": [[1, 2], [0, 3]], "mode": "zeros"}},
               {**_KERNEL, "pad": {"size": 2, "mode": "edge"}, "strides": 2},
               {**_KERNEL, "pad": {"size": [2, 1], "mode": "reflect"}, "dilation_rate": 2}],
    "Conv2DTranspose": [{**_KERNEL, "strides": 2, "padding": "same"},
                        {**_KERNEL, "strides": 2, "padding": "same", "output_padding": 1},
                        {**_KERNEL, "strides": 3, "padding": "same", "use_bias": False}],
    "Conv3D": [(_VOLUME, {**_KERNEL, "strides": 2})],
    "Cropping1D": [(_SEQUENCE, {"cropping": [1, 2]})],
    "Cropping2D": [{"cropping": [[1, 2], [0, 3]]}, {"cropping": [1, 2]}],
    "Cropping3D": [(_VOLUME, {}), (_VOLUME, {"cropping": [1, [2, 1], 3]})],
    "Dense": [{"units": 5}, ((7,), {"units": 5, "use_bias": False})],
    "DepthwiseConv1D": [(_SEQUENCE, {"kernel_size": 3, "depth_multiplier": 2})],
    "DepthwiseConv2D": [{"kernel_size": [3, 2], "depth_multiplier": 2, "pad": 1}],
    "GlobalAveragePooling1D": [(_SEQUENCE, {})],
    "GlobalMaxPooling1D": [(_SEQUENCE, {"keepdims": True})],
    "GlobalAveragePooling3D": [(_VOLUME, {})],
    "GlobalMaxPooling3D": [(_VOLUME, {})],
    "GroupNormalization": [{"groups": 3}, {"groups": -1, "scale": False},
                           {"groups": 3, "scale": False, "center": False}],
    "LayerNormalization": [{}, {"axis": [1, 2, 3]}, {"center": False},
                           {"center": False, "scale": False}],
    "MaxPooling1D": [(_SEQUENCE, {"strides": 1})],
    "MaxPooling3D": [(_VOLUME, {})],
    "Normalization": [{}, {"mean": 0.5, "variance": 0.1}, {"mean": [1], "variance": [2]},
                      {"axis": [3, 1], "mean": list(range(6)), "variance": [1] * 6}],
    "PReLU": [{}, {"shared_axes": [1, 2]}],
    "Permute": [{"dims": [2, 1, 3]}],
    "RepeatVector": [((7,), {"n": 3})],
    "Reshape": [{"target_shape": [-1, 6]}, {"target_shape": [720]}],
    "Resizing": [{"height": 5, "width": 30}],
    "SeparableConv1D": [(_SEQUENCE, {**_KERNEL, "depth_multiplier": 2})],
    "SeparableConv2D": [{**_KERNEL, "strides": 2, "pad": {"size": 1, "mode": "edge"}}],
    "SpatialDropout1D": [(_SEQUENCE, {"rate": 0.1})],
    "SpatialDropout3D": [(_VOLUME, {"rate": 0.1})],
    "UpSampling1D": [(_SEQUENCE, {})],
    "UpSampling2D": [{"size": [2, 3]}],
    "UpSampling3D": [(_VOLUME, {"size": 2})],
    "ZeroPadding1D": [(_SEQUENCE, {"padding": [0, 2]})],
    "ZeroPadding2D": [{"padding": [1, 2]}, {"padding": [[1, 2], [0, 3]]}],
    "ZeroPadding3D": [(_VOLUME, {"padding": 2})],
}  # fmt: skip
_REQUIRED = {
    "activation": "relu", "filters": 8, "kernel_size": 3, "pool_size": 2, "rate": 0.5,
    "scale": 0.5, "stddev": 0.1, "units": 4,
}  # fmt: skip
# The profiler does not count transposed 3-D convolutions.
_UNPROFILED = {"Conv3DTranspose"}


def _cases():
    from cnnkit.config.signatures import keras_api

    for name in names_of("layers"):
        arguments = keras_api()["layers"][name]["arguments"]
        required = {k: _REQUIRED[k] for k, v in arguments.items() if not v and k in _REQUIRED}
        shape = _VOLUME if name in _UNPROFILED else (12, 10, 6)
        for tried in _TRIED.get(name, [required]):
            yield (name, *tried) if isinstance(tried, tuple) else (name, shape, tried)


@pytest.mark.parametrize(("name", "shape", "arguments"), list(_cases()))
def test_every_kind_of_layer_has_the_numbers_of_keras_and_of_the_profiler(name, shape, arguments):
    layers = _layers({name: arguments} if arguments else name)
    ours, theirs = _numbers(walk_stack(layers, shape)), _keras_numbers(layers, shape)
    if name in _UNPROFILED:
        theirs["flops"] = ours["flops"]
    assert ours == theirs
    (node,) = nodes_of(layers)
    assert has_weights(node.kind, node.arguments) == bool(theirs["all"])


def test_the_layers_that_keras_does_not_have():
    squeeze = walk_stack(_layers({"squeeze_excite": 4}), (8, 8, 16))[0]
    assert squeeze.parameters == (16 + 1) * 4 + (4 + 1) * 16
    conv = {"conv": {"filters": 8, "kernel_size": 3, "padding": "same"}}
    layers = _layers(
        conv,
        {"residual": {"layers": [conv, {"squeeze_excite": 2}], "activation": "relu"}},
        {"residual": {"layers": [conv], "shortcut": ["batch_norm", conv]}},
        {"branches": [[conv], [], [{"branches": {"stacks": [[conv], [conv]], "merge": "add"}}]]},
    )
    assert _numbers(walk_stack(layers, (9, 7, 3))) == _keras_numbers(layers, (9, 7, 3))
    assert walk_stack(layers, (9, 7, 3))[-1].output_shape == (9, 7, 24)


def test_a_grouped_convolution_multiplies_only_within_its_groups():
    layers = _layers({"conv": {"filters": 6, "kernel_size": 3, "groups": 2}})
    row = walk_stack(layers, (8, 8, 4))[0]
    assert row.multiply_adds == 6 * 6 * 6 * (3 * 3 * 2)
    assert row.parameters == keras_model(layers, (8, 8, 4)).count_params() == 6 * (3 * 3 * 2 + 1)


_FEW, _PADDING = st.integers(1, 3), st.sampled_from(["valid", "same"])
_BORDER = st.fixed_dictionaries(
    {"size": st.integers(0, 2), "mode": st.sampled_from(["zeros", "edge", "reflect"])}
)


def _call(name, **arguments):
    return st.fixed_dictionaries(arguments).map(lambda given: {name: given})


_PLAIN = st.one_of(
    _call("conv", filters=_FEW, kernel_size=_FEW, strides=_FEW, padding=_PADDING,
          use_bias=st.booleans()),
    _call("conv", filters=_FEW, kernel_size=st.tuples(_FEW, _FEW), dilation_rate=_FEW),
    _call("conv", filters=_FEW, kernel_size=_FEW, strides=_FEW, pad=_BORDER),
    _call("depthwise_conv", kernel_size=_FEW, depth_multiplier=_FEW, padding=_PADDING),
    _call("separable_conv", filters=_FEW, kernel_size=_FEW, pad=_BORDER),
    _call("pool", type=st.sampled_from(["max", "average"]), pool_size=_FEW,
          strides=st.none() | _FEW, padding=_PADDING),
    _call("batch_norm", scale=st.booleans(), center=st.booleans()),
    _call("ZeroPadding2D", padding=_FEW),
    _call("Cropping2D", cropping=_FEW),
    st.sampled_from([
        "ReLU", "layer_norm", "PReLU", {"dropout": 0.5}, {"spatial_dropout": 0.1},
        {"activation": "gelu"}, {"group_norm": 1}, {"squeeze_excite": 2},
    ]),
)  # fmt: skip
_SAME = st.one_of(
    _call("conv", filters=_FEW, kernel_size=_FEW, padding=st.just("same")),
    _call("pool", pool_size=_FEW, strides=st.just(1), padding=st.just("same")),
    st.sampled_from(["batch_norm", {"squeeze_excite": 2}]),
)
_STRIDED = _call("conv", filters=_FEW, kernel_size=_FEW, strides=_FEW, padding=st.just("same"))
_STACK = st.lists(_SAME, min_size=1, max_size=2)
_BLOCK = st.one_of(
    st.tuples(_STRIDED, _STACK).map(lambda parts: {"residual": [parts[0], *parts[1]]}),
    st.tuples(_STACK, _STACK).map(lambda parts: {"branches": [*parts, []]}),
)
_STACKS = st.lists(st.one_of(_PLAIN, _PLAIN, _BLOCK), min_size=1, max_size=5)


_HEADS = st.sampled_from([["flatten"], ["global_pool", {"dense": 3}], []])


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(_STACKS, _HEADS)
def test_random_stacks_have_the_numbers_of_keras_and_of_the_profiler(stack, head):
    _assert_counted_as_keras_counts(stack, head)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(_STACKS, _HEADS)
def test_500_random_stacks_have_the_numbers_of_keras_and_of_the_profiler(stack, head):
    _assert_counted_as_keras_counts(stack, head)


def _assert_counted_as_keras_counts(stack, head):
    layers = _layers(*stack, *head)
    shape = (23, 20, 3)
    try:
        rows = walk_stack(layers, shape)
    except StackError as error:
        assume("does not fit" not in error.message and "can mirror at most" not in error.message)
        raise
    ours, theirs = _numbers(rows), _keras_numbers(layers, shape)
    if any(row.arguments.get("dilation_rate", 1) not in (1, [1, 1]) for row in rows):
        theirs["flops"] = ours["flops"]  # TensorFlow splits a padded map, and counts the padding
    assert ours == theirs


_ONES = {"kernel_initializer": "ones"}
_AVERAGE = {"type": "average"}
_LINEAR = st.one_of(
    _call("conv", filters=st.just(1), kernel_size=_FEW, strides=_FEW, padding=_PADDING,
          kernel_initializer=st.just("ones")),
    _call("conv", filters=st.just(1), kernel_size=_FEW, dilation_rate=_FEW,
          kernel_initializer=st.just("ones")),
    _call("conv", filters=st.just(1), kernel_size=_FEW, pad=st.just({"size": 1, "mode": "zeros"}),
          kernel_initializer=st.just("ones")),
    _call("pool", type=st.just("average"), pool_size=_FEW, strides=st.none() | _FEW,
          padding=_PADDING),
    _call("ZeroPadding2D", padding=_FEW),
    st.sampled_from([
        {"residual": [{"conv": {"filters": 1, "kernel_size": [3, 1], "padding": "same", **_ONES}}]},
        {"branches": {"merge": "add", "stacks": [
            [{"conv": {"filters": 1, "kernel_size": 5, "padding": "same", **_ONES}}],
            [{"pool": {**_AVERAGE, "pool_size": [1, 7], "strides": 1, "padding": "same"}}], []]}},
    ]),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_LINEAR, min_size=1, max_size=4), st.data())
def test_the_receptive_field_is_the_footprint_of_the_gradient(stack, data):
    layers, shape = _layers(*stack), (40, 36, 1)
    try:
        row = walk_stack(layers, shape)[-1]
    except StackError:
        assume(False)
    inside = [_positions(row, axis, shape[axis]) for axis in (0, 1)]
    assume(all(inside))
    position = [data.draw(st.sampled_from(positions)) for positions in inside]
    expected = tuple(_seen(row, axis, position[axis]) for axis in (0, 1))
    assert seen_pixels(keras_model(layers, shape), (*position, 0)) == expected


def _seen(row, axis, position):
    first = row.field_start[axis] + position * row.field_stride[axis]
    return first, first + row.receptive_field[axis] - 1


def _positions(row, axis, size):
    """Return the positions whose field is inside the image; others are cut off at the border."""
    ends = [(i, _seen(row, axis, i)) for i in range(row.output_shape[axis])]
    return [i for i, (first, last) in ends if first >= 0 and last < size]


def test_after_global_pooling_everything_that_a_window_reached_is_seen():
    conv = {"conv": {"filters": 1, "kernel_size": 2, "strides": 3, **_ONES}}
    layers = _layers(conv, "global_pool")
    row = walk_stack(layers, (12, 10, 1))[-1]
    assert (row.receptive_field, row.field_start) == ((11, 8), (0, 0))  # not the last 1 and 2
    assert seen_pixels(keras_model(layers, (12, 10, 1)), (0,)) == ((0, 10), (0, 7))


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        ({"group_norm": 1}, (28, 28)),
        ("layer_norm", (3, 3)),
        ({"squeeze_excite": 1}, (28, 28)),
        ({"UpSampling2D": 2}, None),
        ({"LayerNormalization": {"axis": [1, 2, 3]}}, (28, 28)),
    ],
)
def test_layers_that_look_beyond_a_window(layer, field):
    conv = {"conv": {"filters": 2, "kernel_size": 3}}
    assert walk_stack(_layers(conv, layer), (28, 28, 1))[-1].receptive_field == field


def _formulas(stack, shape):
    rows = walk_stack(_layers(*stack), shape)
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
@given(_STACKS)
def test_every_formula_gives_its_result(stack):
    try:
        rows = walk_stack(_layers(*stack, "flatten", {"dense": 3}), (23, 20, 3))
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


@pytest.mark.parametrize(
    ("stack", "path", "words"),
    [
        (
            ["pool"] * 5 + ["flatten"],
            (4,),
            "pool of 2 x 2 does not fit: the image is already 1 x 1 here (28 > 14 > 7 > 3 > 1)",
        ),
        (["flatten", {"conv": {"filters": 2, "kernel_size": 3}}], (1,), "conv needs maps"),
        (
            ["flatten", "flatten", "global_pool"],
            (2,),
            "flatten before it returns a row of 784 numbers",
        ),
        (
            [{"conv": {"filters": 4, "kernel_size": 3, "groups": 2}}, "flatten"],
            (0,),
            "groups=2 must",
        ),
        ([{"conv": {"filters": 4, "kernel_size": 3}}], (0,), "maps of 26 x 26 x 4"),
        (
            [{"residual": [{"conv": {"filters": 4, "kernel_size": 3}}]}, "flatten"],
            (0,),
            "the shortcut gives 28 x 28 x 1, but the layers inside give 26 x 26 x 4",
        ),
        (
            [{"residual": ["pool", {"conv": {"filters": 4, "kernel_size": 30}}]}, "flatten"],
            (0, "residual", "layers", 1),
            "conv of 30 x 30 does not fit: the image is already 14 x 14",
        ),
        (
            [{"residual": {"layers": ["ReLU"], "shortcut": ["pool"]}}, "flatten"],
            (0,),
            "the shortcut gives 14 x 14 x 1, but the layers inside give 28 x 28 x 1.",
        ),
        (
            [{"branches": [["pool"], []]}, "flatten"],
            (0,),
            "the branches end with different maps: 14 x 14 x 1, 28 x 28 x 1.",
        ),
        (
            [{"branches": [[], ["flatten", {"pool": 2}]]}, "flatten"],
            (0, "branches", "stacks", 1, 1),
            "pool needs maps",
        ),
        (
            [{"conv": {"filters": 1, "kernel_size": 3, "pad": {"size": 28, "mode": "reflect"}}}],
            (0,),
            "pad with mode: reflect can mirror at most 27 of the 28",
        ),
        (
            [{"residual": ["flatten", {"dense": 10}]}, "flatten"],
            (0,),
            "the shortcut gives 28 x 28 x 1, but the layers inside give 10, and no 1 x 1",
        ),
        (
            [{"conv": {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": [1, 2]}}],
            (0,),
            "strides of 2 and dilation_rate of [1, 2] cannot be combined",
        ),
        (
            [
                {
                    "Conv2DTranspose": {
                        "filters": 4,
                        "kernel_size": 3,
                        "strides": 2,
                        "dilation_rate": 2,
                    }
                }
            ],
            (0,),
            "strides of 2 and dilation_rate of 2 cannot be combined",
        ),
        (
            [
                {
                    "Conv2DTranspose": {
                        "filters": 4,
                        "kernel_size": 3,
                        "strides": [3, 2],
                        "output_padding": 2,
                    }
                }
            ],
            (0,),
            "output_padding of 2 must be less than strides",
        ),
        ([{"Normalization": {"mean": 1}}], (0,), "mean and variance belong together"),
        (
            [{"Normalization": {"mean": [1, 2], "variance": 1}}],
            (0,),
            "mean and variance belong together",
        ),
        (
            [{"Normalization": {"mean": [1, 2], "variance": [1, 2]}}],
            (0,),
            "mean and variance have 2 values, but axis -1 of 28 x 28 x 1 has size 1.",
        ),
        ([{"PReLU": {"shared_axes": [1, 4]}}], (0,), "28 x 28 x 1 has no axis [1, 4]"),
        ([{"group_norm": 2}, "flatten"], (0,), "groups=2 must divide the 1 channels"),
        ([{"Reshape": [3, 3]}, "flatten"], (0,), "784 numbers, which cannot be reshaped to 3 x 3"),
        ([{"layer_norm": {"axis": 4}}, "flatten"], (0,), "28 x 28 x 1 has no axis 4"),
        ([{"Conv1D": {"filters": 2, "kernel_size": 3}}], (0,), "it needs sequences"),
    ],
)
def test_an_impossible_stack_is_refused_at_its_layer(stack, path, words):
    with pytest.raises(StackError) as refused:
        check_stack(_layers(*stack), (28, 28, 1))
    assert refused.value.path == path
    assert words in refused.value.message


def test_shared_axes_of_a_saved_prelu_are_counted_as_keras_counts_them():
    prelu = Node((0,), "p", "PReLU", (IMAGE,), arguments={"shared_axes": [-1]})
    (row,) = walk_nodes([prelu], (32, 32, 3))
    assert row.parameters == 96  # -1 means the axis before the last one there


def test_after_a_layer_that_only_keras_knows_nothing_is_claimed():
    nodes = [Node((0,), "Mystery", "Mystery", (IMAGE,)), Node((1,), "ReLU", "ReLU", (0,))]
    for row in walk_nodes(nodes, (8, 8, 1)):
        assert (row.output_shape, row.parameters, row.multiply_adds) == (None, None, None)

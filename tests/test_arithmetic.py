"""Shapes, parameters and multiply-adds: by hand, as Keras counts them, as its profiler does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from keras_numbers import keras_model, profiled_flops, trainable_parameters
from stacks import STACKS, layers_of

from cnnkit.arithmetic import (
    IMAGE,
    Node,
    StackError,
    has_weights,
    nodes_of,
    walk_nodes,
    walk_stack,
)
from cnnkit.config import names_of

_LENET = [
    {"conv": {"filters": 6, "kernel_size": 5}},
    "pool",
    {"conv": {"filters": 16, "kernel_size": 5}},
    "pool",
    "flatten",
    {"dense": 120},
    {"dense": 84},
]


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
    rows = walk_stack(layers_of(*_LENET), (32, 32, 1))
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
    layers = layers_of({name: arguments} if arguments else name)
    ours, theirs = _numbers(walk_stack(layers, shape)), _keras_numbers(layers, shape)
    if name in _UNPROFILED:
        theirs["flops"] = ours["flops"]
    assert ours == theirs
    (node,) = nodes_of(layers)
    assert has_weights(node.kind, node.arguments) == bool(theirs["all"])


def test_the_layers_that_keras_does_not_have():
    squeeze = walk_stack(layers_of({"squeeze_excite": 4}), (8, 8, 16))[0]
    assert squeeze.parameters == (16 + 1) * 4 + (4 + 1) * 16
    conv = {"conv": {"filters": 8, "kernel_size": 3, "padding": "same"}}
    layers = layers_of(
        conv,
        {"residual": {"layers": [conv, {"squeeze_excite": 2}], "activation": "relu"}},
        {"residual": {"layers": [conv], "shortcut": ["batch_norm", conv]}},
        {"branches": [[conv], [], [{"branches": {"stacks": [[conv], [conv]], "merge": "add"}}]]},
    )
    assert _numbers(walk_stack(layers, (9, 7, 3))) == _keras_numbers(layers, (9, 7, 3))
    assert walk_stack(layers, (9, 7, 3))[-1].output_shape == (9, 7, 24)


def test_a_grouped_convolution_multiplies_only_within_its_groups():
    layers = layers_of({"conv": {"filters": 6, "kernel_size": 3, "groups": 2}})
    row = walk_stack(layers, (8, 8, 4))[0]
    assert row.multiply_adds == 6 * 6 * 6 * (3 * 3 * 2)
    assert row.parameters == keras_model(layers, (8, 8, 4)).count_params() == 6 * (3 * 3 * 2 + 1)


_HEADS = st.sampled_from([["flatten"], ["global_pool", {"dense": 3}], []])


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(STACKS, _HEADS)
def test_random_stacks_have_the_numbers_of_keras_and_of_the_profiler(stack, head):
    _assert_counted_as_keras_counts(stack, head)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(STACKS, _HEADS)
def test_500_random_stacks_have_the_numbers_of_keras_and_of_the_profiler(stack, head):
    _assert_counted_as_keras_counts(stack, head)


def _assert_counted_as_keras_counts(stack, head):
    layers = layers_of(*stack, *head)
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


def test_shared_axes_of_a_saved_prelu_are_counted_as_keras_counts_them():
    prelu = Node((0,), "p", "PReLU", (IMAGE,), arguments={"shared_axes": [-1]})
    (row,) = walk_nodes([prelu], (32, 32, 3))
    assert row.parameters == 96  # -1 means the axis before the last one there


def test_after_a_layer_that_only_keras_knows_nothing_is_claimed():
    nodes = [Node((0,), "Mystery", "Mystery", (IMAGE,)), Node((1,), "ReLU", "ReLU", (0,))]
    for row in walk_nodes(nodes, (8, 8, 1)):
        assert (row.output_shape, row.parameters, row.multiply_adds) == (None, None, None)

"""The receptive field is the region from which a gradient comes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from keras_numbers import keras_model, seen_pixels
from stacks import FEW, PADDING, drawn, layers_of

from cnnkit.arithmetic import (
    StackError,
    walk_stack,
)

_ONES = {"kernel_initializer": "ones"}
_AVERAGE = {"type": "average"}
_LINEAR = st.one_of(
    drawn("conv", filters=st.just(1), kernel_size=FEW, strides=FEW, padding=PADDING,
          kernel_initializer=st.just("ones")),
    drawn("conv", filters=st.just(1), kernel_size=FEW, dilation_rate=FEW,
          kernel_initializer=st.just("ones")),
    drawn("conv", filters=st.just(1), kernel_size=FEW, pad=st.just({"size": 1, "mode": "zeros"}),
          kernel_initializer=st.just("ones")),
    drawn("pool", type=st.just("average"), pool_size=FEW, strides=st.none() | FEW,
          padding=PADDING),
    drawn("ZeroPadding2D", padding=FEW),
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
    layers, shape = layers_of(*stack), (40, 36, 1)
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
    layers = layers_of(conv, "global_pool")
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
    assert walk_stack(layers_of(conv, layer), (28, 28, 1))[-1].receptive_field == field

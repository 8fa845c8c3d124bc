"""Shapes, parameters and receptive fields against hand numbers and Keras."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.arithmetic import StackError, check_stack, walk_stack
from cnnkit.config import config_from_dict


def _layers(*layers):
    data = {"source": "digits", "image_size": 256}
    # A head that fits anything keeps the config valid; the rows of interest come before it.
    model = {"layers": [*layers, "flatten"]}
    return config_from_dict({"data": data, "model": model}).model.layers[:-1]


def _keras_output(layers, shape):
    from cnnkit.backend import keras
    from cnnkit.layers import apply_layers

    image = keras.Input(shape)
    return keras.Model(image, apply_layers(layers, image))


def test_lenet_by_hand():
    conv1 = {"conv": {"filters": 6, "kernel_size": 5}}
    conv2 = {"conv": {"filters": 16, "kernel_size": 5}}
    layers = _layers(conv1, "pool", conv2, "pool", "flatten", {"dense": 120}, {"dense": 84})
    rows = walk_stack(layers, (32, 32, 1))
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
    assert [row.receptive_field for row in rows[:4]] == [(5, 5), (6, 6), (14, 14), (16, 16)]


_PADDING = st.sampled_from(["valid", "same"])
_SMALL = st.integers(1, 3)
_LAYER = st.one_of(
    st.builds(
        lambda f, k, s, p, b: {
            "conv": {"filters": 2 * f, "kernel_size": k, "strides": s, "padding": p, "use_bias": b}
        },
        _SMALL,
        _SMALL,
        _SMALL,
        _PADDING,
        st.booleans(),
    ),
    st.builds(
        lambda k, d: {"conv": {"filters": 4, "kernel_size": [k, 2], "dilation_rate": d}},
        _SMALL,
        _SMALL,
    ),
    st.builds(
        lambda m, p: {"DepthwiseConv2D": {"kernel_size": 3, "depth_multiplier": m, "padding": p}},
        _SMALL,
        _PADDING,
    ),
    st.builds(
        lambda f, p: {"SeparableConv2D": {"filters": f, "kernel_size": 3, "padding": p}},
        _SMALL,
        _PADDING,
    ),
    st.builds(
        lambda t, k, s, p: {"pool": {"type": t, "pool_size": k, "strides": s, "padding": p}},
        st.sampled_from(["max", "average"]),
        _SMALL,
        st.none() | _SMALL,
        _PADDING,
    ),
    st.builds(lambda s, c: {"batch_norm": {"scale": s, "center": c}}, st.booleans(), st.booleans()),
    st.builds(lambda p: {"ZeroPadding2D": {"padding": p}}, _SMALL),
    st.builds(lambda a, b: {"Cropping2D": {"cropping": [[a, b], [0, a]]}}, _SMALL, _SMALL),
    st.sampled_from(["ReLU", {"dropout": 0.5}, {"SpatialDropout2D": 0.1}, {"activation": "gelu"}]),
    st.builds(
        lambda f, s: {
            "residual": [
                {"conv": {"filters": f, "kernel_size": 3, "strides": s, "padding": "same"}}
            ]
        },
        _SMALL,
        _SMALL,
    ),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_LAYER, min_size=1, max_size=4), st.sampled_from(["flatten", "global_pool"]))
def test_random_stacks_have_keras_shapes_and_parameters(stack, head):
    layers = config_from_dict(
        {
            "data": {"source": "digits", "image_size": [256, 240]},
            "model": {"layers": [*stack, head]},
        }
    ).model.layers
    rows = walk_stack(layers, (256, 240, 3))
    model = _keras_output(layers, (256, 240, 3))
    assert rows[-1].output_shape == model.output_shape[1:]
    assert sum(row.parameters + row.non_trainable for row in rows) == model.count_params()
    assert sum(row.parameters for row in rows) == sum(
        int(np.prod(weight.shape)) for weight in model.trainable_weights
    )


def test_the_receptive_field_is_the_footprint_of_the_gradient():
    from cnnkit.backend import keras, tf

    layers = _layers(
        {"conv": {"filters": 2, "kernel_size": 3, "kernel_initializer": "ones"}},
        {"pool": {"type": "average", "pool_size": 2}},
        {
            "conv": {
                "filters": 1,
                "kernel_size": 3,
                "dilation_rate": 2,
                "kernel_initializer": "ones",
            }
        },
    )
    row = walk_stack(layers, (40, 40, 1))[-1]
    model = _keras_output(layers, (40, 40, 1))
    image = tf.Variable(keras.random.uniform((1, 40, 40, 1)))
    with tf.GradientTape() as tape:
        middle = model(image)[0, 6, 6, 0]
    touched = np.argwhere(tape.gradient(middle, image).numpy()[0, :, :, 0])
    assert row.receptive_field == tuple(touched.max(axis=0) - touched.min(axis=0) + 1)


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
            "flatten before it leaves a row of 784 numbers",
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
            "the shortcut carries 28 x 28 x 1 but the layers inside give 26 x 26 x 4",
        ),
        (
            [{"residual": ["pool", {"conv": {"filters": 4, "kernel_size": 30}}]}, "flatten"],
            (0, "residual", 1),
            "conv of 30 x 30 does not fit: the image is already 14 x 14",
        ),
    ],
)
def test_a_stack_that_cannot_be_is_refused_at_its_layer(stack, path, words):
    from cnnkit.config.calls import calls_kind

    with pytest.raises(StackError) as refused:
        check_stack(calls_kind("layers").read(stack), (28, 28, 1))
    assert refused.value.path == path
    assert words in refused.value.message


def test_behind_a_layer_that_only_keras_knows_nothing_is_claimed():
    layers = _layers({"conv": {"filters": 2, "kernel_size": 3}}, {"UpSampling2D": 2}, "ReLU")
    assert [row.output_shape for row in walk_stack(layers, (8, 8, 1))] == [(6, 6, 2), None, None]

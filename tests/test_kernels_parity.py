"""Convolution and pooling equal those of Keras, SciPy, Pillow and np.pad."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from cnnkit.arithmetic import times
from cnnkit.backend import keras
from cnnkit.explore.kernels.layer_chain import Chain, Pooling, run_chain
from cnnkit.explore.kernels.operators import OPERATORS, Kernel, Operator
from cnnkit.explore.kernels.sliding import Sliding

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
NUMPY_MODES = {"zeros": "constant", "edge": "edge", "reflect": "reflect"}


def numbers(shape, seed):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


def own(weights):
    return Operator("own", (Kernel(weights),))


def convolved(values, weights, sliding):
    return run_chain(values, own(weights), Chain(sliding))[-1].output


@st.composite
def convolutions(draw):
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    strides = draw(PAIR)
    dilation = draw(PAIR) if strides == (1, 1) else (1, 1)  # Keras takes one of the two
    window = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    padding = draw(st.sampled_from(["valid", "same"]))
    least = [1, 1] if padding == "same" else window
    shape = tuple(draw(st.integers(extent, 11)) for extent in least)
    return shape, size, Sliding(strides, padding, dilation_rate=dilation), draw(st.integers(0, 99))


@given(convolutions())
@settings(max_examples=60, deadline=None)
def test_convolution_is_that_of_keras(case):
    shape, size, sliding, seed = case
    values, weights = numbers(shape, seed), numbers(size, seed + 1)
    expected = keras.ops.conv(
        values[None, ..., None].astype("float32"),
        weights[..., None, None].astype("float32"),
        strides=sliding.strides,
        padding=sliding.padding,
        dilation_rate=sliding.dilation_rate,
    )
    expected = np.asarray(expected)[0, ..., 0]
    assert np.array_equal(convolved(values, weights, sliding), expected), times(shape)


@given(st.sampled_from(["max", "average"]), PAIR, PAIR, st.booleans(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_pooling_is_that_of_keras(kind, size, strides, same, seed):
    padding = "same" if same else "valid"
    values = numbers((3 + seed % 5, 3 + seed % 4, 3), seed) - 20  # negative: a border must not win
    pooling = Pooling(kind, size, Sliding(strides, padding))
    found = run_chain(values, None, Chain(pooling=pooling))[-1].output
    operation = getattr(keras.ops, f"{kind}_pool")
    expected = operation(values[None].astype("float32"), size, strides=strides, padding=padding)
    np.testing.assert_allclose(found, np.asarray(expected)[0], rtol=1e-6)


def test_pooling_without_a_stride_steps_by_its_size():
    values = numbers((9, 8), 0)
    pooling = Pooling("max", (3, 2), Sliding(None))
    layer = keras.layers.MaxPooling2D((3, 2))
    expected = np.asarray(layer(values[None, ..., None].astype("float32")))[0, ..., 0]
    assert np.array_equal(run_chain(values, None, Chain(pooling=pooling))[-1].output, expected)


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("pad", [(1, 1), (2, 1), (0, 3)])
def test_a_border_is_that_of_numpy(mode, pad):
    values, weights = numbers((5, 6, 3), 1), numbers((3, 2), 2)
    border = [(size, size) for size in pad]
    padded = np.pad(values, [*border, (0, 0)], NUMPY_MODES[mode])
    found = convolved(values, weights, Sliding(pad=pad, pad_mode=mode))
    assert np.array_equal(found, convolved(padded, weights, Sliding()))


def test_channels_are_filtered_separately():
    values, weights = numbers((6, 7, 3), 3), numbers((3, 3), 4)
    found = convolved(values, weights, Sliding(padding="same"))
    for channel in range(3):
        alone = convolved(values[..., channel], weights, Sliding(padding="same"))
        assert np.array_equal(found[..., channel], alone)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_kernel_is_applied_as_scipy_applies_it(name):
    values = numbers((12, 11), 5)
    found = run_chain(values, OPERATORS[name], Chain(Sliding(padding="same")))[-1].output
    parts = [
        scipy.ndimage.correlate(values, kernel.weights / kernel.divisor, mode="constant")
        for kernel in OPERATORS[name].kernels
    ]
    expected = parts[0] if len(parts) == 1 else np.sqrt(parts[0] ** 2 + parts[1] ** 2)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "filter_", "options"),
    [
        ("sobel_x", scipy.ndimage.sobel, {"axis": 1}),
        ("sobel_y", scipy.ndimage.sobel, {"axis": 0}),
        ("prewitt_x", scipy.ndimage.prewitt, {"axis": 1}),
        ("prewitt_y", scipy.ndimage.prewitt, {"axis": 0}),
        ("laplacian_4", scipy.ndimage.laplace, {}),
        ("box_blur", scipy.ndimage.uniform_filter, {"size": 3}),
        ("average_5x5", scipy.ndimage.uniform_filter, {"size": 5}),
    ],
)
def test_operators_are_those_of_scipy(name, filter_, options):
    values = numbers((9, 10), 6)
    found = run_chain(values, OPERATORS[name], Chain(Sliding(padding="same")))[-1].output
    expected = filter_(values, mode="constant", **options)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in OPERATORS if "magnitude" not in name])
def test_operators_on_a_picture_are_those_of_pillow(name):
    pixels = np.random.default_rng(7).integers(0, 256, (14, 15), dtype=np.uint8)
    (kernel,) = OPERATORS[name].kernels
    # Pillow applies a kernel upside down
    weights = kernel.weights[::-1].ravel().tolist()
    filter_ = ImageFilter.Kernel(kernel.weights.shape, weights, kernel.divisor)
    edge = kernel.weights.shape[0] // 2  # which Pillow leaves unfiltered
    expected = np.asarray(Image.fromarray(pixels).filter(filter_))[edge:-edge, edge:-edge]
    found = run_chain(pixels, OPERATORS[name], Chain())[-1].output
    assert np.abs(np.clip(found, 0, 255) - expected).max() <= 0.5

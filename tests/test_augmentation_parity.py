"""Each operation gives the same pixels, equally often, as the Keras layer of its name."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.stats import ks_2samp

from cnnkit.augmentation import build_augmentation
from cnnkit.augmentation.geometry import RandomPerspective
from cnnkit.augmentation.keras_layers import KerasStage, KeyedLayer
from cnnkit.augmentation.keys import Draws, image_keys
from cnnkit.augmentation.transforms import Size
from cnnkit.backend import keras, tf
from cnnkit.config.calls import Call
from cnnkit.data.pixels import PixelSettings

# OpenCV 5 interpolates at the exact place, OpenCV 4 at the nearest 1/32 pixel.
TOLERANCE = 1 if int(cv2.__version__.split(".")[0]) >= 5 else 8
NOT_RANDOM = ("auto_contrast", "equalization")
SIZES = [(80, 112), (61, 48)]


def sha256(number):
    """Return a string that could be the hash of a file."""
    return f"{number:016x}" * 4


def pictures(size, channels=3):
    """Return a picture of noise and a smooth one."""
    noise = np.random.default_rng(1).integers(0, 256, (*size, channels), dtype=np.uint8)
    y, x = np.mgrid[: size[0], : size[1]] / 9
    waves = [127 + 120 * np.sin(x + c) * np.cos(y - c) for c in range(channels)]
    return noise, np.stack(waves, axis=-1).round().astype(np.uint8)


def ours(name, image, *, number=0, **arguments):
    settings = PixelSettings(image.shape[:2], "rgb" if image.shape[-1] == 3 else "grayscale")
    augment = build_augmentation([Call(name, arguments)], settings)
    return augment.change_one(image, seed=0, epoch=0, sha256=sha256(number)).astype(int)


def layer_of(name, **arguments):
    layer = getattr(keras.layers, Call(name, {}).keras_name)
    return layer(**arguments) if name in NOT_RANDOM else layer(**arguments, seed=1)


def as_levels(pixels):
    return np.clip(np.rint(np.asarray(pixels)), 0, 255).astype(int)


GEOMETRY = [
    ("random_rotation", {"factor": [0.1, 0.1]}),
    ("random_rotation", {"factor": [-0.37, -0.37]}),
    ("random_zoom", {"height_factor": [0.13, 0.13]}),
    ("random_zoom", {"height_factor": [-0.31, -0.31], "width_factor": [0.17, 0.17]}),
    ("random_translation", {"height_factor": [0.23, 0.23], "width_factor": [-0.31, -0.31]}),
    ("random_shear", {"x_factor": [0.21, 0.21], "y_factor": [0.13, 0.13]}),
]


@pytest.mark.parametrize("fill_mode", ["reflect", "constant", "wrap", "nearest"])
@pytest.mark.parametrize(("name", "arguments"), GEOMETRY)
def test_geometry_gives_the_pixels_of_keras(name, arguments, fill_mode):
    arguments = {**arguments, "fill_mode": fill_mode, "fill_value": 33.0}
    for channels, size in zip((3, 1), SIZES, strict=True):
        for image in pictures(size, channels):
            for interpolation in ("bilinear", "nearest"):
                given = {**arguments, "interpolation": interpolation}
                signs = 2 if name == "random_shear" else 1
                batch = np.repeat(image[None].astype("float32"), 8 * signs, axis=0)
                expected = as_levels(layer_of(name, **given)(batch, training=True))
                # Places half-way between pixels are rounded up or down. TensorFlow does not blend
                # across wrapped edges.
                allowed = 0.08 if fill_mode == "wrap" else 0.015 * (interpolation == "nearest")
                results = set()
                for number in range(8 * signs - 7):
                    found = ours(name, image, number=number, **given)
                    wrong = min((abs(found - each) > TOLERANCE).mean() for each in expected)
                    assert wrong <= allowed, (size, interpolation, wrong)
                    results.add(found.tobytes())
                assert len(results) == signs


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_perspective_gives_the_pixels_of_keras(interpolation):
    noise, smooth = pictures((40, 56))
    size, is_changed = Size(40, 56), []
    layer = layer_of("random_perspective", interpolation=interpolation, fill_value=50.0)
    corners = np.array([[0, 0], [55, 0], [0, 39], [55, 39]], float)
    for number in range(12):
        keys = image_keys(0, 0, [sha256(number)], [0])
        matrix = RandomPerspective(scale=0.4).matrices(Draws(keys, 0), size)[0]
        is_changed.append(not np.array_equal(matrix, np.eye(3)))
        if not is_changed[-1]:
            continue
        moved = np.c_[corners, np.ones(4)] @ np.linalg.inv(matrix).T
        moved = moved[:, :2] / moved[:, 2:]
        limit = corners * 0.2 + 1e-9
        assert (abs(moved - corners) <= limit).all()
        for image in (noise, smooth):
            given = {"scale": 0.4, "interpolation": interpolation, "fill_value": 50.0}
            found = ours("random_perspective", image, number=number, **given)
            transformation = {
                "apply_perspective": np.array([True]),
                "start_points": corners[None],
                "end_points": moved[None],
            }
            expected = layer.transform_images(image[None].astype("float32"), transformation)[0]
            wrong = (abs(found - as_levels(expected)) > TOLERANCE).mean()
            assert wrong <= (0.015 if interpolation == "nearest" else 0.001), number
    assert 2 < sum(is_changed) < 10  # half of them


COLOURS = [
    ("random_brightness", {"factor": [0.3, 0.3]}),
    ("random_brightness", {"factor": [-0.7, -0.7]}),
    ("random_saturation", {"factor": [0.2, 0.2]}),
    ("random_saturation", {"factor": [0.9, 0.9]}),
    ("random_saturation", {"factor": [1.0, 1.0]}),
    ("random_saturation", {"factor": [-0.5, -0.5]}),
    ("random_hue", {"factor": [0.0, 0.0]}),
    ("random_hue", {"factor": [0.37, 0.37]}),
    ("random_hue", {"factor": [1.0, 1.0]}),
    ("random_color_degeneration", {"factor": [0.4, 0.4]}),
    ("random_color_degeneration", {"factor": [-0.5, -0.5]}),
    ("random_grayscale", {"factor": 1.0}),
    ("random_invert", {"factor": [1.0, 1.0]}),
    ("random_posterization", {"factor": [3, 3]}),
    ("solarization", {}),
    ("auto_contrast", {}),
    ("equalization", {}),
    ("random_sharpness", {"factor": [0.1, 0.1]}),
    ("random_sharpness", {"factor": [0.9, 0.9]}),
    ("random_gaussian_blur", {"factor": [1.0, 1.0], "kernel_size": 5, "sigma": [0.8, 0.8]}),
    ("random_gaussian_blur", {"factor": [1.0, 1.0], "kernel_size": 3, "sigma": [0.0, 0.0]}),
    ("random_erasing", {"factor": [1.0, 1.0], "scale": [1.0, 1.0], "fill_value": 77.3}),
]


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize(("name", "arguments"), COLOURS)
def test_colours_and_areas_give_the_pixels_of_keras(name, arguments, channels):
    if channels == 1 and name in ("random_saturation", "random_hue"):
        return  # refused, see test_augmentation.py
    if channels == 1 and name in ("random_color_degeneration", "random_grayscale"):
        for image in pictures((40, 56), 1):  # Keras 3.12 cannot: its matrix is for three channels
            assert np.array_equal(ours(name, image, **arguments), image)
        return
    layer = layer_of(name, **arguments)
    for image in pictures((40, 56), channels):
        batch = np.repeat(image[None].astype("float32"), 12, axis=0)
        expected = as_levels(layer(batch, training=True))
        signs = set()
        for number in range(8):  # the sign of the hue is drawn
            found = ours(name, image, number=number, **arguments)
            gaps = [abs(found - each).max() for each in expected]
            assert min(gaps) <= 1
            signs.add(found.tobytes())
        assert len(signs) == (2 if arguments == {"factor": [0.37, 0.37]} else 1)


@pytest.mark.parametrize("channels", [3, 1])
def test_contrast_gives_the_pixels_of_keras(channels):
    layer = layer_of("random_contrast", factor=[0.6, 0.6])
    times = Draws(image_keys(0, 0, [sha256(0)], [0]), 0).uniform(0.4, 1.6)
    for image in pictures((40, 56), channels):
        transformation = {"contrast_factor": times.astype("float32").reshape(1, 1, 1, 1)}
        expected = layer.transform_images(image[None].astype("float32"), transformation)[0]
        found = ours("random_contrast", image, factor=[0.6, 0.6])
        assert abs(found - as_levels(expected)).max() <= 1


def test_grey_pixels_have_no_hue():
    grey = np.repeat(pictures((8, 8), 1)[0], 3, axis=-1)
    assert abs(ours("random_hue", grey, factor=[0.8, 0.8]) - grey).max() <= 1


DRAWN = [
    ("random_flip", {}),
    ("random_flip", {"mode": "vertical"}),
    ("random_rotation", {"factor": 0.1}),
    ("random_rotation", {"factor": [-0.3, 0.1]}),
    ("random_zoom", {"height_factor": 0.4}),
    ("random_zoom", {"height_factor": [-0.5, -0.2], "width_factor": 0.3}),
    ("random_translation", {"height_factor": 0.2, "width_factor": [0.1, 0.3]}),
    ("random_shear", {"x_factor": 0.4, "y_factor": 0.2}),
    ("random_shear", {"x_factor": [0.1, 0.4]}),
    ("random_perspective", {}),
    ("random_perspective", {"factor": 0.5, "scale": 0.3}),
    ("random_brightness", {"factor": 0.3}),
    ("random_brightness", {"factor": [-0.5, 0.1]}),
    ("random_contrast", {"factor": 0.5}),
    ("random_contrast", {"factor": [0.2, 0.8]}),
    ("random_saturation", {"factor": 0.7}),
    ("random_saturation", {"factor": [0.3, 0.8]}),
    ("random_hue", {"factor": 0.5}),
    ("random_hue", {"factor": [0.2, 0.3]}),
    ("random_color_degeneration", {"factor": 0.5}),
    ("random_color_jitter", {"brightness_factor": 0.2, "contrast_factor": [0.1, 0.3]}),
    ("random_color_jitter", {"saturation_factor": 0.6, "hue_factor": 0.2}),
    ("random_grayscale", {"factor": 0.3}),
    ("random_invert", {}),
    ("random_invert", {"factor": [0.1, 0.3]}),
    ("random_posterization", {"factor": 5}),
    ("random_posterization", {"factor": [3, 7]}),
    ("solarization", {"addition_factor": 0.4, "threshold_factor": 0.6}),
    ("solarization", {"addition_factor": [0.2, 0.4], "threshold_factor": [0.5, 0.6]}),
    ("random_sharpness", {"factor": 0.8}),
    ("random_gaussian_blur", {"sigma": [0.7, 0.7]}),
    ("random_erasing", {}),
    ("random_erasing", {"factor": [0.5, 1.0], "scale": [0.1, 0.2], "fill_value": 3.0}),
]


@pytest.mark.parametrize(("name", "arguments"), DRAWN)
def test_results_are_distributed_like_those_of_keras(name, arguments):
    number = 1500
    image = np.random.default_rng(3).integers(0, 256, (11, 14, 3), dtype=np.uint8)
    batch = np.repeat(image[None], number, axis=0)
    expected = as_levels(layer_of(name, **arguments)(batch.astype("float32"), training=True))
    augment = build_augmentation([Call(name, arguments)], PixelSettings((11, 14)))
    keys = image_keys(0, 0, [sha256(i) for i in range(number)], np.zeros(number, int))
    found = augment.on_host(batch, keys)
    assert_alike(found, expected)


@pytest.mark.parametrize("arguments", [{}, {"num_ops": 1, "factor": 0.25}])
def test_rand_augment_is_distributed_like_that_of_keras(arguments):
    image = np.random.default_rng(3).integers(0, 256, (11, 14, 3), dtype=np.uint8)
    batch = np.repeat(image[None], 1500, axis=0)
    keys = image_keys(0, 0, [sha256(i) for i in range(1500)], np.zeros(1500, int))
    keras_stage = KerasStage([(0, KeyedLayer("RandAugment", arguments))], image.shape)
    expected = tf.function(keras_stage)(batch, keys).numpy()
    augment = build_augmentation([Call("rand_augment", arguments)], PixelSettings((11, 14)))
    assert_alike(augment.on_host(batch, keys), expected)


def assert_alike(found, expected):
    """Compare the distributions of single values."""
    for y, x, channel in [(0, 0, 0), (5, 7, 1), (10, 13, 2), (2, 11, 0), (8, 3, 1)]:
        pair = found[:, y, x, channel], expected[:, y, x, channel]
        assert ks_2samp(*pair, method="asymp").pvalue > 1e-4, (
            y,
            x,
            channel,
            pair[0].mean(),
            pair[1].mean(),
        )

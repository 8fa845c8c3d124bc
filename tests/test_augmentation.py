"""Augmentation: keys, joined resamplings, order, Keras layers, errors that name the call."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from cnnkit.augmentation import build_augmentation
from cnnkit.augmentation.keys import Draws, image_keys
from cnnkit.backend import tf
from cnnkit.config import config_from_text
from cnnkit.config.calls import Call, call_names
from cnnkit.config.own_calls import MIXING
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import ConfigError, UsageError
from configs import SMALL

RGB = PixelSettings((20, 24))
GRAY = PixelSettings((20, 24), "grayscale")
ARGUMENTS = {
    "random_brightness": {"factor": 0.3},
    "random_color_degeneration": {"factor": 0.5},
    "random_color_jitter": {"brightness_factor": 0.3, "saturation_factor": 0.3, "hue_factor": 0.2},
    "random_contrast": {"factor": 0.5},
    "random_crop": {"height": 12, "width": 14},
    "random_hue": {"factor": 0.5},
    "random_invert": {"factor": [0.5, 0.5]},
    "random_posterization": {"factor": 4},
    "random_rotation": {"factor": 0.2},
    "random_saturation": {"factor": 0.5},
    "random_sharpness": {"factor": 0.5},
    "random_shear": {"x_factor": 0.3, "y_factor": 0.3},
    "random_translation": {"height_factor": 0.2, "width_factor": 0.2},
    "random_zoom": {"height_factor": 0.3},
    "solarization": {"addition_factor": 0.5, "threshold_factor": 0.5},
}
NOT_RANDOM = {"auto_contrast", "contrast_limited_adaptive_histogram_equalization", "equalization"}
NEEDS_COLOURS = {"random_color_jitter", "random_hue", "random_saturation"}
NO_COLOURS_NO_CHANGE = {"random_color_degeneration", "random_grayscale"}
NAMES = sorted(set(call_names("augmentation")) - set(MIXING))
REPEATED_CALLS = (
    Call("random_flip", {}),
    Call("random_zoom", {"height_factor": 0.3}),
    Call("random_resized_crop", {}),
    Call("random_elastic_transform", {}),  # a Keras layer
    Call("random_perspective", {}),
    Call("random_hue", {"factor": 0.3}),
    Call("random_erasing", {}),
)


def call(name, **arguments):
    return Call(name, arguments)


def build(name, settings=RGB, **arguments):
    return build_augmentation([Call(name, arguments or ARGUMENTS.get(name, {}))], settings)


def noise(settings=RGB, seed=0):
    return np.random.default_rng(seed).integers(20, 200, settings.shape, dtype=np.uint8)


def pictures(settings=RGB, number=7):
    """Return one picture many times, so that all later differences come from the keys."""
    return np.stack([noise(settings)] * number)


def hashes(number):
    return [hashlib.sha256(bytes([index])).hexdigest() for index in range(number)]


def changed(augment, images, *, epoch=0):
    """Change the pictures one by one."""
    return np.stack(
        [
            augment.change_one(image, seed=0, epoch=epoch, sha256=digest)
            for image, digest in zip(images, hashes(len(images)), strict=True)
        ]
    )


def in_pipeline(augment, images, *, batch_size=4, threads=4):
    """Change the pictures in parallel with `tf.data`."""

    def first(batch, indices):
        digests = [hashes(len(images))[index] for index in indices]
        keys = augment.keys(0, 0, digests, np.zeros(len(digests), int))
        return augment.on_host(batch, keys), keys

    def change(batch, indices):
        shape = batch.shape
        batch, keys = tf.numpy_function(first, [batch, indices], (tf.uint8, tf.uint64))
        return augment.in_graph(tf.ensure_shape(batch, shape), keys)

    numbered = tf.data.Dataset.from_tensor_slices((images, np.arange(len(images))))
    batches = numbered.batch(batch_size).map(change, num_parallel_calls=threads)
    return np.concatenate([batch.numpy() for batch in batches])


# --- keys


@pytest.mark.parametrize("settings", [RGB, GRAY], ids=["rgb", "grayscale"])
@pytest.mark.parametrize("name", NAMES)
def test_every_operation_repeats_by_key(name, settings):
    if settings is GRAY and name in NEEDS_COLOURS:
        with pytest.raises(UsageError, match=rf"augmentation\[0\] \({name}\) cannot be used"):
            build(name, settings)
        return
    images = pictures(settings)
    augment = build(name, settings)
    first = in_pipeline(augment, images)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert np.array_equal(first, in_pipeline(build(name, settings), images, batch_size=3))
    assert np.array_equal(first, changed(augment, images))
    assert np.array_equal(images, pictures(settings))  # the input has not changed
    if settings is GRAY and name in NO_COLOURS_NO_CHANGE:
        assert np.array_equal(first, images)
        return
    assert (first != images).any()
    assert (len({pixels.tobytes() for pixels in first}) == 1) == (name in NOT_RANDOM)
    assert np.array_equal(first, changed(augment, images, epoch=1)) == (name in NOT_RANDOM)


def test_the_random_states_of_python_and_keras_have_no_effect():
    calls = [Call("rand_augment", {}), Call("random_elastic_transform", {"scale": 0.5})]
    calls += [Call("random_flip", {}), Call("random_erasing", {})]
    found = []
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        tf.random.set_seed(seed)
        cv2.setRNGSeed(seed)
        found.append(changed(build_augmentation(calls, RGB), pictures()))
    assert np.array_equal(*found)


def test_building_does_not_change_the_random_numbers_of_python():
    random.seed(0)
    expected = random.random()
    random.seed(0)
    build_augmentation([Call("random_flip", {}), Call("random_elastic_transform", {})], RGB)
    assert random.random() == expected


def test_any_number_of_threads_and_any_batch_give_the_same_bits():
    calls = [each for each in REPEATED_CALLS if each.name != "random_elastic_transform"]
    augment = build_augmentation(calls, RGB)
    images, keys = pictures(number=60), image_keys(0, 0, hashes(60), np.zeros(60, int))
    expected = augment.on_host(images.copy(), keys)
    assert np.array_equal(expected, changed(augment, images))
    for threads in (1, 2, 8):
        for size in (1, 7, 32):
            parts = [np.s_[start : start + size] for start in range(0, 60, size)]
            with ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(lambda p: augment.on_host(images[p].copy(), keys[p]), parts))
            assert np.array_equal(np.concatenate(found), expected), (threads, size)


def test_keys_differ_by_seed_epoch_content_and_occurrence():
    none = np.zeros(200, int)
    keys = image_keys(0, 0, hashes(200), none)
    assert keys.dtype == np.uint64
    others = [
        image_keys(1, 0, hashes(200), none),
        image_keys(0, 1, hashes(200), none),
        image_keys(0, 0, hashes(200), none + 1),
    ]
    assert len(set(np.concatenate([keys, *others]).tolist())) == 800
    assert np.array_equal(image_keys(0, 0, [hashes(8)[7], hashes(4)[3]], [0, 0]), keys[[7, 3]])


def test_keys_and_numbers_stay_as_they_were():
    """A release that draws other numbers trains other weights, so the change log must say so."""
    keys = image_keys(7, 3, ["00" * 7 + "01" + "ff" * 24], [2])
    assert keys.tolist() == [int(_fold(_fold(_fold(_fold(0, 7), 3), 1), 2))]
    draws = Draws(keys, 5)
    assert draws.bits().tolist() == [_fold(_fold(int(keys[0]), 5), 1)]
    unit = (_fold(_fold(int(keys[0]), 5), 2) >> 11) / 2**53
    assert draws.uniform(-1, 3).tolist() == [-1 + 4 * unit]


def _fold(key, number):
    """SplitMix64 in plain whole numbers."""
    bits = 2**64 - 1
    state = (key + 0x9E3779B97F4A7C15 * (number + 1)) & bits
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & bits
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & bits
    return state ^ (state >> 31)


def test_numbers_are_uniform_and_those_of_two_operations_are_independent():
    keys = image_keys(0, 0, [f"{index:016x}" for index in range(20_000)], np.zeros(20_000, int))
    first, second = Draws(keys, 0), Draws(keys, 1)
    columns = [first.uniform(), first.uniform(), second.uniform()]
    for column in columns:
        counts = np.histogram(column, 20, (0, 1))[0]
        assert abs(counts - 1000).max() < 150  # 4.9 standard deviations
    assert abs(np.corrcoef(columns) - np.eye(3)).max() < 0.035
    assert abs(np.corrcoef(columns[0][:-1], columns[0][1:])[0, 1]) < 0.035


def test_an_operation_draws_the_same_numbers_with_any_operation_after_it():
    flip, brightness = call("random_flip", mode="horizontal"), call("random_brightness", factor=0.3)
    longer = [flip, brightness, call("random_erasing"), call("random_hue", factor=0.1)]
    images = pictures(number=20)
    alone = changed(build_augmentation([flip, brightness], RGB), images)
    augment = build_augmentation(longer, RGB)
    for image, digest, expected in zip(images, hashes(20), alone, strict=True):
        found = augment.change_one(image, seed=0, epoch=0, sha256=digest, stop=2)
        assert np.array_equal(found, expected)


def test_it_repeats_in_parallel_under_deterministic_ops_in_another_process():
    code = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from cnnkit.backend import tf
tf.config.experimental.enable_op_determinism()
from test_augmentation import *
augment = build_augmentation(REPEATED_CALLS, RGB)
print(hashlib.sha256(in_pipeline(augment, pictures()).tobytes()).hexdigest())
"""
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    augment = build_augmentation(REPEATED_CALLS, RGB)
    here = hashlib.sha256(in_pipeline(augment, pictures()).tobytes()).hexdigest()
    assert done.stdout.strip() == here


def test_a_config_without_keras_layers_needs_no_tensorflow():
    code = """
import sys, numpy as np
from cnnkit.augmentation import build_augmentation
from cnnkit.config.calls import Call
from cnnkit.data.pixels import PixelSettings
augment = build_augmentation([Call("random_rotation", {"factor": 0.1})], PixelSettings((8, 8)))
augment.change_one(np.zeros((8, 8, 3), np.uint8), seed=0, epoch=0, sha256="0" * 64)
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- one resampling


ROTATION = call("random_rotation", factor=[0.07, 0.07])
SHIFT = call("random_translation", height_factor=[0.1, 0.1], width_factor=[-0.2, -0.2])
ZOOM = call("random_zoom", height_factor=[-0.2, -0.2])


def test_geometric_operations_become_one_resampling():
    height, width = 40, 60
    settings = PixelSettings((height, width))
    image = noise(settings)
    angle, x, y = 0.07 * 2 * np.pi, (width - 1) / 2, (height - 1) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rows, columns = np.mgrid[:height, :width]
    place = np.stack([columns, rows], axis=-1) + [0.2 * width, -0.1 * height]  # the last one first
    place = (place - [x, y]) * 0.8 + [x, y]
    place = (place - [x, y]) @ turn.T + [x, y]
    expected = cv2.remap(
        image, place.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    found = build_augmentation([ROTATION, ZOOM, SHIFT], settings).change_one(
        image, seed=0, epoch=0, sha256="0" * 64
    )
    assert abs(found.astype(int) - expected).max() <= 8  # OpenCV 4 rounds places to 1/32 pixel
    assert abs(found.astype(int) - expected).mean() < 1


def test_one_resampling_is_sharper_than_two_and_opposite_turns_cancel():
    back = call("random_rotation", factor=[-0.07, -0.07])
    image = noise()
    only = build_augmentation([ROTATION], RGB)
    once = only.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    joined = build_augmentation([ROTATION, back], RGB)
    found = joined.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    assert abs(found.astype(int) - image).max() <= 1
    assert once.std() < 0.9 * found.std()


def is_joined(*calls):
    """Tell whether a turn and its opposite give the picture back, with operations in between."""
    opposite = Call("random_rotation", {**calls[0].arguments, "factor": [-0.07, -0.07]})
    opposite = calls[-1] if len(calls) > 1 and calls[-1].name == "random_rotation" else opposite
    between = [each for each in calls[1:] if each.name != "random_rotation"]
    y, x = np.mgrid[:41, :41]
    settings = PixelSettings((41, 41))
    image = np.random.default_rng(0).integers(90, 110, settings.shape, dtype=np.uint8)
    augment = build_augmentation([calls[0], *between, opposite], settings)
    plain = build_augmentation(between, settings)
    found = augment.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    if plain is not None:
        image = plain.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    middle = (abs(x - 20) < 8) & (abs(y - 20) < 8)
    return abs(found.astype(int) - image)[middle].max() <= 2


def test_which_operations_are_joined():
    constant = call("random_rotation", factor=[0.07, 0.07], fill_mode="constant")
    brighter = call("random_brightness", factor=[0.1, 0.1])
    contrast = call("random_contrast", factor=[0.0, 0.0])
    assert is_joined(ROTATION)
    assert is_joined(ROTATION, brighter)
    assert is_joined(ROTATION, brighter, contrast)
    assert is_joined(constant)
    assert not is_joined(constant, brighter)  # its border must not become brighter
    assert not is_joined(ROTATION, call("random_erasing", factor=[0.0, 0.0]))
    assert not is_joined(ROTATION, call("random_sharpness", factor=[0.0, 0.0]))
    other = call("random_rotation", factor=[-0.07, -0.07], fill_mode="nearest")
    assert not is_joined(ROTATION, other)
    other = call("random_rotation", factor=[-0.07, -0.07], fill_value=9.0)
    assert is_joined(ROTATION, other)  # reflect fills with no value
    other = call("random_rotation", factor=[-0.07, -0.07], fill_mode="constant", fill_value=9.0)
    assert not is_joined(constant, other)


def test_a_filled_border_keeps_its_value_when_brightness_comes_before():
    calls = [
        call("random_flip"),
        call("random_brightness", factor=[0.2, 0.2]),
        call("random_translation", height_factor=0, width_factor=[0.5, 0.5], fill_mode="constant"),
    ]
    image = np.full(RGB.shape, 100, np.uint8)
    augment = build_augmentation(calls, RGB)
    found = augment.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    assert (found[:, :12] == 0).all()
    assert (found[:, 12:] == 151).all()


@pytest.mark.parametrize("settings", [RGB, GRAY], ids=["rgb", "grayscale"])
def test_unchanged_and_mirrored_pictures_have_exact_pixels(settings):
    still = [
        call("random_rotation", factor=0.0),
        call("random_zoom", height_factor=0.0),
        call("random_translation", height_factor=0.0, width_factor=0.0),
        call("random_shear"),
        call("random_crop", height=20, width=24),
        call("random_resized_crop", scale=[1.0, 1.0], ratio=[1.2, 1.2]),
    ]
    images = np.stack([noise(settings, seed) for seed in range(40)])
    assert np.array_equal(changed(build_augmentation(still, settings), images), images)
    for mode, mirrored in [
        ("horizontal", images[:, :, ::-1]),
        ("vertical", images[:, ::-1]),
        ("horizontal_and_vertical", images[:, ::-1, ::-1]),
    ]:
        augment = build_augmentation([*still, call("random_flip", mode=mode)], settings)
        found = changed(augment, images)
        is_same = (found == images).all(axis=(1, 2, 3))
        is_mirrored = (found == mirrored).all(axis=(1, 2, 3))
        assert (is_same | is_mirrored).all()
        assert 8 < is_mirrored.sum() < 32


def test_stop_gives_the_picture_after_each_operation():
    calls = [call("random_flip"), ROTATION, call("random_invert", factor=[1, 1]), SHIFT]
    augment = build_augmentation([*calls, call("mixup")], RGB)
    assert augment.names == (
        "random_flip",
        "random_rotation",
        "random_invert",
        "random_translation",
    )
    image = noise()
    for stop in range(5):
        expected = image
        if stop:
            shorter = build_augmentation(calls[:stop], RGB)
            expected = shorter.change_one(image, seed=1, epoch=2, sha256="7" * 64)
        found = augment.change_one(image, seed=1, epoch=2, sha256="7" * 64, stop=stop)
        assert np.array_equal(found, expected)
    assert np.array_equal(augment.change_one(image, seed=1, epoch=2, sha256="7" * 64), found)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (9, 3)])
def test_the_smallest_pictures_are_changed_too(size):
    settings = PixelSettings(size)
    calls = [each for each in REPEATED_CALLS if each.name != "random_perspective"]
    calls += [ROTATION, call("random_translation", height_factor=0.5, width_factor=0.5)]
    images = pictures(settings, 5)
    augment = build_augmentation(calls, settings)
    found = changed(augment, images)
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    assert np.array_equal(found, in_pipeline(augment, images, batch_size=2))
    assert len({pixels.tobytes() for pixels in found}) == 5  # each by its own random numbers


# --- single operations


def test_brightness_adds_one_number_to_all_pixels_within_the_factor():
    images = np.full((30, *RGB.shape), 100, np.uint8)
    found = changed(build("random_brightness", factor=0.2), images).astype(int)
    assert (found.max(axis=(1, 2, 3)) == found.min(axis=(1, 2, 3))).all()
    shifts = found[:, 0, 0, 0] - 100
    assert np.abs(shifts).max() <= 51  # 0.2 * 255
    assert shifts.min() < -20
    assert shifts.max() > 20


def test_results_are_rounded_and_clipped():
    images = np.full((30, *RGB.shape), 250, np.uint8)
    found = changed(build("random_brightness", factor=[0.5, 0.5]), images)
    assert (found == 255).all()
    layers = [Call("random_brightness", {"factor": [0.001, 0.001]})] * 3
    found = changed(build_augmentation(layers, RGB), np.full((2, *RGB.shape), 100, np.uint8))
    assert (found == 101).all()  # 100 + 3 * 0.255 = 100.765: rounded once, at the end


def test_a_crop_cuts_another_window_for_each_picture_and_scales_it_back():
    ramp = np.broadcast_to(np.arange(24, dtype=np.uint8)[None, :, None] * 10, RGB.shape)
    images = np.stack([ramp] * 20)
    found = changed(build("random_crop", height=19, width=12), images)
    assert found.shape == images.shape
    lefts = found[:, 0, 0, 0].astype(int)
    assert len(set(lefts)) > 3
    spans = found[:, 0, -1, 0].astype(int) - lefts
    assert (np.abs(spans - 115) <= 10).all()  # 11.5 columns of the 24, from centre to centre


def test_the_windows_of_a_resized_crop_have_the_area_and_ratio_of_the_config():
    settings = PixelSettings((200, 240), "grayscale")
    rows, columns = np.mgrid[:200, :240].astype(np.uint8)
    keys = image_keys(0, 0, hashes(200), np.zeros(200, int))
    augment = build("random_resized_crop", settings, scale=[0.2, 0.5], ratio=[0.5, 1.5])
    found = [
        augment.on_host(np.stack([one] * 200)[..., None], keys)[..., 0].astype(int)
        for one in (rows, columns)
    ]
    heights = (found[0][:, -50, 120] - found[0][:, 49, 120]) / 101 * 200
    widths = (found[1][:, 100, -50] - found[1][:, 100, 49]) / 141 * 240
    areas, ratios = heights * widths / (200 * 240), widths / heights
    assert 0.18 < areas.min() < 0.23
    assert 0.46 < areas.max() < 0.53
    assert 0.46 < ratios.min() < 0.6
    assert 1.3 < ratios.max() < 1.6
    assert abs((ratios < np.sqrt(0.5 * 1.5)).mean() - 0.5) < 0.12  # uniform in the logarithm
    assert len(np.unique(found[0][:, 0, 0])) > 50


def test_a_resized_crop_that_never_fits_takes_the_largest_window_in_the_middle():
    settings = PixelSettings((20, 100), "grayscale")
    image = np.broadcast_to(np.arange(100, dtype=np.uint8)[None, :, None], settings.shape)
    augment = build("random_resized_crop", settings, scale=[0.9, 1.0], ratio=[0.5, 1.0])
    found = augment.change_one(image, seed=0, epoch=0, sha256="0" * 64)
    assert found[0, 0, 0] in (39, 40)  # columns 40 to 59
    assert found[0, -1, 0] in (59, 60)


def test_operations_apply_in_order():
    invert = Call("random_invert", {"factor": [1.0, 1.0]})
    brighter = Call("random_brightness", {"factor": [0.2, 0.2]})
    images = np.full((1, *RGB.shape), 100, np.uint8)
    assert changed(build_augmentation([invert, brighter], RGB), images)[0, 0, 0, 0] == 206
    assert changed(build_augmentation([brighter, invert], RGB), images)[0, 0, 0, 0] == 104


def test_keras_layers_and_our_own_run_in_the_order_of_the_config():
    brighter = Call("random_brightness", {"factor": [0.2, 0.2]})
    inverse = Call("random_invert", {"factor": [1.0, 1.0], "value_range": [0, 200]})
    augment = build_augmentation([brighter, inverse, brighter], RGB)
    images = np.full((1, *RGB.shape), 50, np.uint8)
    assert (changed(augment, images) == 150).all()  # 200 - (50 + 51) + 51
    assert (in_pipeline(augment, images) == 150).all()


@pytest.mark.parametrize("name", ["auto_contrast", "equalization"])
def test_a_picture_of_one_level_does_not_change(name):
    image = np.full(RGB.shape, 77, np.uint8)
    assert (changed(build(name), image[None]) == 77).all()


def test_another_value_range_runs_as_the_keras_layer():
    augment = build("random_brightness", factor=[0.5, 0.5], value_range=[0, 100])
    found = augment.change_one(np.full(RGB.shape, 30, np.uint8), seed=0, epoch=0, sha256="0" * 64)
    assert (found == 80).all()


# --- errors


def test_an_empty_section_is_no_augmentation():
    assert build_augmentation([], RGB) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (call("random_flip", mode="horizntal"), "unknown mode 'horizntal', expected horizontal, "),
        (call("random_brightness", factor=7), "factor must be in [-1, 1], received 7."),
        (call("random_contrast", factor=[0.1, 7]), "factor must be in [0, 1], received [0.1, 7]."),
        (call("random_rotation", factor=0.1, fill_mode="no"), "unknown fill_mode 'no', expected"),
        (call("random_zoom", height_factor=-1), "a factor of -1 leaves nothing of the image"),
        (call("random_gaussian_blur", kernel_size=4), "kernel_size must be odd, received 4."),
        (call("random_resized_crop", scale=[0.5, 0.1]), "the smaller first, received [0.5, 0.1]."),
        (call("random_elastic_transform", factor=7), "The `factor` argument should be a number"),
        (call("random_elastic_transform", fill_mode="no"), "Unknown `fill_mode`"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_error_for_a_wrong_value_names_the_call(bad, reason):
    with pytest.raises(UsageError) as caught:
        build_augmentation([call("random_flip", mode="horizontal"), bad], RGB)
    message = str(caught.value)
    start = f"augmentation[1] ({bad.name}) cannot be used for rgb images of 20 x 24 (3 channels): "
    assert message.startswith(start)
    assert reason in message
    assert "\n" not in message
    assert "\x1b" not in message


def test_perspective_needs_two_pixels_in_each_direction():
    with pytest.raises(UsageError, match="it needs images of at least 2 x 2 pixels"):
        build("random_perspective", PixelSettings((1, 8)))


def test_mixing_must_come_last_and_once():
    with pytest.raises(UsageError, match=r"augmentation\[0\] \(mixup\): .* Move random_flip above"):
        build_augmentation([call("mixup"), call("cutmix"), call("random_flip")], RGB)
    with pytest.raises(UsageError, match=r"augmentation\[1\] \(mixup\): mixup is given twice"):
        build_augmentation([call("mixup"), call("mixup")], RGB)
    text = SMALL + "augmentation:\n  - cutmix: [0.5, 1]\n  - random_flip\n"
    line = len(SMALL.splitlines()) + 2
    with pytest.raises(ConfigError, match=rf"{line}:5  augmentation\[0\]  cutmix mixes the images"):
        config_from_text(text)
    shown = config_from_text(SMALL + "augmentation: [random_flip, mixup: 0.3, cutmix]\n")
    assert shown.augmentation[1:] == (call("mixup", alpha=0.3), call("cutmix"))
    assert shown.augmentation[2].full_arguments == {"factor": 1.0}

"""Augmentation: single operations, their order, Keras layers, errors that name the call."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from augmentations import (
    REPEATED_CALLS,
    RGB,
    ROTATION,
    SHIFT,
    build,
    call,
    changed,
    hashes,
    in_pipeline,
    noise,
    pictures,
)

from cnnkit.augmentation import build_augmentation
from cnnkit.augmentation.keys import image_keys
from cnnkit.config import config_from_text
from cnnkit.config.calls import Call
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import ConfigError, UsageError
from configs import SMALL


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

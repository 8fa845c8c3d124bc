"""Geometric operations are joined, so that each image is resampled once."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from augmentations import GRAY, RGB, ROTATION, SHIFT, call, changed, noise

from cnnkit.augmentation import build_augmentation
from cnnkit.config.calls import Call
from cnnkit.data.pixels import PixelSettings

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

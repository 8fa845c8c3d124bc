"""Augmentation: every layer repeats by key, in any batch, eagerly and in a parallel map."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnkit.augmentation import build_augmentation
from cnnkit.backend import tf
from cnnkit.config.calls import Call
from cnnkit.config.signatures import keras_api
from cnnkit.data.batches import image_keys
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError

RGB = PixelSettings((20, 24))
GRAY = PixelSettings((20, 24), "grayscale")
ARGUMENTS = {
    "random_brightness": {"factor": 0.3},
    "random_color_degeneration": {"factor": 0.5},
    "random_color_jitter": {"brightness_factor": 0.3, "saturation_factor": 0.3, "hue_factor": 0.2},
    "random_contrast": {"factor": 0.5},
    "random_crop": {"height": 12, "width": 14},
    "random_hue": {"factor": 0.5},
    "random_invert": {"factor": 0.5},
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
REPEATED_CALLS = (Call("random_flip", {}), Call("random_zoom", {"height_factor": 0.3}))
NAMES = sorted(keras_api()["augmentation"])


def build(name, settings=RGB, **arguments):
    return build_augmentation([Call(name, arguments or ARGUMENTS.get(name, {}))], settings)


def pictures(settings=RGB, number=7):
    """Return one picture many times: what differs afterwards comes from the keys."""
    one = np.random.default_rng(0).integers(20, 200, settings.shape, dtype=np.uint8)
    return np.stack([one] * number)


def eager(augment, images, *, epoch=0):
    return augment(images, image_keys(0, epoch, tf.range(len(images)))).numpy()


def in_pipeline(augment, images, *, epoch=0, batch_size=4, parallel=4):
    numbered = tf.data.Dataset.from_tensor_slices((images, np.arange(len(images))))
    batches = numbered.batch(batch_size).map(
        lambda batch, indices: augment(batch, image_keys(0, epoch, indices)),
        num_parallel_calls=parallel,
        deterministic=True,
    )
    return np.concatenate([batch.numpy() for batch in batches])


@pytest.mark.parametrize("settings", [RGB, GRAY], ids=["rgb", "grayscale"])
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_repeats_by_key(name, settings):
    if settings is GRAY and name in NEEDS_COLOURS:
        with pytest.raises(UsageError, match=rf"augmentation\[0\] \({name}\): Keras refuses it"):
            build(name, settings)
        return
    images = pictures(settings)
    augment = build(name, settings)
    first = in_pipeline(augment, images)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert np.array_equal(first, in_pipeline(build(name, settings), images, batch_size=3))
    assert np.array_equal(first, eager(augment, images))
    if settings is GRAY and name in NO_COLOURS_NO_CHANGE:
        assert np.array_equal(first, images)
        return
    assert (first != images).any()
    assert (len({pixels.tobytes() for pixels in first}) == 1) == (name in NOT_RANDOM)
    assert np.array_equal(first, eager(augment, images, epoch=1)) == (name in NOT_RANDOM)


def test_python_and_keras_random_states_do_not_matter():
    calls = [Call("rand_augment", {}), Call("random_flip", {})]
    found = []
    for seed in (0, 1):
        random.seed(seed)
        tf.random.set_seed(seed)
        found.append(eager(build_augmentation(calls, RGB), pictures()))
    assert np.array_equal(*found)


def test_building_leaves_pythons_random_numbers_alone():
    random.seed(0)
    expected = random.random()
    random.seed(0)
    build_augmentation([Call("random_flip", {}), Call("rand_augment", {})], RGB)
    assert random.random() == expected


def test_a_flip_is_the_picture_or_its_mirror():
    images = pictures(number=40)
    found = eager(build("random_flip", mode="horizontal"), images)
    mirrored = images[:, :, ::-1]
    is_same = (found == images).all(axis=(1, 2, 3))
    is_mirrored = (found == mirrored).all(axis=(1, 2, 3))
    assert (is_same | is_mirrored).all()
    assert 8 < is_mirrored.sum() < 32


def test_brightness_adds_one_number_to_all_pixels_within_the_factor():
    images = np.full((30, *RGB.shape), 100, np.uint8)
    found = eager(build("random_brightness", factor=0.2), images).astype(int)
    assert (found.max(axis=(1, 2, 3)) == found.min(axis=(1, 2, 3))).all()
    shifts = found[:, 0, 0, 0] - 100
    assert np.abs(shifts).max() <= 51  # 0.2 * 255
    assert shifts.min() < -20
    assert shifts.max() > 20


def test_results_are_rounded_and_clipped():
    images = np.full((30, *RGB.shape), 250, np.uint8)
    found = eager(build("random_brightness", factor=[0.5, 0.5]), images)
    assert (found == 255).all()
    layers = [Call("random_brightness", {"factor": [0.001, 0.001]})] * 3
    found = eager(build_augmentation(layers, RGB), np.full((2, *RGB.shape), 100, np.uint8))
    assert (found == 101).all()  # 100 + 3 * 0.255 = 100.765: rounded once, at the end


def test_a_crop_takes_another_window_for_each_picture_and_is_scaled_back():
    ramp = np.broadcast_to(np.arange(24, dtype=np.uint8)[None, :, None] * 10, RGB.shape)
    images = np.stack([ramp] * 20)
    found = eager(build("random_crop", height=19, width=12), images)
    assert found.shape == images.shape
    lefts = found[:, 0, 0, 0].astype(int)
    assert len(set(lefts)) > 3
    spans = found[:, 0, -1, 0].astype(int) - lefts
    assert (np.abs(spans - 110) <= 10).all()  # 12 columns of the 24


def test_layers_apply_in_order():
    invert = Call("random_invert", {"factor": [1.0, 1.0]})
    brighter = Call("random_brightness", {"factor": [0.2, 0.2]})
    images = np.full((1, *RGB.shape), 100, np.uint8)
    assert eager(build_augmentation([invert, brighter], RGB), images)[0, 0, 0, 0] == 206
    assert eager(build_augmentation([brighter, invert], RGB), images)[0, 0, 0, 0] == 104


def test_an_empty_section_is_no_augmentation():
    assert build_augmentation([], RGB) is None


def test_a_value_that_keras_refuses_names_the_call():
    good = Call("random_flip", {"mode": "horizontal"})
    for bad in (
        Call("random_flip", {"mode": "sideways"}),
        Call("random_brightness", {"factor": 7}),
        Call("random_rotation", {"factor": 0.1, "fill_mode": "nothing"}),
    ):
        with pytest.raises(UsageError) as caught:
            build_augmentation([good, bad], RGB)
        assert f"augmentation[1] ({bad.name}): Keras refuses it for rgb pictures of 20 x 24" in str(
            caught.value
        )
        assert "\n" not in str(caught.value)
        assert "\x1b" not in str(caught.value)


def test_keys_differ_by_seed_epoch_and_index_and_not_by_batch():
    keys = image_keys(0, 0, tf.range(1000)).numpy()
    assert keys.shape == (1000, 2)
    assert keys.dtype == np.int32
    assert len({tuple(key) for key in keys}) == 1000
    assert np.array_equal(image_keys(0, 0, tf.constant([7, 3])).numpy(), keys[[7, 3]])
    for other in (image_keys(1, 0, tf.range(1000)), image_keys(0, 1, tf.range(1000))):
        assert not (keys == other.numpy()).all(axis=1).any()


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

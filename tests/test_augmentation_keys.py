"""The random numbers of an image depend on its key alone."""

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
from augmentations import (
    GRAY,
    REPEATED_CALLS,
    RGB,
    build,
    call,
    changed,
    hashes,
    in_pipeline,
    pictures,
)

from cnnkit.augmentation import build_augmentation
from cnnkit.augmentation.keys import Draws, image_keys
from cnnkit.backend import tf
from cnnkit.config.calls import Call, call_names
from cnnkit.config.own_calls import MIXING
from cnnkit.errors import UsageError

NOT_RANDOM = {"auto_contrast", "contrast_limited_adaptive_histogram_equalization", "equalization"}
NEEDS_COLOURS = {"random_color_jitter", "random_hue", "random_saturation"}
NO_COLOURS_NO_CHANGE = {"random_color_degeneration", "random_grayscale"}
NAMES = sorted(set(call_names("augmentation")) - set(MIXING))


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
from cnnkit.augmentation import build_augmentation
from augmentations import REPEATED_CALLS, RGB, in_pipeline, pictures
augment = build_augmentation(REPEATED_CALLS, RGB)
print(hashlib.sha256(in_pipeline(augment, pictures()).tobytes()).hexdigest())
"""
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    augment = build_augmentation(REPEATED_CALLS, RGB)
    here = hashlib.sha256(in_pipeline(augment, pictures()).tobytes()).hexdigest()
    assert done.stdout.strip() == here

"""Worsened pictures and the views of test-time augmentation, compared with computations by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from cnnkit.evaluation.corruptions import CORRUPTIONS, NUM_STRENGTHS, all_corrupted, corrupt
from cnnkit.evaluation.test_time_views import views_of

_STRENGTHS = range(1, NUM_STRENGTHS + 1)


def _photo(height=48, width=64, channels=3, seed=0):
    """Return smooth structures with some detail, away from black and white."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(60, 190, (6, 8, channels)).repeat(height // 6, 0).repeat(width // 8, 1)
    return np.uint8(coarse + random.uniform(-10, 10, coarse.shape))


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_strength_is_further_from_the_picture(kind, channels):
    pixels = _photo(channels=channels)
    before = pixels.copy()
    copies = [corrupt(pixels, kind, strength) for strength in _STRENGTHS]
    assert (pixels == before).all()
    assert {(copy.shape, copy.dtype) for copy in copies} == {(pixels.shape, pixels.dtype)}
    differences = [np.abs(copy - pixels.astype(float)).mean() for copy in copies]
    assert differences[0] > 0.5 and differences == sorted(differences)


def test_noise_has_the_standard_deviation_that_it_says():
    grey = np.full((200, 200, 1), 128, np.uint8)
    for strength, share in zip((1, 2, 3), (0.04, 0.08, 0.12), strict=True):
        noisy = corrupt(grey, "noise", strength).astype(float)
        assert noisy.std() == pytest.approx(share * 255, rel=0.02)
        assert noisy.mean() == pytest.approx(128, abs=0.5)


def test_blur_is_scipys_gaussian_filter():
    pixels = _photo(96, 80, 1)
    sigma = 0.02 * 96
    # OpenCV's kernel, too, ends at three standard deviations.
    expected = gaussian_filter(pixels[..., 0].astype(float), sigma, mode="mirror", truncate=3)
    assert np.abs(corrupt(pixels, "blur", 3)[..., 0] - expected).max() < 1


def test_contrast_brightness_and_darkness_are_what_they_say():
    pixels = _photo()
    mean = pixels.mean(axis=(0, 1))
    assert np.abs(corrupt(pixels, "contrast", 2) - (mean + 0.5 * (pixels - mean))).max() <= 0.5
    lighter = corrupt(pixels, "brightness", 5)
    assert (lighter == np.clip(np.rint(pixels + 127.5), 0, 255)).all()
    darker = corrupt(pixels, "darkness", 1)
    assert (darker == np.clip(np.rint(pixels - 25.5), 0, 255)).all()


def test_jpeg_is_a_file_of_that_quality():
    pixels = _photo()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=10)
    assert (corrupt(pixels, "jpeg", 4) == np.asarray(Image.open(stream))).all()


def test_rotation_turns_half_of_the_pictures_to_each_side():
    dot = np.zeros((101, 101, 1), np.uint8)
    dot[50, 85:96] = 255  # to the right of the centre, at 40 pixels on average
    angles = []
    for seed in range(40):
        dot[0, 0] = seed  # another picture, so another side
        rows, columns = np.nonzero(corrupt(dot, "rotation", 5)[..., 0] > 100)
        angles.append(round(np.degrees(np.arctan2(50 - rows.mean(), columns.mean() - 50))))
    assert set(angles) == {30, -30}
    assert 10 < angles.count(30) < 30


@settings(deadline=None)
@given(st.integers(0, 99))
def test_a_copy_depends_on_the_pixels_alone(seed):
    pixels = _photo(12, 16, seed=seed)
    first = all_corrupted(pixels)
    assert first.shape == (len(CORRUPTIONS) * NUM_STRENGTHS, *pixels.shape)
    all_corrupted(_photo(12, 16, seed=seed + 1))  # what was done before changes nothing
    assert (all_corrupted(np.asfortranarray(pixels)) == first).all()


def test_noise_differs_from_picture_to_picture():
    grey = np.full((20, 20, 1), 128, np.uint8)
    other = grey.copy()
    other[0, 0] += 1
    assert (corrupt(grey, "noise", 1) != corrupt(other, "noise", 1)).mean() > 0.5


def test_flips_are_the_picture_and_its_mirror_image():
    pixels = _photo(6, 8, 1)
    views = views_of(pixels, "flips")
    assert (views[0] == pixels).all() and (views[1, :, 0] == pixels[:, -1]).all()
    assert len(views) == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_show_the_corners_and_the_centre(channels):
    pixels = _photo(48, 64, channels)
    views = views_of(pixels, "crops")
    assert views.shape == (6, 48, 64, channels) and views.dtype == np.uint8
    assert (views[0] == pixels).all()
    corners = [(view[0, 0], view[-1, -1]) for view in views[1:]]
    for (top, bottom), (row, column) in zip(
        corners, [(0, 0), (0, 8), (6, 0), (6, 8), (3, 4)], strict=True
    ):
        # 42 x 56 pixels, enlarged: the outer ones keep their value.
        assert (top == pixels[row, column]).all()
        assert (bottom == pixels[row + 41, column + 55]).all()

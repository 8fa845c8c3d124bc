"""Images with similar features are close together on the map of a split."""

from __future__ import annotations

import numpy as np
import pytest

from cnnkit.explanation.split_map import map_places


def test_two_groups_stay_apart():
    random = np.random.default_rng(0)
    groups = np.repeat(np.eye(2, 20), 30, axis=0) + random.normal(0, 0.05, (60, 20))
    places = map_places(groups)
    assert places.shape == (60, 2)
    assert places.min() == 0 and places.max() == 1
    middles = places[:30].mean(axis=0), places[30:].mean(axis=0)
    nearest = [np.linalg.norm(places - middle, axis=1) for middle in middles]
    assert ((nearest[0] < nearest[1]) == (np.arange(60) < 30)).all()


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (4, 1), (5, 3)])
def test_few_images_and_few_features_have_places(shape):
    places = map_places(np.random.default_rng(0).normal(size=shape))
    assert places.shape == (shape[0], 2) and np.isfinite(places).all()


def test_equal_images_are_at_one_place():
    assert np.ptp(map_places(np.ones((6, 4))), axis=0).tolist() == [0, 0]

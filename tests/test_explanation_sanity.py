"""Maps depend on the weights, lie on what decides, and beat maps that know nothing of the model.

Source of the first: Adebayo et al. 2018, arXiv:1810.03292.
"""

from __future__ import annotations

import numpy as np
import pytest
from planted_patches import patched_image, train_on_patches
from scipy.stats import spearmanr

from cnnkit.explanation.faithfulness import deletion_and_insertion, resized_map
from cnnkit.explanation.gradients import ScoredGraph
from cnnkit.explanation.methods import METHODS, heat_map
from cnnkit.explanation.target import Target
from cnnkit.explore.features.opened_model import find_model
from cnnkit.runtimes import load_predictor

_POINTS = ("grad-cam", "grad-cam++", "layer-cam", "occlusion")
_NUM_IMAGES = 6


@pytest.fixture(scope="module")
def run(made_once):
    return made_once("patches", train_on_patches) / "runs" / "patches"


@pytest.fixture(scope="module")
def predictor(run):
    return load_predictor(run, run.parent)


@pytest.fixture(scope="module")
def model(run):
    return find_model(str(run), run.parent, lambda text: None).load()


def _images():
    random = np.random.default_rng(1)
    return [(label, *patched_image(random, 2 - 2 * label)) for label in [0, 1] * (_NUM_IMAGES // 2)]


@pytest.fixture(scope="module")
def decided(predictor):
    """Return the images whose answer changes if the patch is covered with noise.

    A model may learn one of two classes as the absence of the other; then no place speaks for it.
    """
    random = np.random.default_rng(3)
    found = []
    for label, pixels, rows, columns in _images():
        covered = pixels.copy()
        covered[rows, columns] = random.integers(60, 140, covered[rows, columns].shape)
        if predictor(covered[None])[0].argmax() != label:
            found.append((label, pixels, rows, columns))
    assert len(found) >= _NUM_IMAGES // 2
    return found


def test_the_model_has_learned_the_patches(predictor):
    answers = [predictor(pixels[None])[0].argmax() for _, pixels, *_ in _images()]
    assert answers == [label for label, *_ in _images()]


@pytest.mark.parametrize("method", METHODS)
def test_the_map_lies_on_the_patch_that_decides(method, model, predictor, decided):
    shares = []
    for label, pixels, rows, columns in decided:
        found = heat_map(
            method, pixels, Target(label), probabilities_of=predictor, steps=model.steps
        )
        heat = np.maximum(resized_map(found.values, pixels.shape[:2]), 0)
        shares.append(heat[rows, columns].sum() / heat.sum())
    # The patch is a sixteenth of the image.
    assert np.mean(shares) > (0.35 if method in _POINTS else 0.2)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "occlusion"])
def test_other_weights_give_another_map(method, model, run, predictor):
    from cnnkit.backend import keras
    from cnnkit.explore.features.model_graph import steps_of

    fresh = keras.models.clone_model(model.model)
    random = np.random.default_rng(0)
    weights = model.model.get_weights()
    fresh.set_weights([random.permuted(each.ravel()).reshape(each.shape) for each in weights])
    alike = []
    for label, pixels, *_ in _images():
        maps = [
            heat_map(method, pixels, Target(label), probabilities_of=predictor, steps=steps).values
            for steps in (model.steps, steps_of(fresh))
        ]
        if all(np.ptp(each) for each in maps):
            alike.append(spearmanr(maps[0].ravel(), maps[1].ravel()).statistic)
    assert np.mean(alike or [0]) < 0.6


def test_integrated_gradients_sum_to_the_difference_of_logits(model):
    for label, pixels, *_ in _images():
        graph = ScoredGraph(model.steps, Target(label, against=1 - label))
        found = heat_map(
            "integrated-gradients", pixels, graph.target, probabilities_of=None, steps=model.steps
        )
        black, own = graph.scores(np.stack([np.zeros_like(pixels), pixels]))
        assert found.values.sum() == pytest.approx(own - black, rel=0.01)
        assert found.facts["completeness_error"] <= 0.01


@pytest.mark.parametrize("method", ["grad-cam", "layer-cam", "integrated-gradients", "occlusion"])
def test_deletion_and_insertion_beat_random_and_edges(method, model, predictor, decided):
    random = np.random.default_rng(2)
    gaps = []
    for label, pixels, *_ in decided:
        found = heat_map(
            method, pixels, Target(label), probabilities_of=predictor, steps=model.steps
        )
        grey = pixels.mean(axis=2)
        edges = np.hypot(*np.gradient(grey))
        scores = [
            deletion_and_insertion(
                lambda many, label=label: predictor(many)[:, label], pixels, heat
            )
            for heat in (found.values, random.random(grey.shape), edges)
        ]
        gaps.append([ins - dele for dele, ins in scores])
    own, by_chance, by_edges = np.mean(gaps, axis=0)
    assert own > by_chance and own > by_edges

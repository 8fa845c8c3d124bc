"""Maps lie on what decides, beat maps that know nothing of the model, and depend on the weights.

The last is the test of Adebayo et al. 2018, arXiv:1810.03292: the weights are randomised, from the
output layer on. A network with random weights still reacts most where an image has something, so
whole maps stay alike to some degree. Therefore every image has three things, of which one decides.
"""

from __future__ import annotations

import numpy as np
import pytest
from planted_patches import PATCH, SIDE, patched_image, train_on_patches, without
from randomised_models import randomised
from scipy.stats import spearmanr, wilcoxon
from similar_maps import scaled, ssim

from cnnkit.explanation.faithfulness import deletion_and_insertion, resized_map
from cnnkit.explanation.gradients import ModelGradients
from cnnkit.explanation.methods import METHODS, heat_map
from cnnkit.explanation.target import Target
from cnnkit.explore.features.model_graph import steps_of
from cnnkit.explore.features.opened_model import find_model

_NUM_IMAGES = 18
_REACH = 3  # pixels around a patch that a number of the last convolution sees too, at most
# These say where a pixel matters, for or against the class: they mark all patches.
_UNSIGNED = ("saliency", "smooth-grad")
_SIGNED = [method for method in METHODS if method not in _UNSIGNED]
_MANY_PASSES = ("smooth-grad", "integrated-gradients", "occlusion")  # through the model, per map


def _slow_if_many_passes(methods):
    slow = pytest.mark.slow
    return [pytest.param(each, marks=slow) if each in _MANY_PASSES else each for each in methods]


@pytest.fixture(scope="module")
def model(made_once):
    run = made_once("patches", train_on_patches) / "runs" / "patches"
    return find_model(str(run), run.parent, lambda text: None).load().model


@pytest.fixture(scope="module")
def images():
    """Return images with a patch that decides and two of other colours."""
    random = np.random.default_rng(1)
    return [patched_image(random, number % 3) for number in range(_NUM_IMAGES)]


def _answers(model):
    return lambda many: np.asarray(model(many, training=False))


def _map(method, model, pixels, label):
    found = heat_map(
        method,
        pixels,
        Target(label),
        probabilities_of=_answers(model),
        gradients=ModelGradients(steps_of(model)),
    )
    return resized_map(found.values, pixels.shape[:2])


def test_the_patch_decides_and_the_others_do_not(model, images):
    labels = np.array([image.label for image in images])

    def answers(pixels):
        return _answers(model)(np.stack(pixels)).argmax(axis=1)

    assert (answers([image.pixels for image in images]) == labels).all()
    assert (answers([without(image, image.patch) for image in images]) == 3).mean() > 0.75
    assert (answers([without(image, *image.others) for image in images]) == labels).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_highest_places_of_a_map_are_on_the_patch_that_decides(method, model, images):
    lift = []
    for image in images:
        near = np.zeros((SIDE, SIDE), bool)
        near[tuple(slice(max(0, s.start - _REACH), s.stop + _REACH) for s in image.patch)] = True
        heat = _map(method, model, without(image, *image.others), image.label)
        highest = np.argsort(-heat.ravel(), kind="stable")[: PATCH**2]
        lift.append(near.ravel()[highest].mean() / near.mean())  # 1 by chance
    assert np.mean(lift) > 2.5
    assert wilcoxon(np.array(lift) - 1, alternative="greater").pvalue < 0.01


@pytest.mark.parametrize("method", _slow_if_many_passes(_SIGNED))
def test_the_patch_that_decides_is_told_from_others_only_with_the_trained_weights(
    method, model, images
):
    def own_shares(network):
        """Return how much of what the map says about the three patches is on the right one."""
        shares = []
        for image in images:
            heat = np.maximum(_map(method, network, image.pixels, image.label), 0)
            sums = [heat[place].sum() for place in (image.patch, *image.others)]
            shares.append(sums[0] / sum(sums) if sum(sums) else 1 / 3)
        return np.array(shares)

    trained = own_shares(model)
    assert trained.min() > 0.4  # the highest of the three in every image
    for num_layers in (1, None):  # the output layer, and all
        by_chance = own_shares(randomised(model, seed=0, num_layers=num_layers))
        assert trained.mean() - by_chance.mean() > 0.2
        assert wilcoxon(trained - by_chance, alternative="greater").pvalue < 0.01


@pytest.mark.parametrize("method", _UNSIGNED)
def test_random_weights_destroy_the_order_of_the_pixels(method, model, images):
    own, random = (
        [_map(method, network, image.pixels, image.label).ravel() for image in images]
        for network in (model, randomised(model, seed=0))
    )
    same_image = np.mean([spearmanr(a, b).statistic for a, b in zip(own, random, strict=True)])
    other_image = np.mean([spearmanr(a, b).statistic for a in own for b in own if a is not b])
    assert same_image < min(0.25, other_image)


@pytest.mark.parametrize("method", _slow_if_many_passes(METHODS))
def test_with_random_weights_a_map_looks_no_more_alike_than_that_of_another_image(
    method, model, images
):
    """Rank correlations stay at 0.6 for Grad-CAM++ and LayerCAM, but the structure is gone."""
    own, random = (
        [_map(method, network, image.pixels, image.label) for image in images]
        for network in (model, randomised(model, seed=0))
    )
    same_image = np.mean([ssim(a, b) for a, b in zip(own, random, strict=True)])
    other_image = np.mean([ssim(a, b) for a in own for b in own if a is not b])
    assert same_image < other_image + 0.1 < 0.6  # 1 for a map that does not look at the weights


def test_the_structural_similarity_is_that_of_the_formula():
    random = np.random.default_rng(0)
    a, b = scaled(random.random((7, 7))), scaled(random.random((7, 7)))  # one window
    means = 2 * a.mean() * b.mean() + 1e-4, a.mean() ** 2 + b.mean() ** 2 + 1e-4
    spreads = 2 * np.cov(a.ravel(), b.ravel(), ddof=0)[0, 1] + 9e-4, a.var() + b.var() + 9e-4
    assert ssim(a, b) == pytest.approx(means[0] / means[1] * spreads[0] / spreads[1])
    assert ssim(a, 3 * a + 5) == pytest.approx(1)  # maps have no unit
    assert ssim(a, -a) < 0


@pytest.mark.parametrize("method", _slow_if_many_passes(METHODS))
def test_deletion_and_insertion_beat_random_and_edges(method, model, images):
    random = np.random.default_rng(2)
    gaps = []
    for image in images:
        grey = image.pixels.mean(axis=2)
        own = _map(method, model, image.pixels, image.label)
        scores = [
            deletion_and_insertion(
                lambda many, label=image.label: _answers(model)(many)[:, label], image.pixels, heat
            )
            for heat in (own, random.random(grey.shape), np.hypot(*np.gradient(grey)))
        ]
        gaps.append([inserted - deleted for deleted, inserted in scores])
    gaps = np.array(gaps)
    for baseline in (1, 2):
        better = gaps[:, 0] - gaps[:, baseline]
        assert better.mean() > 0.05
        assert wilcoxon(better, alternative="greater").pvalue < 0.01


def test_integrated_gradients_sum_to_the_difference_of_logits(model, images):
    gradients = ModelGradients(steps_of(model))
    for image in images:
        target = Target(image.label, against=(image.label + 1) % 3)
        found = heat_map(
            "integrated-gradients", image.pixels, target, probabilities_of=None, gradients=gradients
        )
        black, own = (
            gradients.of_images(pixels[None], target)[0][0]
            for pixels in (np.zeros_like(image.pixels), image.pixels)
        )
        assert found.values.sum() == pytest.approx(own - black, rel=0.01)
        assert found.facts["completeness_error"] <= 0.01


def test_compiled_gradients_are_those_of_single_images(model, images):
    gradients = ModelGradients(steps_of(model))
    pixels = np.stack([image.pixels for image in images[:3]])
    for target in (Target(0), Target(2, against=1)):
        scores, slopes = gradients.of_images(pixels, target)
        for image, score, slope in zip(pixels, scores, slopes, strict=True):
            [own], [own_slope] = gradients.of_images(image[None], target)
            assert score == pytest.approx(own, rel=1e-5)
            np.testing.assert_allclose(slope, own_slope, rtol=1e-3, atol=1e-6)

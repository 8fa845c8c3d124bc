"""The methods of `cnnkit explain` as pure functions, on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cnnkit.cli.explain import _METHODS
from cnnkit.errors import UsageError
from cnnkit.explanation.faithfulness import deletion_and_insertion, resized_map
from cnnkit.explanation.grad_cam import grad_cam
from cnnkit.explanation.grad_cam_plus_plus import grad_cam_plus_plus
from cnnkit.explanation.integrated_gradients import integrated_gradients
from cnnkit.explanation.layer_cam import layer_cam
from cnnkit.explanation.map_layers import chosen_layer
from cnnkit.explanation.map_notes import map_note
from cnnkit.explanation.methods import METHODS, HeatMap
from cnnkit.explanation.occlusion import occlusion
from cnnkit.explanation.smooth_grad import smooth_grad
from cnnkit.explanation.target import Target
from cnnkit.plots.explanation_picture import colour_limit

_MAPS = np.array([[[1.0, 2.0], [0.0, 4.0]]])  # 1 x 2 positions, two maps
_SLOPES = np.array([[[1.0, -1.0], [3.0, 0.0]]])


def test_the_command_offers_the_methods_that_exist():
    assert _METHODS == METHODS


def test_grad_cam_weighs_each_map_with_its_mean_gradient():
    # weights 2 and -0.5: 2 - 1 = 1, and 0 - 2 < 0
    np.testing.assert_allclose(grad_cam(_MAPS, _SLOPES), [[1, 0]])


def test_layer_cam_weighs_each_position_and_ignores_negative_gradients():
    np.testing.assert_allclose(layer_cam(_MAPS, _SLOPES), [[1, 0]])
    np.testing.assert_allclose(layer_cam(_MAPS, np.abs(_SLOPES)), [[3, 0]])


def test_grad_cam_plus_plus_by_hand():
    # map 0 (sum 1): a = 1/(2+1), 9/(18+27); w = 1/3 + 3/5. Map 1 (sum 6): 1/(2-6) < 0 has no say.
    weight = 1 / 3 + 9 / 45 * 3
    np.testing.assert_allclose(grad_cam_plus_plus(_MAPS, _SLOPES), [[weight, 0]])


def test_smooth_grad_of_a_linear_model_is_its_saliency():
    slope = np.arange(12, dtype=np.float32).reshape(2, 3, 2) - 5
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 2)).astype(np.uint8)
    found = smooth_grad(lambda images: (None, np.broadcast_to(slope, images.shape)), image)
    np.testing.assert_allclose(found, np.abs(slope).max(axis=2), rtol=1e-6)


def test_integrated_gradients_of_a_polynomial():
    image = np.array([[[2.0], [3.0]]])

    def gradients(images):  # of x0^2 x1
        first, second = images[:, 0, 0, 0], images[:, 0, 1, 0]
        slopes = np.stack([2 * first * second, first**2], axis=1)
        return first**2 * second, slopes.reshape(images.shape)

    found, error = integrated_gradients(gradients, image)
    # x0 times the integral of 2 a^2 x0 x1 = 2/3 of 12, x1 times that of a^2 x0^2 = 1/3 of 12
    np.testing.assert_allclose(found, [[8, 4]], rtol=1e-3)
    assert error < 1e-3


def test_integrated_gradients_take_more_points_where_the_score_changes():
    image = np.array([[[1.0]]])
    taken = []

    def gradients(images):  # of a step that is 0 below 0.5, and 1 above 0.502
        taken.extend(images.ravel())
        scores = np.clip((images.ravel() - 0.5) / 0.002, 0, 1)
        inside = (images > 0.5) & (images < 0.502)
        return scores, np.where(inside, 1 / 0.002, 0)

    found, error = integrated_gradients(gradients, image)
    assert found.item() == pytest.approx(1, abs=0.01)
    assert error <= 0.01
    near = np.abs(np.array(taken) - 0.501) < 0.05
    assert len(taken) < 300 and near.mean() > 0.25  # 0.1 if they were spread evenly


def test_occlusion_marks_the_only_pixel_that_counts():
    image = np.zeros((10, 10, 1), np.uint8)
    image[4, 6] = 255
    found = occlusion(lambda images: images[:, 4, 6, 0] / 255, image)
    assert found.shape == (10, 10)
    assert np.unravel_index(found.argmax(), found.shape) == (4, 6)
    assert found[0, 0] == 0
    assert found[4, 6] == pytest.approx(1 - 3 / 255)  # the mean colour of the image is 2.55


def test_a_map_of_what_counts_beats_its_opposite_in_deletion_and_insertion():
    image = np.zeros((16, 16, 3), np.uint8)
    image[2:5, 2:5] = 255
    heat = (image[..., 0] > 0).astype(np.float32)

    def probabilities(images):
        return images[:, 3, 3, 0] / 255

    deletion, insertion = deletion_and_insertion(probabilities, image, heat)
    worse_deletion, worse_insertion = deletion_and_insertion(probabilities, image, -heat)
    assert deletion < worse_deletion and insertion > worse_insertion


def test_a_map_is_resized_by_interpolation():
    np.testing.assert_allclose(
        resized_map(np.array([[0.0, 4.0]]), (1, 4)), [[0, 1, 3, 4]], atol=1e-6
    )


def test_against_subtracts_the_other_class():
    logits = np.array([[1.0, 5.0, 2.0]])
    assert Target(1).of(logits) == 5
    assert Target(1, against=2).of(logits) == 3


@pytest.mark.parametrize(
    ("method", "values", "facts", "expected"),
    [
        ("occlusion", [[0, 0]], {}, "0 everywhere: covering parts of the image does not change"),
        ("occlusion", [[-0.2, 0]], {}, "No number of the map is above 0"),
        ("occlusion", [[0.004, 0]], {}, "changes the probability by at most 0.004: no single part"),
        ("occlusion", [[0.5, -0.1]], {}, None),
        ("saliency", [[0.004, 0]], {}, None),
        ("integrated-gradients", [[1, 2]], {"completeness_error": 0.05}, "of cat: 5.0% is missing"),
        ("integrated-gradients", [[1, 2]], {"completeness_error": 0.01}, None),
    ],
)
def test_a_map_that_cannot_be_read_as_usual_has_a_note(method, values, facts, expected):
    found = map_note(HeatMap(method, np.array(values, np.float32), facts=facts), "cat")
    assert found is None if expected is None else expected in found


def test_a_few_pixels_do_not_decide_the_colours_of_all_others():
    heat = np.ones((20, 20))
    heat[:10] = 0.5
    assert colour_limit(heat) == 1
    heat[3, 4] = -50
    assert colour_limit(heat) == 1


def _steps(layers, size=(32, 32, 3)):
    from cnnkit.backend import keras
    from cnnkit.config import Call
    from cnnkit.explore.features.model_graph import steps_of
    from cnnkit.model.layers import apply_layers

    image = keras.Input(size)
    calls = tuple(Call(name, arguments) for name, arguments in layers)
    return steps_of(keras.Model(image, apply_layers(calls, image)))


_CONV = ("conv", {"filters": 4, "kernel_size": 3, "padding": "same"})


def test_the_layer_is_the_last_convolution_before_pooling():
    steps = _steps(
        [_CONV, ("pool", {}), _CONV, ("pool", {}), ("dropout", {"rate": 0.5}), ("flatten", {})]
    )
    assert steps[chosen_layer(steps, None)].name == "conv_2"
    assert steps[chosen_layer(steps, "pool_2")].name == "pool_2"


def test_a_map_of_2_by_2_is_not_chosen_if_there_is_a_larger_one():
    pools = [_CONV, ("pool", {})] * 4
    steps = _steps([*pools, _CONV, ("flatten", {})])
    assert steps[-2].shape[:2] == (2, 2)
    assert steps[chosen_layer(steps, None)].name == "conv_4"


def test_a_wrong_layer_lists_the_right_ones():
    steps = _steps([_CONV, ("pool", {}), ("flatten", {})])
    with pytest.raises(UsageError, match=r"no layer conv_7 with maps.*It has conv_1.* pool_1"):
        chosen_layer(steps, "conv_7")


def test_a_model_without_convolutions_has_no_layer():
    with pytest.raises(UsageError, match="has no convolutional layer.*--method saliency"):
        chosen_layer(_steps([("flatten", {}), ("dense", {"units": 3})]), None)


def test_branches_and_shortcuts_count_as_a_whole():
    from cnnkit.backend import keras
    from cnnkit.explore.features.model_graph import steps_of

    conv = lambda name: keras.layers.Conv2D(4, 3, padding="same", name=name)  # noqa: E731
    image = keras.Input((16, 16, 3))
    below = conv("below")(image)
    joined = keras.layers.Add(name="joined")([below, conv("inner")(below)])
    both = keras.layers.Concatenate(name="both")([conv("left")(joined), conv("right")(joined)])
    pooled = keras.layers.GlobalAveragePooling2D()(both)
    assert _chosen(steps_of(keras.Model(image, pooled))) == "both"
    # Branches that never meet as maps: the last layer before them is the last that sees all.
    apart = [keras.layers.GlobalAveragePooling2D()(conv(n)(joined)) for n in ("left2", "right2")]
    split = keras.Model(image, keras.layers.Concatenate()(apart))
    assert _chosen(steps_of(split)) == "joined"


def _chosen(steps):
    return steps[chosen_layer(steps, None)].name

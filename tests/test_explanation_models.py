"""Explanations of models of many kinds: networks of Keras, TF Hub modules, branches, one unit."""

from __future__ import annotations

import numpy as np
import pytest
from hub_modules import IMAGES, MapsModule, classifier_on, save_module
from keras_backbones import backbone

from cnnkit.errors import UsageError
from cnnkit.explanation.gradients import ModelGradients
from cnnkit.explanation.map_layers import chosen_layer
from cnnkit.explanation.methods import METHODS, OF_LAYERS, heat_map
from cnnkit.explanation.target import Target
from cnnkit.explore.features.model_graph import steps_of

_CONV = ("conv", {"filters": 6, "kernel_size": 3, "padding": "same", "activation": "relu"})


def _model(layers, size=(24, 24, 3), units=3):
    from cnnkit.backend import keras
    from cnnkit.config import Call
    from cnnkit.model.layers import apply_layers

    keras.utils.set_random_seed(0)
    image = keras.Input(size, dtype="uint8")
    values = keras.layers.Rescaling(1 / 255)(image)
    calls = tuple(Call(name, arguments) for name, arguments in layers)
    answer = keras.layers.Dense(units, activation="softmax" if units > 1 else "sigmoid")
    return keras.Model(image, answer(apply_layers(calls, values)))


def _image(size):
    return np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)


def _map(method, model, image, label=1, against=None):
    def probabilities(many):
        found = np.asarray(model(many, training=False))
        return found if found.shape[1] > 1 else np.concatenate([1 - found, found], axis=1)

    target = Target(label, against)
    gradients = ModelGradients(steps_of(model))
    return heat_map(method, image, target, probabilities_of=probabilities, gradients=gradients)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "layers",
    [
        pytest.param([_CONV, ("residual", [_CONV, _CONV]), ("global_pool", {})], id="residual"),
        pytest.param([_CONV, ("branches", [[_CONV], []]), ("global_pool", {})], id="branches"),
    ],
)
def test_grayscale_images_and_layers_that_are_not_in_a_row(layers, method):
    from cnnkit.config import Call

    def calls(layer):
        return Call(*layer)

    layers = [
        (name, {"layers": tuple(map(calls, inner))}) if name == "residual"
        else (name, {"stacks": tuple(tuple(map(calls, stack)) for stack in inner)})
        if name == "branches" else (name, inner)
        for name, inner in layers
    ]  # fmt: skip
    model = _model(layers, size=(24, 24, 1))
    found = _map(method, model, _image((24, 24, 1)))
    assert found.values.shape == (24, 24)
    assert np.isfinite(found.values).all()
    if found.layer:
        assert not found.layer.startswith("conv")  # the sum or the concatenation, as a whole


def test_one_sigmoid_unit_is_the_difference_of_two_logits():
    model = _model([_CONV, ("global_pool", {})], units=1)
    image = _image((24, 24, 3))
    found, opposite = (_map("integrated-gradients", model, image, label) for label in (1, 0))
    np.testing.assert_allclose(found.values, -opposite.values, atol=1e-6)
    against = _map("integrated-gradients", model, image, 1, against=0)
    np.testing.assert_allclose(against.values, 2 * found.values, atol=1e-6)
    covered, other = (_map("occlusion", model, image, label) for label in (1, 0))
    np.testing.assert_allclose(covered.values, -other.values, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_module_of_tf_hub_has_gradients_but_no_layers(method, hub_folder):
    from cnnkit.model.backbones.hub.hub_backbone import hub_backbone

    model = classifier_on(hub_backbone(str(hub_folder), (12, 12), 3))
    if method in OF_LAYERS:
        with pytest.raises(UsageError, match="has no convolutional layer whose maps can be seen"):
            _map(method, model, IMAGES[0])
        return
    found = _map(method, model, IMAGES[0])
    assert found.values.shape == (12, 12) and np.ptp(found.values) > 0
    assert found.facts.get("completeness_error", 0) <= 0.01


@pytest.mark.parametrize("method", OF_LAYERS)
def test_a_module_of_tf_hub_that_returns_maps_is_looked_at_as_a_layer(method, tmp_path):
    from cnnkit.backend import keras
    from cnnkit.model.backbones.hub.hub_backbone import hub_backbone

    folder = save_module(MapsModule(), tmp_path / "maps")
    maps = hub_backbone(str(folder), (12, 12), 3, value_range=(0, 1))
    pooled = keras.Model(maps.inputs, keras.layers.GlobalAveragePooling2D()(maps.output))
    found = _map(method, classifier_on(pooled), IMAGES[0])
    assert found.layer.endswith("hub_module")
    assert found.values.shape == (10, 10) and np.ptp(found.values) > 0


# The last layer with maps of at least 4 x 4 that every way through the network passes.
_LAYERS = {
    "MobileNetV2": "backbone/out_relu",
    "NASNetMobile": "backbone/activation_187",
    "InceptionResNetV2": "backbone/block17_20_ac",  # those after it are 2 x 2
    "MobileNetV3Large": "backbone/activation_19",
    "ConvNeXtTiny": "backbone/layer_normalization",
    "EfficientNetB0": "backbone/top_activation",
    "DenseNet121": "backbone/relu",
    "EfficientNetLite0": "backbone/top_activation",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", _LAYERS)
def test_networks_of_every_family_can_be_explained(name):
    from cnnkit.backend import keras

    keras.utils.set_random_seed(0)
    network = backbone(name, (128, 128))
    image = keras.Input((128, 128, 3), dtype="uint8")
    features = network(image, training=False)
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(features))
    steps = steps_of(model)
    chosen = steps[chosen_layer(steps, None)]
    assert chosen.name.split("_")[0] == _LAYERS[name].split("_")[0]
    assert min(chosen.shape[:2]) >= 4
    for method in METHODS:
        found = _map(method, model, _image((128, 128, 3)))
        assert np.isfinite(found.values).all()
        assert found.values.shape == (chosen.shape[:2] if found.layer else (128, 128))
        # Without training, MobileNetV2 gives all classes the same probability, to the last bit.
        assert found.layer or method == "occlusion" or np.ptp(found.values) > 0

"""A module of TF Hub as a backbone: its numbers, what learns, real modules."""

from __future__ import annotations

import numpy as np
import pytest
from hub_modules import (
    IMAGES,
    LABELS,
    ModuleWithoutTraining,
    TrainableModule,
    answers_of,
    changed_weights,
    classifier_on,
    fit_model,
    hub_weights,
    save_module,
)

from cnnkit.backend import tf
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.export import FORMATS
from cnnkit.export.onnx_file import write_onnx
from cnnkit.export.saved_model import write_saved_model
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.backbones.hub.hub_backbone import hub_backbone
from cnnkit.model.calibrated_layers import feature_model
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import load_predictor

_MOBILENET = "hub/mobilenet_v2_035_224_feature_vector"


def test_a_folder_becomes_a_backbone_from_raw_pixels_to_the_module_s_features(hub_folder):
    backbone = hub_backbone(str(hub_folder), (12, 12), 3)
    plain = tf.saved_model.load(str(hub_folder))(tf.constant(IMAGES / 255, tf.float32))
    assert backbone.name == "backbone"
    assert backbone.input.dtype == "uint8"
    assert backbone.output_shape == (None, 5)
    np.testing.assert_allclose(answers_of(backbone), plain, atol=1e-6)


@pytest.mark.parametrize("low_high", [(-1, 1), (0, 255)])
def test_the_config_can_set_the_value_range(hub_folder, low_high):
    low, high = low_high
    backbone = hub_backbone(str(hub_folder), (12, 12), 3, value_range=low_high)
    values = (IMAGES / 255 * (high - low) + low).astype(np.float32)
    plain = tf.saved_model.load(str(hub_folder))(tf.constant(values))
    np.testing.assert_allclose(answers_of(backbone), plain, atol=1e-4)


def test_a_module_that_takes_uint8_gets_the_pixels_unchanged(tmp_path):
    module = TrainableModule(uint8=True)
    folder = save_module(module, tmp_path / "bytes")
    backbone = hub_backbone(str(folder), (12, 12), 3)
    np.testing.assert_allclose(answers_of(backbone), module(IMAGES), atol=1e-4)
    with pytest.raises(UsageError, match=r"value_range: .* takes unchanged uint8 pixels"):
        hub_backbone(str(folder), (12, 12), 3, value_range=(0, 1))


def test_a_frozen_module_changes_nothing_and_adds_no_loss(hub_folder):
    backbone = hub_backbone(str(hub_folder), (12, 12), 3)
    backbone.get_layer("hub_module").batch_norm = "training"
    before, model = hub_weights(backbone), classifier_on(backbone)
    fit_model(model)
    assert len(model.trainable_weights) == 2  # of the head
    assert model.losses == []
    assert changed_weights(before, backbone) == set()


def test_the_variables_that_the_module_allows_learn_and_its_averages_stay(hub_folder):
    backbone = hub_backbone(str(hub_folder), (12, 12), 3, trainable=True)
    before, model = hub_weights(backbone), classifier_on(backbone)
    fit_model(model)
    assert len(model.trainable_weights) == 4
    assert changed_weights(before, backbone) == {"conv_kernel", "norm_offset"}


def test_the_averages_learn_if_batch_norm_is_training(hub_folder):
    backbone = hub_backbone(str(hub_folder), (12, 12), 3, trainable=True)
    backbone.get_layer("hub_module").batch_norm = "training"
    before, model = hub_weights(backbone), classifier_on(backbone)
    fit_model(model)
    assert changed_weights(before, backbone) == {
        "conv_kernel",
        "norm_offset",
        "norm_mean",
        "norm_variance",
    }


def test_a_backbone_can_be_unfrozen_and_frozen_again(hub_folder):
    backbone = hub_backbone(str(hub_folder), (12, 12), 3)
    before, model = hub_weights(backbone), classifier_on(backbone)
    for trainable, learned in ((True, {"conv_kernel", "norm_offset"}), (False, set())):
        backbone.trainable = trainable
        fit_model(model)
        assert changed_weights(before, backbone) == learned
        before = hub_weights(backbone)


def test_regularisation_losses_are_part_of_the_loss(hub_folder):
    backbone = hub_backbone(str(hub_folder), (12, 12), 3, trainable=True)
    model = classifier_on(backbone)
    expected = 0.01 * np.square(hub_weights(backbone)["conv_kernel"]).sum()
    answers = answers_of(model)
    cross_entropy = -np.log(answers[np.arange(8), LABELS]).mean()
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    loss = model.evaluate(IMAGES, LABELS, verbose=0)
    assert expected > 0.5
    assert loss == pytest.approx(cross_entropy + expected, rel=1e-5)


@pytest.mark.parametrize("name", ["saved_model", "tflite", "onnx"])
def test_it_exports_like_any_other_model(hub_folder, tmp_path, name):
    model = classifier_on(hub_backbone(str(hub_folder), (12, 12), 3, trainable=True))
    fit_model(model)
    model.save(tmp_path / "model.keras")
    _check_export(load_keras_model(tmp_path / "model.keras"), IMAGES, name, tmp_path)


def _check_export(model, images, name, tmp_path):
    if name == "onnx":
        pytest.importorskip("tf2onnx")
    info = ModelInfo(("a", "b", "c"), PixelSettings(images.shape[1:3]), "softmax")
    path = tmp_path / FORMATS[name].file
    expected = answers_of(model, images)
    if name == "saved_model":
        write_saved_model(model, feature_model(model), info, path)
    else:
        {"tflite": write_tflite, "onnx": write_onnx}[name](model, info, path)
    found = load_predictor(path, tmp_path)(images)
    assert np.ptp(expected, axis=0).max() > 1e-4
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_module_without_a_training_argument_trains(tmp_path):
    folder = save_module(ModuleWithoutTraining(), tmp_path / "plain")
    backbone = hub_backbone(str(folder), (12, 12), 3, trainable=True)
    backbone.get_layer("hub_module").batch_norm = "training"
    before, model = hub_weights(backbone), classifier_on(backbone)
    fit_model(model)
    assert changed_weights(before, backbone) == {"conv_kernel", "norm_offset"}


def test_real_modules_of_other_kinds(shared_data):
    def backbone(name, size, channels):
        return hub_backbone(str(shared_data / "hub" / name), size, channels)

    images = IMAGES[:2, :8, :8]
    without_training = backbone("tf_examples_saved_model_v2_mini", (8, 8), 3)
    plain = tf.saved_model.load(str(shared_data / "hub/tf_examples_saved_model_v2_mini"))
    expected = plain(tf.constant(images / 255, tf.float32))
    np.testing.assert_allclose(answers_of(without_training, images), expected, atol=1e-6)
    of_tf1 = backbone("tf_examples_hub_module_v1_mini_train", (8, 8), 3)
    assert of_tf1.output_shape == (None, 8, 8, 3)
    with pytest.raises(UsageError, match="only its signature default can be used"):
        of_tf1.trainable = True
    with pytest.raises(UsageError, match="images of 1 channels, not of 3"):
        backbone("mlperf_tiny_kws_ref_model", (224, 224), 3)


@pytest.fixture
def mobilenet(shared_data):
    return hub_backbone(str(shared_data / _MOBILENET), (224, 224), 3)


def _real_images(count=6):
    return np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


@pytest.mark.slow
def test_the_real_mobilenet_is_frozen_and_learns(mobilenet, tmp_path):
    images, labels = _real_images(), np.arange(6) % 3
    before, model = hub_weights(mobilenet), classifier_on(mobilenet)
    layer = mobilenet.get_layer("hub_module")
    assert len(before) == len(layer.weights) == 260
    fit_model(model, images, labels, epochs=1)
    assert changed_weights(before, mobilenet) == set()
    mobilenet.trainable = True
    assert len(layer.trainable_weights) == 156
    fit_model(model, images, labels, epochs=1)
    assert len(model.losses) == 35
    learn = {variable.name for variable in layer.trainable_weights}
    assert changed_weights(before, mobilenet) <= learn
    assert len(changed_weights(before, mobilenet)) > 150
    layer.batch_norm = "training"
    fit_model(model, images, labels, epochs=1)
    assert len(changed_weights(before, mobilenet) - learn) == 104
    model.save(tmp_path / "model.keras")
    again = load_keras_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(answers_of(again, images), answers_of(model, images))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["saved_model", "tflite", "onnx"])
def test_the_real_mobilenet_exports(mobilenet, tmp_path, name):
    model = classifier_on(mobilenet)
    _check_export(model, _real_images(4), name, tmp_path)

"""Networks of keras.applications as backbones have the numbers of Keras."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from keras_backbones import KERAS_NETWORKS, SMALL_V2, assert_same_weights, backbone, untrained
from PIL import Image
from sklearn.datasets import load_sample_images

from cnnkit.backend import keras
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import UsageError
from cnnkit.export import Golden, check_parity
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.backbones.named_networks import preprocessed
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import load_predictor

_MODULES = sorted({row.module for row in KERAS_NETWORKS.values()})
# Rescaled outside of the network, and inside of it with grey images. The slow tests have a network
# of each family; the smallest whose colours are reversed is VGG16, with 15 million weights.
_QUICK = {
    "MobileNet": {"alpha": 0.25},
    "MobileNetV3Small": {"alpha": 0.75, "minimalistic": True, "channels": 1},
}


def photos(size, channels=3):
    """Return uint8 photographs (4, height, width, channels): halves of a temple and of a flower."""
    whole = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    halves = [image.crop((left, 0, left + 320, 427)) for image in whole for left in (0, 320)]
    mode = "RGB" if channels == 3 else "L"
    pixels = np.stack([np.asarray(half.convert(mode).resize(size[::-1])) for half in halves])
    return pixels.reshape(4, *size, channels)


def reference(name, size=(32, 32), **arguments):
    """Return Keras's own network, untrained, but with averages taken over the photographs.

    Without these averages, fifty random layers would make all images alike, and any two networks
    would agree. No variance is very small, so that no channel enlarges rounding errors.
    """
    keras.utils.set_random_seed(0)
    builder = getattr(keras.applications, name)
    network = builder(include_top=False, weights=None, input_shape=(*size, 3), **arguments)
    norms = [part for part in network.layers if isinstance(part, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    network(preprocess_input(name, photos(size)), training=True)
    for norm in norms:
        variance = np.asarray(norm.moving_variance)
        norm.moving_variance.assign(np.maximum(variance, variance.mean() / 4))
    return network


def preprocess_input(name, pixels):
    module = getattr(keras.applications, KERAS_NETWORKS[name].module)
    return module.preprocess_input(pixels.astype("float32"))


def expected_features(network, name, pixels):
    return np.asarray(network(preprocess_input(name, pixels), training=False))


def assert_equal(features, expected):
    """Compare features; 1e-4 of their range over the images allows for other orders of summing."""
    spread = np.ptp(expected, axis=0).max()
    assert spread > 0.01 * np.abs(expected).max(), "the network must tell the images apart"
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * spread)


def joined(network, size, channels, pixels):
    """Return the whole model as cnnkit builds it; its head tells the pixels apart."""
    image = keras.Input((*size, channels), dtype="uint8", name="image")
    features = network(image, training=False)
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D()(features)
    values = np.asarray(keras.Model(image, features)(pixels))
    kernel = np.random.default_rng(0).normal(size=(values.shape[1], 3))
    logits = values @ kernel
    dense = keras.layers.Dense(3, "softmax", name="probabilities")
    model = keras.Model(image, dense(features), name="cnnkit")
    dense.set_weights([kernel / logits.std(axis=0), -logits.mean(axis=0) / logits.std(axis=0)])
    return model


def assert_like_keras(name, size, folder, *, channels=3, **arguments):
    """Compare a network with Keras's own: its features, when reloaded, and in TensorFlow Lite."""
    network = reference(name, size, **arguments)
    file = folder / "given.weights.h5"
    network.save_weights(file)
    pixels = photos(size, channels)
    ours = backbone(name, size, channels, weights=str(file), **arguments)
    assert (ours.name, ours.input.dtype) == ("backbone", "uint8")
    assert ours.input.shape == (None, *size, channels)
    colours = pixels.repeat(3, axis=-1) if channels == 1 else pixels
    expected = expected_features(network, name, colours)
    assert_equal(np.asarray(ours(pixels, training=False)), expected)

    model = joined(ours, size, channels, pixels)
    probabilities = np.asarray(model(pixels, training=False))
    model.save(folder / "model.keras")
    again = keras.models.load_model(folder / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again(pixels, training=False), probabilities)

    mode = "rgb" if channels == 3 else "grayscale"
    info = ModelInfo(("a", "b", "c"), PixelSettings(size, mode), "softmax")
    write_tflite(again, info, folder / "model.tflite")
    golden = Golden(pixels, probabilities, np.array(["a", "b", "c", "d"]))
    check_parity(load_predictor(folder / "model.tflite", folder), golden)  # within 1e-4


@pytest.mark.parametrize("module", _MODULES)
def test_preprocessing_is_that_of_keras(module):
    row = next(row for row in KERAS_NETWORKS.values() if row.module == module)
    pixels = photos((40, 56))
    image = keras.Input((40, 56, 3), dtype="uint8")
    tensor = keras.layers.Identity()(preprocessed(image, row.preprocessing))
    ours = keras.Model(image, tensor)(pixels)
    theirs = getattr(keras.applications, module).preprocess_input(pixels.astype("float32"))
    np.testing.assert_allclose(np.asarray(ours, "float32"), theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", _QUICK)
def test_a_network_equals_keras_s_own_and_can_be_saved_and_converted(name, tmp_path):
    assert_like_keras(name, (48, 40), tmp_path, **_QUICK[name])


def test_keras_2_files_are_loaded_in_the_order_of_their_layers(tmp_path):
    network = untrained()
    network.save(tmp_path / "whole.h5")  # the layout of the published files, under model_weights
    ours = backbone("MobileNet", weights=str(tmp_path / "whole.h5"), alpha=0.25)
    assert_same_weights(ours, network)


def test_efficientnet_with_a_published_file_sees_the_same_colours_as_in_keras(tmp_path):
    """Keras divides by the root of the deviation again if it downloads the file itself."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    network = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    stem = keras.Model(network.inputs[0], network.get_layer("stem_activation").output)
    pixels = photos((32, 32))
    # Without statistics the network only divides by 255, so it gets the values that it should see.
    seen = 255 * (pixels / 255 - mean) / np.sqrt(deviation) / np.sqrt(deviation)
    expected = np.asarray(stem(seen.astype("float32"), training=False))
    file = tmp_path / "given.weights.h5"
    network.save_weights(file)
    without = backbone("EfficientNetB0", weights=str(file), layer="stem_activation")
    assert_equal(np.asarray(without(pixels)), np.asarray(stem(pixels.astype("float32"))))

    normalization = next(
        layer for layer in network.layers if isinstance(layer, keras.layers.Normalization)
    )
    normalization.set_weights([mean, deviation, normalization.get_weights()[2]])  # as published
    network.save_weights(file)
    ours = backbone("EfficientNetB0", weights=str(file), layer="stem_activation")
    assert_equal(np.asarray(ours(pixels)), expected)
    ours.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(np.asarray(again(pixels)), expected)


def test_layers_have_the_same_names_in_every_process():
    names = [layer.name for layer in backbone("Xception", (71, 71)).layers]
    assert [layer.name for layer in backbone("Xception", (71, 71)).layers] == names
    assert {"conv2d", "conv2d_3", "batch_normalization", "add_11", "block14_sepconv2"} < set(names)
    assert len(set(names)) == len(names)


def test_a_network_can_end_at_a_layer():
    cut = backbone("MobileNetV2", (64, 64), layer="block_6_expand_relu", **SMALL_V2)
    assert cut.output.shape == (None, 8, 8, 96)
    assert cut.layers[-1].name == "block_6_expand_relu"
    assert [layer.name for layer in cut.layers[:3]] == ["image", "preprocessing", "Conv1"]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("MobileNet", {"alpha": 0.001}, "model.backbone: Keras refuses MobileNet: "),
        (
            "MobileNetV2",
            {"alpha": 0.35, "layer": "block_6_expand_rule"},
            r"MobileNetV2 has no layer block_6_expand_rule. Did you mean block_6_expand_relu\? Its "
            "last ten layers: block_16_expand_BN, .*, Conv_1, Conv_1_bn, out_relu.",
        ),
        ("VGG16", {"weights": "a.h5"}, "there is no file a.h5. Give imagenet, none, or the path"),
        ("VGG16", {"weights": "imagnet"}, "there is no file imagnet. Did you mean imagenet?"),
        ("VGG16", {"weights": __file__}, "its name must end in .h5 or .hdf5. For a whole"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name, options, expected):
    with pytest.raises(UsageError, match=expected):
        backbone(name, **options)


@pytest.mark.parametrize(
    ("name", "alpha", "file"),
    [
        (
            "MobileNetV2",
            0.35,
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5",
        ),
        ("MobileNet", 0.25, "mobilenet_2_5_224_tf_no_top.h5"),
    ],
)
def test_real_imagenet_weights(name, alpha, file, shared_data, tmp_path, monkeypatch):
    path = shared_data / "weights" / file
    if not path.is_file():
        pytest.skip(f"no weights at {path}")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    shutil.copy(path, tmp_path / "models")
    builder = getattr(keras.applications, name)
    network = builder(include_top=False, weights=path, alpha=alpha, input_shape=(100, 100, 3))
    pixels = photos((100, 100))
    expected = expected_features(network, name, pixels)
    for weights in (str(path), "imagenet"):
        ours = backbone(name, (100, 100), weights=weights, alpha=alpha)
        assert_equal(np.asarray(ours(pixels, training=False)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("module", _MODULES)
def test_every_family_equals_keras_s_own_and_can_be_saved_and_converted(module, tmp_path):
    rows = [row for row in KERAS_NETWORKS.values() if row.module == module]
    row = min(rows, key=lambda row: row.parameters)
    narrow = {"alpha": min(row.arguments["alpha"].trained)} if "alpha" in row.arguments else {}
    size = max(64, row.minimum_size)
    assert_like_keras(row.name, (size, size + 5), tmp_path, **narrow)

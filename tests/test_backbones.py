"""Networks of keras.applications as backbones: the same numbers as Keras, and clear refusals."""

from __future__ import annotations

import dataclasses
import inspect
import os
import shutil
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images
from web import Web, serve

from cnnkit import keras_networks as networks
from cnnkit.backend import keras
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export import Golden, check_parity, write_tflite
from cnnkit.keras_networks import NETWORKS
from cnnkit.model.backbones.applications import application_backbone, preprocessed
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import load_predictor

_SMALL_V2 = {"alpha": 0.35}
_MODULES = sorted({row.module for row in NETWORKS.values()})
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


def backbone(name, size=(32, 32), channels=3, *, weights=None, layer=None, **arguments):
    return application_backbone(
        name, size, channels, weights=weights, arguments=arguments, layer=layer
    )


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


def untrained(alpha=0.25, **options):
    """Return Keras's smallest network with random weights."""
    options = {"include_top": False, "input_shape": (32, 32, 3), **options}
    return keras.applications.MobileNet(weights=None, alpha=alpha, **options)


def preprocess_input(name, pixels):
    module = getattr(keras.applications, NETWORKS[name].module)
    return module.preprocess_input(pixels.astype("float32"))


def expected_features(network, name, pixels):
    return np.asarray(network(preprocess_input(name, pixels), training=False))


def assert_equal(features, expected):
    """Compare features; 1e-4 of their range over the images allows for other orders of summing."""
    spread = np.ptp(expected, axis=0).max()
    assert spread > 0.01 * np.abs(expected).max(), "the network must tell the images apart"
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * spread)


def assert_same_weights(network, expected):
    assert len(network.weights) == len(expected.weights)
    for ours, theirs in zip(network.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


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


# --- The table


def test_the_table_has_every_network_of_keras():
    builders = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(NETWORKS) == builders
    for row in NETWORKS.values():
        assert hasattr(getattr(keras.applications, row.module), "preprocess_input")


def test_the_arguments_of_the_table_are_those_of_keras():
    for row in NETWORKS.values():
        parameters = inspect.signature(getattr(keras.applications, row.name)).parameters
        own = {"alpha", "depth_multiplier", "minimalistic"} & set(parameters)
        assert {name: parameters[name].default for name in own} == {
            name: argument.default for name, argument in row.arguments.items()
        }


def test_the_table_does_not_import_keras():
    code = (
        "import sys, cnnkit.keras_networks; print([name for name in "
        "('keras', 'tensorflow', 'h5py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "arguments", "size", "expected"),
    [
        (
            "MobileNetV2",
            _SMALL_V2,
            (96, 96),
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5",
        ),
        (
            "MobileNetV2",
            {},
            (96, 128),
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        ),
        ("MobileNet", {"alpha": 0.25}, (100, 100), "mobilenet_2_5_224_tf_no_top.h5"),
        ("MobileNet", {"alpha": 1}, (128, 128), "mobilenet_1_0_128_tf_no_top.h5"),
        (
            "MobileNetV3Large",
            {"minimalistic": True},
            (224, 224),
            "weights_mobilenet_v3_large_minimalistic_224_1.0_float_no_top_v2.h5",
        ),
        ("NASNetMobile", {}, (64, 64), "nasnet_mobile_no_top.h5"),
        ("EfficientNetV2S", {}, (64, 64), "efficientnetv2-s_notop.h5"),
        (
            "InceptionV3",
            {},
            (96, 96),
            "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
    ],
)
def test_the_weights_file_has_the_name_that_keras_gives_it(name, arguments, size, expected):
    assert NETWORKS[name].weights_name(arguments, size) == expected


# --- The same numbers as Keras


@pytest.mark.parametrize("module", _MODULES)
def test_preprocessing_is_that_of_keras(module):
    row = next(row for row in NETWORKS.values() if row.module == module)
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


# --- Layers


def test_layers_have_the_same_names_in_every_process():
    names = [layer.name for layer in backbone("Xception", (71, 71)).layers]
    assert [layer.name for layer in backbone("Xception", (71, 71)).layers] == names
    assert {"conv2d", "conv2d_3", "batch_normalization", "add_11", "block14_sepconv2"} < set(names)
    assert len(set(names)) == len(names)


def test_a_network_can_end_at_a_layer():
    cut = backbone("MobileNetV2", (64, 64), layer="block_6_expand_relu", **_SMALL_V2)
    assert cut.output.shape == (None, 8, 8, 96)
    assert cut.layers[-1].name == "block_6_expand_relu"
    assert [layer.name for layer in cut.layers[:3]] == ["image", "preprocessing", "Conv1"]


# --- Refusals, each with what to do


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
        ("VGG16", {"weights": __file__}, "test_backbones.py is not an .h5 file of weights."),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name, options, expected):
    with pytest.raises(UsageError, match=expected):
        backbone(name, **options)


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "given.weights.h5"
    untrained().save_weights(file)
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"<html>log in</html>", b""):
        file.write_bytes(content)
        with pytest.raises(UsageError, match="may be damaged or incomplete: .* download it again"):
            backbone("MobileNet", weights=str(file), alpha=0.25)
    file.write_bytes(whole)
    with h5py.File(file, "r+") as opened:
        opened["layers/conv2d/vars/0"][0, 0, 0, 0] = np.nan
    with pytest.raises(UsageError, match="some numbers are NaN or infinite"):
        backbone("MobileNet", weights=str(file), alpha=0.25)


def test_the_error_for_weights_of_another_network_says_which_network_it_is(tmp_path):
    file = tmp_path / "given.weights.h5"
    untrained(alpha=0.5).save_weights(file)
    with pytest.raises(
        UsageError,
        match=r"does not fit MobileNet: it is for alpha 0\.5\. Set model\.backbone\.alpha: 0\.5\.$",
    ):
        backbone("MobileNet", weights=str(file), alpha=0.25)
    untrained(alpha=1.0).save_weights(file)
    with pytest.raises(
        UsageError,
        match="does not fit VGG16: it is for MobileNet. Set model.backbone.name: MobileNet,",
    ):
        backbone("VGG16", weights=str(file))
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(file)
    with pytest.raises(
        UsageError, match=r"it has 2 arrays with 8 numbers in all, the network has 26 with"
    ):
        backbone("VGG16", weights=str(file))


def test_a_file_with_the_classifier_is_refused_with_the_program_that_removes_it(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    whole = untrained(include_top=True, input_shape=None)
    whole.save_weights("whole.weights.h5")
    with pytest.raises(UsageError, match="it has the classifier too") as caught:
        backbone("MobileNet", weights="whole.weights.h5", alpha=0.25)
    exec(textwrap.dedent(str(caught.value).partition("\n")[2]))
    ours = backbone("MobileNet", weights="notop.weights.h5", alpha=0.25)
    assert_same_weights(ours, keras.Model(whole.input, whole.get_layer("conv_pw_13_relu").output))


def test_without_internet_the_file_can_be_provided_by_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where no proxy listens
    path = tmp_path / "models" / "mobilenet_2_5_224_tf_no_top.h5"
    with pytest.raises(CnnkitError) as caught:
        backbone("MobileNet", weights="imagenet", alpha=0.25)
    text = str(caught.value)
    assert f"tensorflow/keras-applications/mobilenet/{path.name}, which could not be" in text
    assert f"save it as\n  {path}\n" in text
    assert "KERAS_HOME" in text
    assert "model.backbone.weights to the path" in text
    assert os.listdir(path.parent) == []

    network = untrained()
    network.save(tmp_path / "whole.h5")
    (tmp_path / "whole.h5").rename(path)
    assert_same_weights(backbone("MobileNet", weights="imagenet", alpha=0.25), network)

    with pytest.raises(CnnkitError) as caught:
        backbone("MobileNet", (128, 128), weights="imagenet", alpha=0.25)
    assert f"and you have some. Set model.backbone.weights: {path}" in str(caught.value)


def test_imagenet_weights_are_downloaded_once_and_stdout_stays_empty(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    network = untrained()
    network.save(tmp_path / "whole.h5")
    with serve(Web((tmp_path / "whole.h5").read_bytes())) as web:
        row = dataclasses.replace(NETWORKS["MobileNet"], url=f"{web.url}/{{alpha}}_a.h5")
        monkeypatch.setitem(networks.NETWORKS, "MobileNet", row)
        for _ in range(2):
            assert_same_weights(backbone("MobileNet", weights="imagenet", alpha=0.25), network)
        assert len(web.asked) == 1
    assert os.listdir(tmp_path / "home" / "models") == ["2_5_a.h5"]
    said = capsys.readouterr()
    assert (said.out, "Downloading data from" in said.err) == ("", True)


# --- Real weights


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


# --- Every network


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_minimum_size_are_those_of_keras(name):
    row = NETWORKS[name]
    smallest = row.minimum_size
    assert backbone(name, (smallest, smallest)).count_params() == row.parameters
    with pytest.raises(ValueError, match="at least"):
        getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=(smallest - 1, smallest, 3)
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_address_of_the_weights_is_that_of_keras(name, tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    row = NETWORKS[name]
    size = (row.default_size, row.default_size)
    file = row.weights_name({}, size)
    if os.path.exists(os.path.join(os.path.expanduser("~/.keras/models"), file)):
        pytest.skip(f"Keras has {file} and asks nobody for it")
    with pytest.raises(Exception, match="URL fetch failure on") as caught:
        getattr(keras.applications, name)(include_top=False, input_shape=(*size, 3))
    assert str(caught.value).split()[4].rstrip(":") == row.weights_url({}, size)


@pytest.mark.slow
@pytest.mark.parametrize("module", _MODULES)
def test_every_family_equals_keras_s_own_and_can_be_saved_and_converted(module, tmp_path):
    rows = [row for row in NETWORKS.values() if row.module == module]
    row = min(rows, key=lambda row: row.parameters)
    narrow = {"alpha": min(row.arguments["alpha"].trained)} if "alpha" in row.arguments else {}
    size = max(64, row.minimum_size)
    assert_like_keras(row.name, (size, size + 5), tmp_path, **narrow)

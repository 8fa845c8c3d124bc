"""Files of weights: their names, downloads, and refusals with what to do."""

from __future__ import annotations

import dataclasses
import os
import textwrap

import h5py
import numpy as np
import pytest
from keras_backbones import KERAS_NETWORKS, SMALL_V2, assert_same_weights, backbone, untrained
from web import Web, serve

from cnnkit import backbone_networks as networks
from cnnkit.backbone_networks import NETWORKS
from cnnkit.backend import keras
from cnnkit.errors import CnnkitError, UsageError


@pytest.mark.parametrize(
    ("name", "arguments", "size", "expected"),
    [
        (
            "MobileNetV2",
            SMALL_V2,
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


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS_NETWORKS)
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

"""A model file has its TF Hub module in it, and runs it only if it is trusted."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
from hub_modules import (
    IMAGES,
    TrainableModule,
    answers_of,
    changed_weights,
    classifier_on,
    fit_model,
    hub_weights,
    save_module,
)

from cnnkit.backend import tf
from cnnkit.errors import UsageError
from cnnkit.model.backbones.hub import packed_module
from cnnkit.model.backbones.hub.hub_backbone import hub_backbone
from cnnkit.model.backbones.hub.packed_module import TRUST_VARIABLE
from cnnkit.model.loading import load_keras_model


def test_a_saved_model_needs_no_module_folder_and_trains_like_the_original(hub_folder, tmp_path):
    source = shutil.copytree(hub_folder, tmp_path / "source")
    backbone = hub_backbone(str(source), (12, 12), 3, trainable=True)
    model = classifier_on(backbone)
    fit_model(model)
    model.save(tmp_path / "model.keras")
    shutil.rmtree(source)
    again = load_keras_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(answers_of(again), answers_of(model))
    assert fit_model(again) == pytest.approx(fit_model(model), rel=1e-5)
    inner = again.get_layer("backbone")
    assert set(hub_weights(inner)) == {"conv_kernel", "norm_offset", "norm_mean", "norm_variance"}


def test_a_saved_frozen_backbone_is_still_frozen_when_loaded(hub_folder, tmp_path):
    model = classifier_on(hub_backbone(str(hub_folder), (12, 12), 3))
    model.save(tmp_path / "model.keras")
    again = load_keras_model(tmp_path / "model.keras")
    before = hub_weights(again.get_layer("backbone"))
    fit_model(again)
    assert changed_weights(before, again.get_layer("backbone")) == set()


def test_the_file_has_the_module_s_program_and_its_weights_only_once(hub_folder, tmp_path):
    first, second = (
        hub_backbone(str(hub_folder), (12, 12), 3).get_layer("hub_module").get_config()
        for _ in range(2)
    )
    assert first["sha256"] == second["sha256"]
    module = TrainableModule()
    module.kernel.assign(module.kernel + 1)
    other = hub_backbone(str(save_module(module, tmp_path / "other")), (12, 12), 3)
    own = hub_backbone(str(hub_folder), (12, 12), 3)
    assert changed_weights(hub_weights(own), other) == {"conv_kernel"}


def _saved(folder, tmp_path):
    path = tmp_path / "model.keras"
    classifier_on(hub_backbone(str(folder), (12, 12), 3)).save(path)
    return path


def _with_changed_config(path, change):
    """Change the config of the module's layer in a .keras file."""
    _with_changed_layer(path, lambda layer: change(layer["config"]))


def _with_changed_layer(path, change):
    """Rewrite config.json of a .keras file; `change` gets the entry of the module's layer."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    layers = config["config"]["layers"][1]["config"]["layers"]
    layer = next(part for part in layers if part["class_name"] == "HubModule")
    assert layer["registered_name"] == "cnnkit>HubModule"  # fixed: old files are found by it
    change(layer)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)


def test_a_file_of_an_older_version_loads_though_its_layer_s_code_has_moved(hub_folder, tmp_path):
    path = _saved(hub_folder, tmp_path)
    expected = answers_of(load_keras_model(path))
    _with_changed_layer(path, lambda layer: layer.update(module="cnnkit.backbones.hub_module"))
    np.testing.assert_array_equal(answers_of(load_keras_model(path)), expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(packed=config["packed"][:-8] + "AAAAAAA="),
        lambda config: config.update(packed="no base64!"),
        lambda config: config.update(packed=None),
    ],
    ids=["changed", "no base64", "gone"],
)
def test_a_damaged_module_is_refused(hub_folder, tmp_path, change):
    path = _saved(hub_folder, tmp_path)
    _with_changed_config(path, change)
    with pytest.raises(UsageError, match="the model is damaged: its content does not have the sha"):
        load_keras_model(path)


@pytest.fixture
def another_computer(tmp_path, monkeypatch):
    """Forget which modules this computer has used."""
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache of another"))
    monkeypatch.setattr(packed_module, "_trusted_here", set())


@pytest.fixture
def saved(hub_folder, tmp_path):
    """A file with a module, and the module's hash."""
    path = _saved(hub_folder, tmp_path)
    backbone = hub_backbone(str(hub_folder), (12, 12), 3)
    return path, backbone.get_layer("hub_module").get_config()["sha256"]


def test_a_file_from_another_computer_loads_only_if_its_module_is_trusted(
    saved, another_computer, monkeypatch
):
    path, sha256 = saved
    with pytest.raises(UsageError, match=f"{path} cannot be loaded: .*{TRUST_VARIABLE}={sha256} "):
        load_keras_model(path)
    monkeypatch.setenv(TRUST_VARIABLE, f"{'0' * 64},{sha256}")
    assert load_keras_model(path).count_params() == 153 + 3 * 6 - 3


def test_a_module_that_the_user_has_named_is_trusted_from_then_on(
    saved, hub_folder, another_computer, monkeypatch
):
    hub_backbone(str(hub_folder), (12, 12), 3)
    monkeypatch.setattr(packed_module, "_trusted_here", set())  # as in another process
    backbone = load_keras_model(saved[0]).get_layer("backbone")
    plain = tf.saved_model.load(str(hub_folder))(tf.constant(IMAGES / 255, tf.float32))
    np.testing.assert_allclose(answers_of(backbone), plain, atol=1e-6)


def test_the_hash_of_a_trusted_module_does_not_make_another_trusted(saved):
    path, sha256 = saved
    _with_changed_config(path, lambda config: config.update(packed="QUJD"))
    with pytest.raises(UsageError, match=f"damaged: .* sha256 {sha256}"):
        load_keras_model(path)

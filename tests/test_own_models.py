"""Backbones from runs and model files: how they are cut, and which are refused."""

from __future__ import annotations

import numpy as np
import pytest

from cnnkit.config import config_from_dict
from cnnkit.errors import UsageError

pytest_plugins = ["transfer_fixtures"]


def test_a_file_of_keras_is_a_backbone_cut_at_a_layer(folder, tmp_path):
    from cnnkit.backend import keras
    from cnnkit.model.build_model import build_model

    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(5, 3, activation="relu", name="maps")(image)
    rows = keras.layers.Dense(4, activation="relu", name="rows")(keras.layers.Flatten()(maps))
    plain = keras.Model(image, keras.layers.Dense(7, activation="softmax")(rows))
    plain.save(tmp_path / "plain.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    for layer, values in ((None, pixels / 127.5 - 1), ("maps", pixels / 127.5 - 1)):
        backbone = {"file": str(tmp_path / "plain.keras"), "value_range": [-1, 1]}
        backbone |= {"layer": layer} if layer else {}
        model = {"backbone": backbone, "head": ["flatten"]}
        config = config_from_dict(
            {"data": {"source": "digits", "image_size": 16}, "model": model}, folder=folder
        )
        ours = build_model(config, 3).get_layer("backbone")(pixels, training=False)
        wanted = keras.Model(image, rows if layer is None else maps)(values.astype(np.float32))
        assert np.allclose(ours, wanted, atol=1e-5)


def _refusal(folder, **backbone):
    from cnnkit.model.build_model import build_model

    data = {"source": "digits", "image_size": 16}
    config = config_from_dict({"data": data, "model": {"backbone": backbone}}, folder=folder)
    with pytest.raises(UsageError) as caught:
        build_model(config, 3)
    return str(caught.value)


def test_a_backbone_that_does_not_fit_says_why(folder, tmp_path):
    assert "there is no file" in _refusal(folder, file="nowhere.keras")
    assert "has no weights/best.keras" in _refusal(folder, run="images")
    (tmp_path / "text.keras").write_text("hello")
    assert "cannot be loaded" in _refusal(folder, file=str(tmp_path / "text.keras"))
    raw = "runs/start/weights/best.keras"
    assert "takes raw pixels" in _refusal(folder, file=raw, value_range=[0, 1])
    text = _refusal(folder, run="runs/start", layer="secund")
    assert "no layer secund. Did you mean second?" in text
    data = {"source": "digits", "image_size": 20}
    model = {"backbone": {"run": "runs/start"}}
    config = config_from_dict({"data": data, "model": model}, folder=folder)
    from cnnkit.model.build_model import build_model

    with pytest.raises(UsageError, match=r"takes images of 16 x 16 x 3, but .* give 20 x 20 x 3"):
        build_model(config, 3)


def test_a_file_that_is_not_a_model_of_keras_3_is_refused_with_the_reason(folder, tmp_path):
    import h5py

    (tmp_path / "a.txt").write_text("hello")
    assert "neither a .keras nor an .h5 file" in _refusal(folder, file=str(tmp_path / "a.txt"))
    (tmp_path / "a.h5").write_text("hello")
    assert "cannot be read" in _refusal(folder, file=str(tmp_path / "a.h5"))
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    assert "has only weights and no layers" in _refusal(folder, file=str(tmp_path / "weights.h5"))


def test_a_model_of_keras_2_is_refused_with_a_way_to_convert_it(folder, shared_data):
    file = shared_data / "models" / "keras2_mlperf_tiny_vww_96_mobilenet025.h5"
    text = _refusal(folder, file=str(file))
    assert "was saved by Keras 2" in text and f"load_model('{file}', compile=False)" in text

"""`--model EfficientNetLite0` and the like: networks that know the classes of ImageNet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from cnnkit.backend import keras
from cnnkit.data.cache_entries import choose_entries, list_cache, remove_entries
from cnnkit.data.pixels import read_pixels
from cnnkit.errors import UsageError
from cnnkit.foreign.chosen_model import choose_model, find_chosen
from cnnkit.foreign.imagenet_networks import imagenet_info


@pytest.fixture(scope="module")
def flower(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "flower.png"
    Image.fromarray(load_sample_image("flower.jpg")).save(path)
    return path


def test_a_network_with_its_own_weights_names_a_flower(flower, tmp_path):
    # ImageNet has three kinds of flowers; the photograph of a dahlia is nearest to the daisy.
    notes = []
    predictor = choose_model("EfficientNetLite0", tmp_path, note=notes.append)
    assert len(notes) <= 1  # it is converted, unless another test was first
    assert len(predictor.info.class_names) == 1000
    pixels = read_pixels(flower, predictor.info.pixels)
    best = int(predictor(pixels[None])[0].argmax())
    assert predictor.info.class_names[best] == "daisy"
    # The second time it is there, and no TensorFlow is needed.
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'tensorflow' not in sys.modules"
    )
    words = ("predict", str(flower), "--model", "EfficientNetLite0", "--json")
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["prediction"] == "daisy" and done.stderr == ""


_WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"
_ANSWERS = """
import sys
import numpy as np
from cnnkit.model.backbones.imagenet_classifiers import imagenet_classifier
np.save(sys.argv[2], imagenet_classifier("MobileNetV2")(np.load(sys.argv[1]), training=False))
"""


def test_a_network_of_keras_gives_the_answers_of_keras(flower, tmp_path):
    """The weights are random and lie where Keras keeps downloads; the preprocessing is Keras's."""
    keras.utils.set_random_seed(0)
    original = keras.applications.MobileNetV2(weights=None)
    (tmp_path / "models").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls HDF5 legacy
        original.save(tmp_path / "models" / _WEIGHTS)
    pixels = read_pixels(flower, imagenet_info("MobileNetV2").pixels)[None]
    np.save(tmp_path / "pixels.npy", pixels)
    subprocess.run(
        [sys.executable, "-c", _ANSWERS, tmp_path / "pixels.npy", tmp_path / "answers.npy"],
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        check=True,
    )
    prepared = keras.applications.mobilenet_v2.preprocess_input(pixels.astype(np.float32))
    expected = original(prepared, training=False)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), expected, rtol=1e-4)


def test_weights_that_cannot_be_loaded_are_explained(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / _WEIGHTS).write_bytes(b"not a file of weights")
    done = subprocess.run(
        [sys.executable, "-m", "cnnkit", "predict", "a.png", "--model", "MobileNetV2"],
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "The weights of MobileNetV2 for ImageNet could not be loaded" in done.stderr
    assert "use EfficientNetLite0" in done.stderr


def test_a_converted_network_is_listed_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path))
    (tmp_path / "networks" / "EfficientNetLite0-1").mkdir(parents=True)
    (tmp_path / "networks" / "my-networks-1").mkdir()
    (tmp_path / "networks" / "EfficientNetLite0-1" / "model.tflite").write_bytes(bytes(100))
    (entry,) = list_cache()
    assert (entry.kind, entry.name, entry.num_bytes) == ("networks", "EfficientNetLite0-1", 100)
    assert choose_entries([entry], "networks") == [entry]
    remove_entries([entry])
    assert [path.name for path in (tmp_path / "networks").iterdir()] == ["my-networks-1"]


def test_a_name_that_is_nearly_a_network_is_corrected(tmp_path):
    with pytest.raises(UsageError, match="Did you mean the network EfficientNetLite0"):
        find_chosen("EfficientnetLite0", tmp_path)


def test_a_run_with_the_name_of_a_network_is_the_run(trained_run, tmp_path):
    (tmp_path / "MobileNetV2").symlink_to(trained_run.folder)
    assert find_chosen("MobileNetV2", tmp_path) == tmp_path / "MobileNetV2" / "model.tflite"

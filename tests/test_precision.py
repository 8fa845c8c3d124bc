"""Mixed precision and XLA: they change how a network learns, and nothing of what is saved."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import write_tiny_images
from interrupted_runs import assert_same_run, interrupted_run
from training_commands import weights_of

import cnnkit
from cnnkit.config import load_config
from cnnkit.errors import UsageError
from cnnkit.progress import Report
from cnnkit.runs import Run

pytestmark = pytest.mark.usefixtures("no_pictures")
_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
model:
  layers:
    - conv: {filters: 4, kernel_size: 3, padding: same}
    - batch_norm
    - activation: relu
    - residual: [{conv: {filters: 4, kernel_size: 3, padding: same}}]
    - global_pool
    - dropout: 0.2
training:
  epochs: 2
  tensorboard: false
  monitor: epoch
  precision: mixed_float16
  optimizer: {adam: {learning_rate: 0.02, use_ema: true, gradient_accumulation_steps: 2}}
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return a folder with images, a config, and the run of it."""
    folder = tmp_path_factory.mktemp("precision")
    write_tiny_images(folder / "images", images_per_class=12)
    (folder / "config.yaml").write_text(_CONFIG)
    cnnkit.train(folder / "config.yaml", runs_folder=folder / "runs")
    return folder


def _run(start):
    return Run(start / "runs" / "config")


def test_the_training_is_that_of_keras_with_a_mixed_policy(start):
    """Keras has the policy while a model is built; we give it to one that was built before."""
    from cnnkit.backend import keras
    from cnnkit.model.build_model import build_model
    from cnnkit.model.optimizers import build_optimizer
    from cnnkit.training.plan import prepare

    config = load_config(start / "config.yaml")
    _, batches = prepare(config, Report()).phases[0].start(build_model(config, 3), Report())
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build_model(config, 3)
        model.layers[-1].dtype_policy = keras.dtype_policies.get("float32")
        model.compile(build_optimizer(config.training.optimizer), "categorical_crossentropy")
    finally:
        keras.config.set_dtype_policy("float32")
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    data = batches.training(0).concatenate(batches.training(1))
    model.fit(data, verbose=0, shuffle=False)
    pairs = zip(weights_of(_run(start), "last"), model.get_weights(), strict=True)
    assert all(np.allclose(*pair, atol=1e-6) for pair in pairs)


def test_what_is_saved_computes_with_float32(start):
    run = _run(start)
    for path in (run.best, run.last):
        assert b"float16" not in zipfile.ZipFile(path).read("config.json")
    from cnnkit.backend import keras

    model = keras.models.load_model(run.best)
    pixels = np.load(run.golden)["pixels"]
    answers = np.asarray(model(pixels))
    assert {answer.dtype for answer in answers} == {np.dtype("float32")}
    assert np.allclose(np.load(run.golden)["probabilities"], answers, atol=1e-6)
    assert "precision: mixed_float16" in run.config.read_text()


def test_an_interrupted_training_ends_with_the_same_bits(start, tmp_path):
    cut, _ = interrupted_run(start / "config.yaml", tmp_path, 1)
    assert_same_run(cnnkit.resume(cut.folder), _run(start))


def test_auto_is_float32_on_a_cpu_and_the_run_says_so(start, tmp_path):
    from cnnkit.backend import tf

    assert not tf.config.list_physical_devices("GPU")
    overrides = ["training.precision=auto", "training.epochs=1"]
    run = cnnkit.train(start / "config.yaml", overrides=overrides, runs_folder=tmp_path)
    assert "precision: float32" in run.config.read_text()


def test_a_backbone_learns_with_mixed_numbers_and_its_head_on_features_with_float32(
    start, tmp_path
):
    text = _CONFIG[: _CONFIG.index("model:")].replace("source: images", f"source: {start}/images")
    text += f"model: {{backbone: {{run: {start}/runs/config}}}}\n"
    text += "training: {precision: mixed_bfloat16, tensorboard: false, phases: ["
    text += "{train: head, epochs: 1}, {train: all, epochs: 1, layer_decay: 0.5}]}\n"
    (tmp_path / "tuned.yaml").write_text(text)
    run = cnnkit.train(tmp_path / "tuned.yaml", runs_folder=tmp_path)
    assert run.info()["feature_difference"] < 1e-5
    assert b"float16" not in zipfile.ZipFile(run.best).read("config.json")
    exact = cnnkit.train(
        tmp_path / "tuned.yaml", overrides=["training.precision=float32"], runs_folder=tmp_path
    )
    mixed, plain = (weights_of(each, "last") for each in (run, exact))
    differences = [np.abs(a - b).max() for a, b in zip(mixed, plain, strict=True)]
    assert 0 < max(differences) < 0.05


def test_a_hub_module_keeps_float32(hub_folder, start, tmp_path):
    text = _CONFIG[: _CONFIG.index("model:")].replace("source: images", f"source: {start}/images")
    text = text.replace("image_size: 16", "image_size: 12")
    text += f"model: {{backbone: {{hub: {hub_folder}, value_range: [0, 1]}}}}\n"
    text += "training: {precision: mixed_float16, epochs: 1, phases: [{train: all}]}\n"
    (tmp_path / "hub.yaml").write_text(text)
    run = cnnkit.train(tmp_path / "hub.yaml", runs_folder=tmp_path)
    assert run.info()["status"] == "finished"


@pytest.mark.slow
def test_xla_gives_nearly_the_same_weights(start, tmp_path):
    """In a process of its own: in that of the tests, operations are deterministic for good.

    Without dropout, whose random numbers are others with XLA.
    """
    sets = ["training.precision=float32", "training.optimizer={sgd: 0.1}"]
    sets.append("model.layers[5]={dropout: 0.0}")
    words = ["train", str(start / "config.yaml"), "--runs-folder", str(tmp_path), "--name", "xla"]
    more = ["training.jit_compile=true", "training.deterministic=false"]
    words += [word for each in (*sets, *more) for word in ("--set", each)]
    done = subprocess.run([sys.executable, "-m", "cnnkit", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plain = cnnkit.train(start / "config.yaml", overrides=sets, runs_folder=tmp_path)
    compiled = Run(tmp_path / "xla")
    pairs = list(zip(weights_of(plain, "last"), weights_of(compiled, "last"), strict=True))
    assert all(np.allclose(*pair, atol=1e-4) for pair in pairs)


def test_xla_and_deterministic_operations_exclude_each_other(start):
    with pytest.raises(UsageError, match="training.deterministic: false, or remove jit_compile"):
        load_config(start / "config.yaml", ["training.jit_compile=true"])

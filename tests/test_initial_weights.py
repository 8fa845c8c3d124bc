"""`model.weights`: which layers start from another run's weights, and what is said of others."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from conftest import write_tiny_images
from notes import Notes
from training_commands import weights_of

import cnnkit
from cnnkit.config import load_config
from cnnkit.errors import UsageError
from cnnkit.runs import Run
from cnnkit.training.plan import prepare

pytestmark = pytest.mark.usefixtures("no_pictures")
_CONFIG = """
data: {source: SOURCE, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
model:
  layers:
    - conv: {filters: 4, kernel_size: 3, activation: relu}
    - batch_norm
    - conv: {filters: 6, kernel_size: 3, activation: relu}
    - global_pool
training: {epochs: 2, tensorboard: false}
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return a folder with simulated and real images, and a run that learned the simulated ones."""
    folder = tmp_path_factory.mktemp("weights")
    write_tiny_images(folder / "simulated", seed=5)
    write_tiny_images(folder / "real", images_per_class=6)
    (folder / "first.yaml").write_text(_CONFIG.replace("SOURCE", "simulated"))
    (folder / "second.yaml").write_text(_CONFIG.replace("SOURCE", "real"))
    cnnkit.train(folder / "first.yaml", runs_folder=folder / "runs")
    return folder


def _plan(start, *overrides, notes=None):
    config = load_config(start / "second.yaml", ["model.weights=runs/first", *overrides])
    return prepare(config, notes or Notes())


def test_the_model_starts_from_the_best_weights_and_the_run_says_so(start, tmp_path):
    notes = Notes()
    plan = _plan(start, notes=notes)
    best = weights_of(Run(start / "runs" / "first"))
    pairs = zip(plan.model.get_weights(), best, strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)
    assert f"weights: all 4 layers with weights from {start / 'runs' / 'first'}" in notes.notes
    run = cnnkit.train(
        start / "second.yaml", overrides=["model.weights=runs/first"], runs_folder=tmp_path
    )
    found = run.info()["initial_weights"]
    assert found["taken"] == ["conv_1", "batch_norm_1", "conv_2", "probabilities"]
    assert (found["not_taken"], found["unused"], len(found["sha256"])) == ({}, [], 64)
    card = (run.folder / "model_card.md").read_text()
    assert "trained from the weights of first" in card and "trained from scratch" not in card


def test_a_file_is_taken_like_its_run_and_one_without_classes_is_said_to_have_none(start):
    file = start / "runs" / "first" / "weights" / "best.keras"
    plan = _plan(start, f"model.weights={file}")
    assert not plan.initial.classes_unknown
    shutil.copy(file, start / "alone.keras")
    notes = Notes()
    plan = _plan(start, "model.weights=alone.keras", notes=notes)
    assert plan.initial.taken[-1] == "probabilities"
    assert any("does not say which classes" in note for note in notes.notes)


def _refusal(start, *overrides):
    with pytest.raises(UsageError) as caught:
        _plan(start, *overrides)
    return str(caught.value)


def test_other_classes_are_refused_by_name_and_partial_weights_leave_only_the_output_new(start):
    names = sorted(path.name for path in (start / "real").iterdir())
    fewer = f"data.classes=[{', '.join(names[:2])}]"
    text = _refusal(start, fewer)
    assert "fits only a part of this model" in text
    assert f"probabilities (it has 3 classes there and 2 here; only there: {names[2]})" in text
    assert "set model.partial_weights: true" in text
    order = f"data.classes=[{', '.join(reversed(names))}]"
    assert "its classes are in another order there" in _refusal(start, order)
    plan = _plan(start, fewer, "model.partial_weights=true")
    assert list(plan.initial.not_taken) == ["probabilities"]
    before = weights_of(Run(start / "runs" / "first"))
    ours = plan.model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(ours[:-2], before[:-2], strict=True))
    assert ours[-2].shape == (6, 2)


def test_layers_that_differ_are_named_with_their_shapes(start):
    wider = "model.layers[2].conv.filters=5"
    text = _refusal(start, wider)
    assert "conv_2 (its weights are 3 x 3 x 4 x 6, 6 there and 3 x 3 x 4 x 5, 5 here)" in text
    assert "probabilities (its weights are 6 x 3, 3 there and 5 x 3, 3 here)" in text
    shorter = "model.layers=[{conv: {filters: 4, kernel_size: 3}}, global_pool]"
    text = _refusal(start, shorter)
    assert "is only there: batch_norm_1, conv_2" in text
    plan = _plan(start, shorter, "model.partial_weights=true")
    assert plan.initial.taken == ("conv_1",)


def test_if_nothing_fits_that_is_refused_also_for_partial_weights(start):
    other = "model.layers=[flatten, {dense: {units: 3, name: mine}}]"
    text = _refusal(start, other, "data.classes=null", "model.partial_weights=true")
    assert "no layer of" in text and "mine (there is no layer of this name there)" in text


def test_what_is_no_run_and_no_model_file_is_refused_before_images_are_read(start, tmp_path):
    (tmp_path / "weights.h5").write_text("")
    (start / "broken.keras").write_text("hello")
    gone = "data.source=nowhere"  # would be refused, too, if it were read first
    assert "does not exist. Give the folder of a run" in _refusal(start, gone, "model.weights=no")
    assert "has no weights/best.keras" in _refusal(start, gone, "model.weights=real")
    text = _refusal(start, gone, f"model.weights={tmp_path / 'weights.h5'}")
    assert "is not a .keras file" in text
    assert "cannot be loaded" in _refusal(start, "model.weights=broken.keras")
    for wrong, words in (("imagenet", "weights of a known network"), ("a://b", "received")):
        with pytest.raises(UsageError, match=words):
            load_config(start / "second.yaml", [f"model.weights={wrong}"])
    with pytest.raises(UsageError, match="goes only with model.weights"):
        load_config(start / "second.yaml", ["model.partial_weights=true"])


def test_images_that_were_learned_from_before_are_named_if_they_judge_now(start):
    notes = Notes()
    _plan(start, "data.source=simulated", "data.split.seed=3", notes=notes)
    assert any("so results on them will be too good" in note for note in notes.notes)
    notes = Notes()
    _plan(start, "data.source=simulated", notes=notes)
    assert not any("too good" in note for note in notes.notes)


def test_an_interrupted_training_is_resumed_when_its_first_run_is_gone(start, tmp_path):
    config = tmp_path / "config.yaml"
    shutil.copytree(start / "runs" / "first", tmp_path / "first")
    config.write_text(_CONFIG.replace("SOURCE", str(start / "real")))
    whole = ["model.weights=first", "training.epochs=4"]
    expected = cnnkit.train(config, overrides=whole, name="whole", runs_folder=tmp_path)
    run = cnnkit.train(
        config, overrides=["model.weights=first"], name="begun", runs_folder=tmp_path
    )
    shutil.rmtree(tmp_path / "first")
    resumed = cnnkit.resume(run.folder, overrides=["training.epochs=4"])
    pairs = zip(weights_of(resumed, "last"), weights_of(expected, "last"), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)
    info = json.loads((resumed.folder / "run.json").read_text())
    assert len(info["initial_weights"]["taken"]) == 4

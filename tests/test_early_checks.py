"""What is known before a training: the first loss, dead layers, gradients, one batch, the disk."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from notes import Notes
from training_commands import weights_of

import cnnkit
from cnnkit.config import load_config
from cnnkit.progress import Report
from cnnkit.training import early_checks
from cnnkit.training.disk_need import DiskNeed, disk_need
from cnnkit.training.early_checks import check_early
from cnnkit.training.first_batch import OneBatch, look_at_batch, untrained_loss_warning
from cnnkit.training.plan import prepare

pytestmark = pytest.mark.usefixtures("no_pictures")

_NOISE = "data: {source: images, image_size: 16, split: {validation: 0.25, test: 0}}\n"
_WITH_STATE = """
model:
  layers:
    - conv: {filters: 4, kernel_size: 3}
    - batch_norm
    - activation: relu
    - flatten
    - dropout: 0.3
    - dense: {units: 8, activation: relu, name: hidden}
training: {epochs: 2, tensorboard: false}
"""
# The bias keeps the ReLU of `hidden` below 0 for every image.
_DEAD = "model.layers[5].dense.bias_initializer={constant: {value: -1000}}"
_LARGE = "model.layers[5].dense.kernel_initializer={random_normal: {stddev: 30}}"


@pytest.fixture(autouse=True)
def _time_for_all_steps(monkeypatch):
    monkeypatch.setattr(early_checks, "_MOST_SECONDS", 300)


@pytest.fixture(scope="module")
def config_file(tiny_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("early")
    shutil.copytree(tiny_config.parent / "images", folder / "images")
    (folder / "state.yaml").write_text(_NOISE + _WITH_STATE)
    return folder / "state.yaml"


def _checked(path, *overrides):
    return check_early(prepare(load_config(path, overrides), Report()), Path("runs"))


def test_a_sound_network_begins_near_the_loss_of_guessing_and_learns_a_batch(config_file):
    checks = _checked(config_file, "training.optimizer.adam.learning_rate=0.01")
    assert list(checks.warnings()) == []
    assert checks.first.guessing == pytest.approx(math.log(3))
    assert checks.one.losses[-1] < checks.one.losses[0] / 2
    assert any(line.startswith("disk: up to ") for line in checks.lines())


def test_the_checks_leave_weights_and_random_states_as_they_were(config_file):
    plan = prepare(load_config(config_file), Report())
    before = [np.array(variable) for variable in plan.model.variables]
    check_early(plan, Path("runs"))
    after = plan.model.variables
    changed = [
        variable.path
        for variable, value in zip(after, before, strict=True)
        if not np.array_equal(np.array(variable), value)
    ]
    # Only learning one batch draws dropout, in a model that is thrown away.
    assert [path for path in changed if "seed_generator" not in path] == []


def test_batch_normalisation_that_has_seen_no_image_does_not_look_like_a_bad_start(config_file):
    # With averages of 0 and 1 instead of those of the batch, each block would multiply its input.
    block = "residual: [conv: {filters: 8, kernel_size: 3, padding: same}, batch_norm]"
    blocks = ", ".join([block] * 8)
    layers = f"model.layers=[conv: {{filters: 8, kernel_size: 3}}, {blocks}, flatten]"
    assert _checked(config_file, layers).first.loss < 5


def test_a_dead_layer_and_what_it_cuts_off_are_named(config_file):
    first = _checked(config_file, _DEAD).first
    assert first.dead == ("hidden",)
    assert first.without_gradient.startswith("conv")
    assert any("ReLU of hidden gives 0" in text for text in first.warnings())


def test_weights_that_are_nan_are_found_in_the_gradients(config_file):
    plan = prepare(load_config(config_file), Report())
    plan.model.layers[-1].kernel.assign(np.full(plan.model.layers[-1].kernel.shape, np.nan))
    images = np.zeros((2, 16, 16, 3), np.uint8)
    found = look_at_batch(plan.model, images, np.eye(3, dtype=np.float32)[:2])
    assert any("kernel" in path for path in found.not_finite)


@pytest.mark.parametrize(
    ("loss", "classes", "is_warned"),
    [(2.3, 10, False), (7.8, 10, False), (8.0, 10, True), (3.0, 2, False), (3.2, 2, True)],
)
def test_the_first_loss_may_be_three_times_that_of_guessing_and_one_more(loss, classes, is_warned):
    assert bool(untrained_loss_warning(loss, classes)) is is_warned


@pytest.mark.parametrize(
    ("losses", "is_warned"),
    [((2.3, 1.1), False), ((2.3,) * 19, False), ((2.3,) * 20, True), ((2.3, *[1.8] * 20), False)],
)
def test_a_batch_that_is_not_learned_is_reported_if_it_had_enough_steps(losses, is_warned):
    assert bool(OneBatch(losses).warning()) is is_warned


def test_a_tiny_learning_rate_does_not_learn_one_batch(config_file):
    checks = _checked(config_file, "training.optimizer.adam.learning_rate=1e-7")
    assert [text for text in checks.warnings() if text.startswith("One batch, shown 60 times")]


def test_a_run_says_at_once_that_a_layer_is_dead_or_the_first_loss_large(config_file, tmp_path):
    for override, words in ((_DEAD, "ReLU of hidden"), (_LARGE, "The loss of the first batch is")):
        report = Notes()
        config = load_config(config_file, [override, "training.epochs=1"])
        from cnnkit.training.run import train

        train(config, name="a", runs_folder=tmp_path, report=report)
        assert any(words in note for note in report.notes), override


def test_a_run_has_the_same_weights_with_and_without_the_look_at_its_first_batch(
    config_file, tmp_path, monkeypatch
):
    runs = [cnnkit.train(config_file, name="with", runs_folder=tmp_path)]
    monkeypatch.setattr(early_checks, "_MOST_WORK", 0)  # too large a network for the look
    runs.append(cnnkit.train(config_file, name="without", runs_folder=tmp_path))
    one, other = map(weights_of, runs)
    assert all(np.array_equal(x, y) for x, y in zip(one, other, strict=True))


def test_the_room_on_disk_is_that_of_weights_and_features(config_file, tmp_path):
    plan = prepare(load_config(config_file), Report())
    need = disk_need(plan, tmp_path / "runs")
    assert need.run == 18 * 4 * plan.model.count_params()
    assert need.features == 0
    assert need.warning() == ""
    free = shutil.disk_usage(tmp_path).free
    assert "are free" in DiskNeed(2 * free, 0, tmp_path / "runs").warning()

"""`cnnkit lr-find`: the loss while the learning rate rises, and what it suggests."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from cnnkit.cli import main
from cnnkit.training.learning_rate_range import (
    STEPS_PER_DECADE,
    LearningRateRange,
    falling_range,
    smoothed_losses,
)

_RATES = 1e-6 * 10 ** (np.arange(141) / STEPS_PER_DECADE)


def _tried(*words):
    return CliRunner().invoke(main, ["lr-find", *map(str, words)])


def _config(tmp_path, **training):
    config = {
        "data": {"source": "digits", "image_size": 8},
        "model": {"layers": ["flatten", {"dense": {"units": 8, "activation": "relu"}}]},
        "training": training,
    }
    path = tmp_path / "digits.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_the_average_is_the_corrected_moving_average():
    losses = np.array([3.0, 1.0, 2.0])
    sums = [0.1 * 3, 0.9 * 0.1 * 3 + 0.1, 0.81 * 0.1 * 3 + 0.9 * 0.1 + 0.1 * 2]
    expected = [sums[0] / 0.1, sums[1] / (1 - 0.9**2), sums[2] / (1 - 0.9**3)]
    assert smoothed_losses(losses) == pytest.approx(expected)


def test_the_fall_is_found_between_a_tenth_and_nine_tenths():
    # 2 up to 1e-4, a straight fall to 1 at 1e-2, then up again
    decade = np.log10(_RATES)
    losses = np.interp(decade, [-4, -2, 0], [2, 1, 5])
    begin, end = falling_range(_RATES, losses)
    # a tenth of the fall is reached a tenth of the way, to the step
    assert np.log10(begin) == pytest.approx(-3.8, abs=1.01 / STEPS_PER_DECADE)
    assert np.log10(end) == pytest.approx(-2.2, abs=1.01 / STEPS_PER_DECADE)


def test_there_is_no_suggestion_without_a_fall():
    flat = np.full(141, 0.7) + np.random.default_rng(0).normal(0, 0.005, 141)
    assert falling_range(_RATES, flat) is None
    assert falling_range(_RATES, np.linspace(1, 9, 141)) is None
    from cnnkit.config.calls import Call

    found = LearningRateRange(Call("adam", {}), _RATES, flat, flat, None)
    assert "no suggestion" in found.text()
    assert found.as_dict()["suggestion"] is None and found.as_dict()["config"] is None


def test_a_real_network_learns_with_the_suggestion_and_no_run_is_written(tmp_path):
    import cnnkit

    path = _config(tmp_path, optimizer={"sgd": {"learning_rate": 1e-6}}, epochs=2)
    done = _tried(path, "--json", "-o", tmp_path / "loss.png")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert 1e-4 < found["suggestion"] < 1
    assert found["config"] == f"training.optimizer.sgd.learning_rate={found['suggestion']:g}"
    assert found["learning_rates"][:2] == [1e-6, float(f"{1e-6 * 10**0.05:.4g}")]
    assert found["losses"][0] == pytest.approx(np.log(10), abs=0.8)
    assert not (tmp_path / "runs").exists()
    with Image.open(tmp_path / "loss.png") as image:
        assert image.width > 500
    runs = [
        cnnkit.train(path, overrides=sets, runs_folder=tmp_path / "runs")
        for sets in ([], [found["config"]])
    ]
    before, after = (run.info()["metrics"]["test"]["log_loss"] for run in runs)
    assert after < 0.7 * before


def test_the_loss_of_each_step_is_that_of_its_batch(tmp_path):
    """The same seed gives the same losses, and the first is that of the untrained network."""
    path = _config(tmp_path)
    first, second = (json.loads(_tried(path, "--json").stdout)["losses"] for _ in range(2))
    assert first == second
    # Hardly anything is learned at 1e-6, but the batches differ: a mean over all would not jump.
    assert np.std(first[:15]) > 0.01


def test_a_linear_probe_has_no_learning_rate(tmp_path):
    config = {
        "data": {"source": "digits", "image_size": 32, "color_mode": "rgb"},
        "model": {"backbone": {"name": "MobileNetV2", "weights": "none", "alpha": 0.35}},
        "training": {"phases": [{"train": "linear_probe"}]},
    }
    path = tmp_path / "probe.yaml"
    path.write_text(yaml.safe_dump(config))
    done = _tried(path)
    assert done.exit_code == 2
    assert "which has no learning rate" in done.stderr


def test_what_cannot_be_written_is_refused_before_anything_is_trained(tmp_path):
    done = _tried(_config(tmp_path), "-o", tmp_path / "loss.txt")
    assert done.exit_code == 2 and ".svg" in done.stderr
    assert _tried(tmp_path / "no.yaml").exit_code == 2
    (tmp_path / "kept.png").write_bytes(b"photograph")
    for more in ([], ["--overwrite"]):  # cnnkit did not draw it
        done = _tried(_config(tmp_path), "-o", tmp_path / "kept.png", *more)
        assert done.exit_code == 2 and (tmp_path / "kept.png").read_bytes() == b"photograph"

"""`cnnkit doctor`: facts, checks against stored numbers, and what a failed one says."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from cnnkit.cli import main
from cnnkit.doctor import checks
from cnnkit.doctor.examination import Examination


def test_the_stored_losses_are_those_of_float64():
    assert checks.losses_of_steps("float64") == pytest.approx(checks.REFERENCE_LOSSES, abs=2e-9)
    assert checks.check_training().is_good


def test_the_first_loss_is_what_numpy_computes():
    images, labels = checks.small_batch()
    model = checks.small_network("float64")
    kernels = [np.asarray(one) for one in model.trainable_variables if one.name == "kernel"]
    x = np.pad(images / 255, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = np.maximum(_convolved(x, kernels[0]), 0)
    x = x.reshape(len(x), 6, 2, 6, 2, 4).max(axis=(2, 4))
    x = _convolved(x, kernels[1])
    x = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-3)
    logits = np.maximum(x, 0).mean(axis=(1, 2)) @ kernels[2]
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -(labels * log_probabilities).sum(axis=1).mean()
    assert checks.REFERENCE_LOSSES[0] == pytest.approx(loss, abs=1e-7)


def _convolved(images, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel.shape[:2], axis=(1, 2))
    return np.einsum("nijchw,hwcf->nijf", windows, kernel)


def test_wrong_numbers_are_told_with_what_to_do(monkeypatch):
    wrong = [*checks.REFERENCE_LOSSES[:-1], checks.REFERENCE_LOSSES[-1] * 1.01]
    monkeypatch.setattr(checks, "REFERENCE_LOSSES", wrong)
    found = checks.check_training()
    assert not found.is_good and "wrong numbers" in found.found
    monkeypatch.setattr(checks, "REFERENCE_LOSSES", [float("nan")] * 10)
    assert not checks.check_training().is_good  # NaN is no agreement
    examination = Examination((("Python", "3"),), (found,), ())
    assert examination.failed == ["training"]
    assert "training" in examination.text() and "FAILS" in examination.text()


def test_everything_works_here_and_json_has_the_same_facts():
    done = CliRunner().invoke(main, ["doctor", "--json"])
    assert done.exit_code == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["facts"]["CUDA packages"]
    assert [check["name"] for check in found["checks"]] == ["training", "conversion", "decoding"]
    assert all(check["is_good"] for check in found["checks"])
    assert found["facts"]["cache"].startswith(os.environ["CNNKIT_CACHE"])
    assert found["facts"]["weights"].count("installed") >= 3
    assert all(timing["value"] > 0 for timing in found["timings"])


def test_hidden_gpus_and_a_slow_setting_are_named():
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    code = (
        "from cnnkit.doctor.devices import device_facts as f; import json; print(json.dumps(f()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    facts = dict(json.loads(done.stdout.splitlines()[-1]))
    assert "CUDA_VISIBLE_DEVICES=-1 hides all GPUs" in facts["GPU"]
    assert facts["oneDNN"].startswith("off")

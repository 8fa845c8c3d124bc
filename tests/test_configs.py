"""The shipped configs, and the one in the README, reach what is said of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cnnkit

_ROOT = Path(__file__).resolve().parents[1]


def _test_accuracy(run):
    return run.info()["metrics"]["test"]["accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("digits_lenet5", 0.975), ("shapes_cnn", 0.95)])
def test_a_shipped_config_reaches_its_accuracy(tmp_path, name, least):
    run = cnnkit.train(_ROOT / "configs" / f"{name}.yaml", runs_folder=tmp_path)
    assert _test_accuracy(run) >= least


@pytest.mark.slow
def test_the_config_of_the_readme_learns_real_photographs(shared_data, tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", (_ROOT / "README.md").read_text(), re.DOTALL)
    text = next(block for block in blocks if "source: photos/" in block)
    path = tmp_path / "photos.yaml"
    path.write_text(text.replace("photos/", str(shared_data / "datasets" / "sign_digits")))
    run = cnnkit.train(
        path, runs_folder=tmp_path, overrides=["augmentation=[{random_rotation: 0.05}]"]
    )
    assert _test_accuracy(run) >= 0.9

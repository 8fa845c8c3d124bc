"""Folders and files whose names are not UTF-8."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import cnnkit
from cnnkit.cli import main
from cnnkit.runs import Run
from cnnkit.utf8_paths import utf8_alias

_ODD = os.fsdecode(b"caf\xe9")


@pytest.fixture
def odd(tmp_path):
    folder = tmp_path / _ODD
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    return folder


def test_an_alias_leads_to_the_same_file_and_is_removed(odd, tmp_path):
    (odd / "a.txt").write_text("x")
    with utf8_alias(odd / "a.txt") as alias:
        str(alias).encode()
        assert (alias.suffix, alias.read_text()) == (".txt", "x")
    assert not alias.exists() and (odd / "a.txt").exists()
    with utf8_alias(tmp_path) as alias:
        assert alias == tmp_path


def test_data_and_its_config_may_be_below_such_a_folder(odd, tiny_config):
    shutil.copytree(tiny_config.parent / "images", odd / "images")
    shutil.copy(tiny_config, odd)
    os.chdir(odd)
    run = cnnkit.train("tiny.yaml", overrides=["training.epochs=1"])
    assert run.info()["data"]["source"] == str(odd / "images")
    assert cnnkit.load_config(run.config).data.source == str(odd / "images")
    assert len(cnnkit.load_run().predict([odd / "images" / "red"])) == 12


def test_a_run_that_was_moved_below_such_a_folder_works(odd, trained_run):
    run = Run(odd / "run")
    shutil.copytree(trained_run.folder, run.folder)
    image = Path(cnnkit.load_config(run.config).data.source) / "red" / "0.png"
    (expected,) = cnnkit.load_run(trained_run.folder).predict([image])
    done = CliRunner().invoke(main, ["export", str(run.folder)])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["evaluate", str(run.folder)])
    assert done.exit_code == 0, done.output
    exports = [run.export / name for name in ("saved_model", "model.tflite", "model.onnx")]
    for model in (run.folder, run.best, *exports):
        (found,) = cnnkit.load_run(model).predict([image])
        assert np.allclose(found.probabilities, expected.probabilities, atol=1e-4), model

"""`digits` is the built-in data set; `./digits`, `digits/` and an absolute path are a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import write_tiny_images

from cnnkit.cli import main
from cnnkit.config import ShapesConfig, load_config
from cnnkit.data.sources.builtin_names import is_builtin
from cnnkit.data.sources.listing import read_source
from cnnkit.evaluation.evaluate_model import evaluate_model

_AS_FOLDER = ("./digits", "digits/", "{here}/digits")
_IN_FOLDER = 24


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in a folder that contains a folder called `digits`, of 3 classes x 8 images."""
    monkeypatch.chdir(tmp_path)
    write_tiny_images(tmp_path / "digits")
    return tmp_path


@pytest.fixture
def own_run(trained_run, tmp_path):
    """Return a copy of the trained run that a test may write to."""
    return Path(shutil.copytree(trained_run.folder, tmp_path / "runs" / "tiny"))


def run(*words, exit_code=0):
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == exit_code, done.output
    return done


@pytest.mark.parametrize("written", _AS_FOLDER)
@pytest.mark.parametrize(
    ("command", "count"),
    [
        (["data", "check"], lambda found: found["images"]),
        (["data", "stats"], lambda found: found["summary"]["images"]),
        (["data", "pack", "--set", "data.image_size=8"], lambda found: found["images"]),
        (["data", "split", "-o", "x.csv"], lambda found: found["manifests"][0]["new"]),
        (["init", "-o", "x.yaml"], lambda found: found["images"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_commands_read_the_folder(here, written, command, count):
    done = run(*command, written.format(here=here), "--json")
    assert count(json.loads(done.stdout)) == _IN_FOLDER


def test_the_split_of_the_built_in_is_not_replaced_by_that_of_the_folder(here):
    run("data", "split", "digits")
    before = Path("digits.split.csv").read_bytes()
    done = run("data", "split", "./digits", exit_code=2)
    assert "digits.split.csv has 1,797 images, but none of this source" in done.stderr
    assert Path("digits.split.csv").read_bytes() == before


def test_commands_read_the_built_in_by_its_name(here):
    assert json.loads(run("data", "stats", "digits", "--json").stdout)["summary"]["images"] == 1797
    run("init", "digits", "-o", "builtin.yaml")
    assert load_config("builtin.yaml").data.source == "digits"
    run("init", "./digits", "-o", "folder.yaml")
    assert load_config("folder.yaml").data.source == str(here / "digits")


@pytest.mark.parametrize("written", _AS_FOLDER)
def test_a_config_and_an_override_name_the_folder(here, written):
    source = written.format(here=here)
    Path("a.yaml").write_text(
        f"data: {{source: {source}, image_size: 8}}\nmodel: {{layers: [flatten]}}\n"
    )
    Path("b.yaml").write_text("data: {source: x, image_size: 8}\nmodel: {layers: [flatten]}\n")
    assert load_config("a.yaml").data.source == str(here / "digits")
    assert load_config("b.yaml", [f"data.source={source}"]).data.source == str(here / "digits")
    run("data", "preview", "a.yaml", "--images", "3", "--versions", "1")


@pytest.mark.parametrize("written", _AS_FOLDER)
def test_evaluate_scores_the_folder(here, own_run, written):
    source = written.format(here=here)
    done = run("evaluate", own_run, "--data", source, "--name", "folder", "--json")
    assert json.loads(done.stdout)["num_images"] == _IN_FOLDER


def test_evaluate_scores_the_built_in_by_its_name(here, own_run):
    done = run("evaluate", own_run, "--data", "digits", exit_code=2)
    assert "was trained on 3 classes" in done.stderr
    assert "has 10 (new: 0, 1, 2" in done.stderr


def test_in_python_a_path_is_a_folder_and_a_text_is_read_like_the_command_line(here, own_run):
    scored = evaluate_model(str(own_run), here, data=Path("digits"), name="path", note=str)
    assert scored.metrics["num_images"] == _IN_FOLDER
    assert len(read_source(Path("digits"), ShapesConfig()).records) == _IN_FOLDER
    assert len(read_source("./digits", ShapesConfig()).records) == _IN_FOLDER
    assert len(read_source("digits", ShapesConfig()).records) == 1797
    assert [is_builtin(name) for name in ("digits", "./digits", "digits/", Path("digits"))] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("written", ["digits", *_AS_FOLDER])
def test_filters_take_images_only_from_a_folder(here, own_run, written):
    source = written.format(here=here)
    words = ["--images", source, "--channels", "1", "-o", "out", "--json"]
    done = run("filters", "--model", own_run, *words)
    assert json.loads(done.stdout)["images"] == _IN_FOLDER

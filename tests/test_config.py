"""Configs that load: defaults, data.source, and what is written back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from cnnkit.config import (
    Call,
    config_as_dict,
    config_from_dict,
    config_from_text,
    dump_config,
    load_config,
)
from cnnkit.errors import ConfigError
from configs import FULL, SMALL


def test_the_smallest_config_gets_every_default() -> None:
    config = config_from_text(SMALL)
    assert config.data.image_size == (32, 32)
    assert config.data.split.model_dump() == {
        "validation": 0.1,
        "test": 0.1,
        "seed": 0,
        "group": None,
    }
    assert config.augmentation == ()
    assert config.model.layers == (Call("flatten"),)
    assert config.training.optimizer == Call("adam", {"learning_rate": 0.001})
    assert config.training.schedule == Call("constant")
    assert config.training.early_stopping is None


def test_sections_with_nothing_below_them_are_empty() -> None:
    config = config_from_text(SMALL + "training:\naugmentation:\n")
    assert config == config_from_text(SMALL)


def test_the_config_cannot_be_changed() -> None:
    config = config_from_text(SMALL)
    with pytest.raises(ValidationError):
        config.training.epochs = 3
    with pytest.raises(AttributeError):
        config.training.optimizer.name = "sgd"


def test_values_are_plain_python() -> None:
    def types_in(value: object) -> set[type]:
        if isinstance(value, dict):
            return set().union(*map(types_in, value), *map(types_in, value.values()))
        if isinstance(value, list | tuple):
            return set().union(*map(types_in, value))
        return {type(value)}

    assert types_in(config_as_dict(config_from_text(FULL))) == {int, float, str, bool}


@pytest.mark.parametrize("text", [SMALL, FULL])
def test_a_config_written_back_loads_as_the_same_config(text: str) -> None:
    config = config_from_text(text)
    written = dump_config(config)
    assert config_from_text(written) == config
    assert dump_config(config_from_text(written)) == written


def test_every_default_is_written() -> None:
    assert (
        dump_config(config_from_text(SMALL))
        == """\
data:
  source: digits
  image_size: [32, 32]
  color_mode: rgb
  resize: stretch
  background: 255
  split: {validation: 0.1, test: 0.1, seed: 0, group: null}
  batch_size: 32
  on_error: error
  classes: null
  allow_missing_classes: false
  cache: auto
  cache_limit_gb: 50.0
augmentation: []
model:
  layers: [flatten]
  output: softmax
training:
  epochs: 20
  optimizer:
    adam: {learning_rate: 0.001}
  schedule: constant
  warmup_epochs: 0.0
  early_stopping: null
  monitor: val_loss
  class_weights: null
  balanced_sampling: false
  label_smoothing: 0.0
  seed: 0
  deterministic: true
  tensorboard: true
"""
    )


def test_class_names_survive_being_written() -> None:
    weights = config_from_text(FULL).training.class_weights
    assert weights == {"no": 1, "1e-4": 2, "012": 3, "on": 4}


def test_a_class_list_is_a_list_or_a_file_with_one_class_a_line(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("on\n\n 012 \ncafé\n", encoding="utf-8")
    path = tmp_path / "a.yaml"
    path.write_text(
        "data: {source: digits, image_size: 32, classes: names.txt}\nmodel: {layers: [flatten]}\n"
    )
    assert load_config(path).data.classes == ("on", "012", "café")
    assert load_config(path, ["data.classes=[no, 1e-4]"]).data.classes == ("no", "1e-4")


def test_a_class_list_that_is_not_there_is_an_error_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(SMALL.replace("size: 32", "size: 32, classes: names.txt"))
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(
        f"{path}:1:49  data.classes  the class list {tmp_path / 'names.txt'} cannot be read: No "
        "such file or directory."
    )


def test_plain_data_loads_like_text() -> None:
    data = {"data": {"source": "digits", "image_size": 32}, "model": {"layers": ["flatten"]}}
    assert config_from_dict(data, ["training.epochs=2"]).training.epochs == 2
    with pytest.raises(ConfigError) as error:
        config_from_dict({**data, "training": {"epochs": 0}})
    assert str(error.value) == (
        "training.epochs  expected a whole number of at least 1, received 0."
    )


def source_of(text: str, folder: Path) -> str:
    path = folder / "a.yaml"
    path.write_text(f"data: {{source: {text}, image_size: 32}}\nmodel: {{layers: [flatten]}}\n")
    return load_config(path).data.source


def test_a_relative_source_starts_from_the_config_file(tmp_path: Path) -> None:
    assert source_of("photos/", tmp_path) == str(tmp_path / "photos")
    assert source_of("../photos", tmp_path) == str(tmp_path.parent / "photos")
    assert source_of("/photos", tmp_path) == os.path.abspath("/photos")


def test_a_folder_may_be_called_like_a_number_or_a_built_in(tmp_path: Path) -> None:
    assert source_of("012", tmp_path) == str(tmp_path / "012")
    assert source_of("./digits", tmp_path) == str(tmp_path / "digits")
    assert source_of("digits", tmp_path) == "digits"


def test_the_home_folder_and_variables_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PHOTOS", str(tmp_path / "all"))
    assert source_of("~/photos", tmp_path) == str(tmp_path / "photos")
    assert source_of("'${PHOTOS}/cats'", tmp_path) == str(tmp_path / "all" / "cats")
    assert source_of("'$${PHOTOS}/cats'", tmp_path) == str(tmp_path / "${PHOTOS}" / "cats")


def with_paths(folder: str, key: str) -> str:
    """Return a config with a path at every place that can have one; JSON is YAML."""
    name = {"name": "VGG16"} if key == "weights" else {}
    data = {
        "data": {"source": f"{folder}/images", "image_size": 64, "classes": "names.txt"},
        "model": {"backbone": {**name, key: f"{folder}/backbone"}},
        "training": {
            "phases": [
                {"train": "head", "data": {"source": f"{folder}/drawn"}},
                {"train": "all", "data": {"source": "shapes"}},
            ]
        },
    }
    return json.dumps(data)


@pytest.mark.parametrize("key", ["hub", "run", "file", "weights"])
@pytest.mark.parametrize(
    ("written", "real"),
    [
        ("$${A}", "${A}"),
        ("x$${A}y$${B}", "x${A}y${B}"),
        ("$$${A}", "$${A}"),
        ("$${A$${B}}", "$${A${B}}"),  # `${A$` is not a variable
        ("${1}", "${1}"),
        ("$A", "$A"),
        ("a$", "a$"),
        ("${SET}", "${HOME}"),  # what a variable holds is not filled in again
    ],
)
def test_a_path_with_a_dollar_survives_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, written: str, real: str
) -> None:
    monkeypatch.setenv("SET", "${HOME}")
    folder = tmp_path / "of ${the} $config"  # the real name of a folder is never filled in
    folder.mkdir()
    (folder / "names.txt").write_text("${A}\n$b\n", encoding="utf-8")
    (folder / "a.yaml").write_text(with_paths(written, key), encoding="utf-8")
    config = load_config(folder / "a.yaml")
    assert config.data.source == str(folder / real / "images")
    assert config.data.classes == ("${A}", "$b")
    assert getattr(config.model.backbone, key) == str(folder / real / "backbone")
    assert config.training.phases[0].data.source == str(folder / real / "drawn")
    assert config.training.phases[1].data.source == "shapes"
    (tmp_path / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    assert load_config(tmp_path / "config.yaml") == config


def test_urls_and_names_of_weights_are_written_as_they_are() -> None:
    url = "https://example.org/${A}/1"
    text = f"data: {{source: digits, image_size: 32}}\nmodel: {{backbone: {{hub: '{url}'}}}}\n"
    config = config_from_text(text)
    assert config.model.backbone.hub == url
    assert config_from_text(dump_config(config)) == config


def test_loading_a_config_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(FULL)
    code = (
        "import sys; from cnnkit.config import load_config; load_config(sys.argv[1]);"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stderr == ""

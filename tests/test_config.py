"""Configs that load: their defaults, and the YAML written from them."""

from __future__ import annotations

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

    assert types_in(config_as_dict(config_from_text(FULL))) == {int, float, str, bool, type(None)}


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
  sample_range: null
  split: {validation: 0.1, test: 0.1, seed: 0, group: null}
  batch_size: 32
  on_error: error
  classes: null
  labels: null
  weight_column: null
  allow_missing_classes: false
  cache: auto
  cache_limit_gb: 50.0
augmentation: []
model:
  layers: [flatten]
  weights: null
  partial_weights: false
  output: softmax
  tta: null
training:
  epochs: 20
  optimizer:
    adam: {learning_rate: 0.001}
  loss: null
  schedule: constant
  warmup_epochs: 0.0
  early_stopping: null
  monitor: val_loss
  class_weights: null
  balanced_sampling: false
  label_smoothing: 0.0
  seed: 0
  deterministic: true
  precision: auto
  jit_compile: auto
  film: false
  tensorboard: true
  loggers: []
  max_minutes: null
  checkpoint_minutes: 10.0
  keep_backup: true
runtime: {devices: auto, wait_minutes: 10.0}
"""
    )


def test_class_names_survive_being_written() -> None:
    weights = config_from_text(FULL).training.class_weights
    assert weights == {"no": 1, "1e-4": 2, "012": 3, "on": 4}


def test_plain_data_loads_like_text() -> None:
    data = {"data": {"source": "digits", "image_size": 32}, "model": {"layers": ["flatten"]}}
    assert config_from_dict(data, ["training.epochs=2"]).training.epochs == 2
    with pytest.raises(ConfigError) as error:
        config_from_dict({**data, "training": {"epochs": 0}})
    assert str(error.value) == (
        "training.epochs  expected a whole number of at least 1, received 0."
    )


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

"""`--set key=value`: which values it can set, and its messages when it cannot."""

from __future__ import annotations

import pytest

from cnnkit.config import (
    Call,
    Config,
    config_from_text,
)
from cnnkit.errors import ConfigError
from configs import FULL, SMALL


def loaded(*overrides: str, text: str = SMALL) -> Config:
    return config_from_text(text, overrides, filename="a.yaml")


def test_an_override_replaces_a_value_or_creates_its_section() -> None:
    assert loaded("training.epochs=3").training.epochs == 3
    assert loaded("training.early_stopping.patience=3").training.early_stopping.patience == 3
    assert loaded("augmentation=[]", text=FULL).augmentation == ()
    assert loaded("data.image_size=[8, 16]").data.image_size == (8, 16)


def test_an_override_reaches_into_layers_and_blocks() -> None:
    config = loaded(
        "model.layers[0].conv.filters=16",
        "model.layers[1].residual[0].conv.filters=16",
        "model.layers[7].dense.units=4",
        text=FULL,
    )
    assert config.model.layers[0].arguments["filters"] == 16
    assert config.model.layers[1].arguments["layers"][0].arguments["filters"] == 16
    assert config.model.layers[7].arguments["units"] == 4


def test_an_override_reaches_the_arguments_of_a_bare_name() -> None:
    text = SMALL + "training: {optimizer: adam}\n"
    optimizer = loaded("training.optimizer.adam.learning_rate=0.1", text=text).training.optimizer
    assert optimizer == Call("adam", {"learning_rate": 0.1})


def test_the_last_override_of_a_key_wins() -> None:
    assert loaded("training.epochs=3", "training.epochs=4").training.epochs == 4


def test_override_values_follow_the_yaml_rules() -> None:
    assert loaded("training.optimizer.adam=1e-4").training.optimizer.arguments == {
        "learning_rate": 0.0001
    }
    assert loaded("training.class_weights.012=3").training.class_weights == {"012": 3}


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("training.epochs=ten",
         'training.epochs  expected a whole number of at least 1, received "ten".'),
        ("training.epochs=1e1",
         "training.epochs  expected a whole number of at least 1, received 1e1."),
        ("trainin.epochs=1", "trainin  unknown key. Did you mean training? "
         "Allowed: data, augmentation, model, training, runtime, search."),
        ("model.layers[0].flatten.x=1", "model.layers[0].flatten.x  unknown argument for flatten. "
         "Allowed: name."),
        ("model.layers[0]={dropout: 2}", "model.layers[0].dropout.rate  expected a number of at "
         "least 0 and below 1, received 2."),
        ("training.epochs", "this is not key=value. Write it like training.epochs=3."),
        ("=3", "this is not key=value. Write it like training.epochs=3."),
        ("training..epochs=3", "this is not key=value. Write it like training.epochs=3."),
        ("training.epochs=[1", "the value is wrong: this is not valid YAML: expected ',' or ']', "
         "but got '<stream end>' while parsing a flow sequence."),
        ("data.source.x=3", 'data.source is "digits", not a section, so it has no key x.'),
        ("data[0]=3", "data is not a list, so it has no entry [0]."),
        ("model.layers[1]=flatten", "model.layers has no entry [1]. The last entry is [0]."),
        ("model.layers.conv=3", "model.layers is a list. Name one of its entries, as in "
         "model.layers[0].conv."),
        ("training.warmup_epochs=21", "training.warmup_epochs  the warm-up takes 21 epochs, but "
         "the whole training has only 20. Shorten the warm-up or train longer."),
    ],
)  # fmt: skip
def test_a_wrong_override_is_reported_as_it_was_typed(override: str, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(override)
    assert str(error.value) == f"--set {override}  {line}"


def test_mistakes_in_the_file_and_in_overrides_are_reported_together() -> None:
    with pytest.raises(ConfigError) as error:
        loaded("training.seed=x", text=SMALL + "training: {epochs: 0}")
    locations = [problem.location for problem in error.value.problems]
    assert locations == ["a.yaml:3:20", "--set training.seed=x"]

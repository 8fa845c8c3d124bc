"""The `search` section: what it may say, and the configs that it stands for."""

from __future__ import annotations

import pytest

from cnnkit.config import (
    Config,
    config_from_text,
    dump_config,
    load_config,
    search_space_from_text,
)
from cnnkit.errors import ConfigError

_BASE = """\
data: {source: digits, image_size: 8, color_mode: grayscale}
model:
  layers:
    - conv: {filters: 8, kernel_size: 3}
    - flatten
training:
  optimizer: {adam: {learning_rate: 0.001}}
search:
"""


def _space(*lines, overrides=()):
    text = _BASE + "".join(f"  {line}\n" for line in lines)
    return search_space_from_text(text, overrides, filename="a.yaml")


def _problems(*lines):
    with pytest.raises(ConfigError) as error:
        _space(*lines)
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("training.epocs: [1, 2]", "9:3  search.training.epocs  unknown key for training. "),
        ("training.optimizer.adm.momentum: [1, 2]", 
         "9:37  search.training.optimizer.adm.momentum[0]  with training.optimizer.adm.momentum: "
         "1, training.optimizer is wrong: expected one optimizer name, received the keys"),
        ("model.layers[2].conv.filters: [1, 2]",
         "9:3  search.model.layers[2].conv.filters  model.layers has no entry [2]. "),
        ("training.epochs: [3, 0]",
         "9:24  search.training.epochs[1]  expected a whole number of at least 1, received 0."),
        ("training.epochs: {uniform: [2, 9]}",
         "9:31  search.training.epochs.uniform[0]  expected a whole number of at least 1, "),
        ("training.label_smoothing: {uniform: [0, 1]}",
         "9:43  search.training.label_smoothing.uniform[1]  expected a number of at least 0 and"),
        ("training.optimizer: [{sgd: {momentun: 0.9}}, adam]",
         "9:31  search.training.optimizer[0].sgd.momentun  unknown"),
        ("training.optimizer: {choices: {a: {sgd: {momentun: 1}}, b: adam}}",
         "9:44  search.training.optimizer.choices.a.sgd.momentun  unknown"),
        ("training.warmup_epochs: [0, 30]",
         "9:31  search.training.warmup_epochs[1]  the warm-up takes 30 epochs, but "),
        ("training.epochs: [3]", "9:20  search.training.epochs  expected at least two values"),
        ("training.epochs: [3, 4, 3]", "9:20  search.training.epochs  3 is given twice. Keep one."),
        ("training.epochs: {it: [1, 2]}",
         "9:3  search.training.epochs  unknown form. Did you mean int?"),
        ("training.epochs: {int: [2, 1]}",
         "9:20  search.training.epochs  expected two whole numbers, the smaller one first, "
         "received [2, 1]."),
        ("training.seed: {log_int: [0, 3]}",
         "9:18  search.training.seed  expected numbers above 0, received [0, 3]. A log scale has"),
        ("training.seed: {uniform: [0, .inf]}", "9:18  search.training.seed  expected two numbers"),
        ("search.training.seed: [1, 2]", "9:3  search.search.training.seed  the search cannot"),
        ("training.: [1, 2]", "9:3  search.training.  this is not a key. Write it like"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_line_before_anything_is_trained(line, problem):
    assert _problems(line)[0].startswith(f"a.yaml:{problem}")


def test_a_key_and_a_part_of_it_are_not_both_searched():
    (found,) = _problems(
        "training.optimizer: [adam, sgd]", "training.optimizer.adam.learning_rate: [0.1, 0.2]"
    )
    assert found.startswith(
        "a.yaml:10:3  search.training.optimizer.adam.learning_rate  training.optimizer, which"
    )


def test_values_that_only_other_keys_make_wrong_are_reported_with_the_value():
    (found,) = _problems("data.split.validation: [0.1, 0.95]")
    assert found.startswith(
        "a.yaml:9:32  search.data.split.validation[1]  with data.split.validation: 0.95, "
        "data.split is wrong: validation and test together take 1.05 of the images"
    )


def test_a_config_without_a_search_has_nothing_to_tune():
    text = _BASE.replace("search:\n", "")
    with pytest.raises(ConfigError, match="there is nothing to search. Add a section such as"):
        search_space_from_text(text)
    with pytest.raises(ConfigError, match="expected keys of the config, each with the values"):
        search_space_from_text(text + "search: 3\n")


def test_each_value_changes_its_key_and_nothing_else():
    space = _space(
        "training.optimizer.adam.learning_rate: {log: [1e-4, 1e-2]}",
        "training.schedule: [constant, cosine]",
        "model.layers[0].conv.filters: {int: [4, 16]}",
        "model.layers[1]: {choices: {flat: flatten, mean: global_pool}}",
    )
    values = {
        "training.optimizer.adam.learning_rate": 0.005,
        "training.schedule": "cosine",
        "model.layers[0].conv.filters": 12,
        "model.layers[1]": "mean",
    }
    expected = (
        _BASE.replace("search:\n", "  schedule: cosine\n")
        .replace("0.001", "0.005")
        .replace("filters: 8", "filters: 12")
        .replace("- flatten", "- global_pool")
    )
    assert space.config_of(values) == config_from_text(expected)
    assert space.config == config_from_text(_BASE)
    assert space.num_combinations is None


def test_the_values_as_written_are_found_or_there_are_none():
    space = _space(
        "training.optimizer: [{sgd: {learning_rate: 0.1}}, adam]",
        "training.epochs: {int: [5, 40]}",
        "training.label_smoothing: {uniform: [0, 0.2]}",
    )
    # 20 epochs and no smoothing are defaults, and `adam` is short for what is written.
    assert space.values_as_written() == {
        "training.optimizer": "adam",
        "training.epochs": 20,
        "training.label_smoothing": 0.0,
    }
    short = _space("training.optimizer.adam.learning_rate: {log: [1e-4, 1]}",
                   "model.layers[2].dropout: {uniform: [0, 0.5]}",
                   overrides=["model.layers=[{conv: {filters: 2, kernel_size: 2}}, flatten, "
                              "{dropout: 0.25}]"])  # fmt: skip
    assert short.values_as_written() == {
        "training.optimizer.adam.learning_rate": 0.001,
        "model.layers[2].dropout": 0.25,
    }
    assert _space("training.epochs: {int: [5, 10]}").values_as_written() is None
    assert _space("training.schedule: [cosine, plateau]").values_as_written() is None


def test_combinations_are_counted_if_there_is_a_finite_number():
    space = _space("training.epochs: {int: [5, 9]}", "training.schedule: [constant, cosine]")
    assert space.num_combinations == 10


def test_a_path_in_a_choice_starts_from_the_folder_of_the_config(tmp_path):
    space = search_space_from_text(
        _BASE + "  data.source: [photos, digits]\n", folder=tmp_path / "project"
    )
    config = space.config_of({"data.source": "photos"})
    assert config.data.source == str(tmp_path / "project" / "photos")


def test_an_override_changes_the_config_as_it_is_written():
    space = _space("training.epochs: [3, 4]", overrides=["data.batch_size=7", "training.epochs=4"])
    assert space.config.data.batch_size == 7
    assert space.config_of({"training.epochs": "3"}).data.batch_size == 7
    assert space.values_as_written() == {"training.epochs": "4"}


def test_other_commands_keep_the_search_of_a_config(tmp_path):
    text = _BASE + "  training.epochs: {log_int: [5, 40]}\n  data.batch_size: [16, 32]\n"
    config = config_from_text(text)
    assert dump_config(config).endswith(
        "search:\n  training.epochs:\n    log_int: [5, 40]\n  data.batch_size: [16, 32]\n"
    )
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "again.yaml") == config
    assert isinstance(config.without_search(), Config)
    assert "search" not in dump_config(config.without_search())

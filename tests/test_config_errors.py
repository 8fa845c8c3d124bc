"""Wrong configs: the messages in full, their places and their order."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_parts import DATA, MODEL, PROBE, backbone, layer
from wrong_configs import TABLE

from cnnkit.config import (
    check_config,
    config_as_dict,
    config_from_text,
    dump_config,
    load_config,
)
from cnnkit.errors import ConfigError, UsageError
from configs import FULL, WITH_BACKBONE


@pytest.mark.parametrize(("text", "lines"), TABLE)
def test_a_wrong_config_gives_exactly_these_lines(text: str, lines: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    assert str(error.value).splitlines() == [f"a.yaml:{line}" for line in lines]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = "training: {epochs: 0}\ndata: {source: digits, image_size: 0}\nmodel: {layer: []}\n"
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    places = [problem.location for problem in error.value.problems]
    assert places == ["a.yaml:1:20", "a.yaml:2:36", "a.yaml:3:9"]


def test_a_mistake_in_a_merged_mapping_is_reported_where_it_is_written() -> None:
    text = "x-conv: &conv {filters: 0}\n" + layer("conv: {<<: *conv, kernel_size: 3}")
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    assert [problem.location for problem in error.value.problems] == ["a.yaml:1:25"]


def test_a_stack_that_shrinks_the_image_to_nothing_is_reported_at_its_layer() -> None:
    text = f"{DATA}model:\n  layers:\n    - pool: 16\n    - residual:\n        - pool: 4\n"
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    (problem,) = error.value.problems
    assert problem.key == "model.layers[1].residual[0]"
    assert problem.location == "a.yaml:6:11"
    assert "32" in problem.message


def test_a_wrong_image_size_of_the_command_line_is_reported_there() -> None:
    with pytest.raises(ConfigError) as error:
        config_from_text(backbone("name: VGG16", "32"), ["data.image_size=31"])
    assert [problem.location for problem in error.value.problems] == ["--set data.image_size=31"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("name: Xception", "71"),
        ("name: MobileNet, alpha: 0.3, depth_multiplier: 2, weights: none", "32"),
        ("name: MobileNetV3Small, alpha: 0.75, minimalistic: true, weights: my.h5", "32"),
        ("name: MobileNetV3Small, alpha: 0.75, minimalistic: false", "32"),
        ("run: other", "8"),
    ],
)
def test_a_backbone_with_arguments_that_fit_loads(text: str, size: str) -> None:
    config_from_text(backbone(text, size))


def test_a_probe_may_follow_layers_without_weights() -> None:
    head = (
        "  head: [LayerNormalization: {scale: false, center: false}, global_pool, dropout: 0.2]\n"
    )
    config = config_from_text(backbone("name: VGG16") + head + PROBE)
    assert len(config.model.head) == 3


def test_a_missing_file_is_named_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "digits_lenet5.yaml").write_text(DATA + MODEL)
    with pytest.raises(UsageError) as error:
        load_config(tmp_path / "digits_lenet.yaml")
    assert str(error.value) == (
        f"There is no config {tmp_path}/digits_lenet.yaml. Did you mean digits_lenet5.yaml?"
    )


@pytest.mark.parametrize("name", ["lenet", "lenet.yaml"])
def test_a_config_is_also_looked_for_in_the_folder_configs(tmp_path: Path, name: str) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "lenet.yaml").write_text(DATA + MODEL)
    with pytest.raises(UsageError, match=r"no config .*\. Did you mean .*configs/lenet\.yaml\?"):
        load_config(tmp_path / name)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The folder .*nowhere does not exist either"):
        load_config(tmp_path / "nowhere" / "a.yaml")


def test_a_folder_in_place_of_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load_config(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} is a folder, but a config is needed. `cnnkit init {tmp_path}` writes one."
    )
    (tmp_path / "a.yaml").touch()
    with pytest.raises(UsageError, match="config is needed. It contains a.yaml."):
        load_config(tmp_path)


def test_a_photo_in_place_of_a_config_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0")
    with pytest.raises(UsageError, match=r"x.jpg is not a text file"):
        load_config(tmp_path / "x.jpg")


def test_a_long_list_of_configs_is_shown_as_a_selection(tmp_path: Path) -> None:
    for name in "abcdefg":
        (tmp_path / f"{name}.yaml").touch()
    with pytest.raises(UsageError, match=r"Configs in that folder: a.yaml, .*e.yaml and 2 more\."):
        load_config(tmp_path / "quite_other")


def test_a_file_that_is_not_utf8_is_reported_at_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"data:\n  source: caf\xe9\n")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value) == (
        f"{path}:2:14  this is not UTF-8 text. Save the file with the encoding UTF-8."
    )


def test_check_config_returns_the_mistakes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(DATA + MODEL)
    assert check_config(path) == ()
    assert [problem.key for problem in check_config(path, ["training.epochs=0"])] == [
        "training.epochs"
    ]


def test_a_problem_has_its_path_and_its_suggestion_as_data() -> None:
    text = layer("conv: {filters: 4, kernal_size: 3, padding: sam}")
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    found = {problem.path: problem.suggestion for problem in error.value.problems}
    below = ("model", "layers", 0, "conv")
    assert found == {(*below, "kernal_size"): "kernel_size", (*below, "padding"): "same"}
    assert error.value.problems[0].key == "model.layers[0].conv.kernal_size"
    assert error.value.problems[1].as_dict() == {
        "key": "model.layers[0].conv.padding",
        "message": 'expected same or valid, received "sam". Did you mean same?',
        "location": "a.yaml:4:51",
        "path": [*below, "padding"],
        "suggestion": "same",
    }


PHASES = "training: {{epochs: 10, warmup_epochs: {warmup}, phases: [{phases}]}}\n"


@pytest.mark.parametrize(
    ("warmup", "phases", "lines"),
    [
        (5, "{train: head, epochs: 3}, {train: all}",
         ["6:73  training.phases[0].epochs  phase 1 has only 3 epochs, but its warm-up takes 5 "
          "(training.warmup_epochs). In this phase set warmup_epochs to 3 or less, or epochs to 5 "
          "or more."]),
        (0, "{train: head}, {train: all, epochs: 1, warmup_epochs: 1.5}",
         ["6:105  training.phases[1].warmup_epochs  phase 2 has only 1 epoch, but its warm-up "
          "takes 1.5. In this phase set warmup_epochs to 1 or less, or epochs to 2 or more."]),
        (0, "{train: all, warmup_epochs: 11}",
         ["6:79  training.phases[0].warmup_epochs  phase 1 has only 10 epochs, but its warm-up "
          "takes 11. In this phase set warmup_epochs to 10 or less, or epochs to 11 or more."]),
        (12, "{train: head}, {train: all, epochs: 20}",
         ["6:39  training.warmup_epochs  the warm-up takes 12 epochs, but the whole training has "
          "only 10. Shorten the warm-up or train longer."]),
        (12, "{train: linear_probe}, {train: all, epochs: 20}", []),
        (5, "train: linear_probe", []),
        (5, "{train: head, epochs: 3, warmup_epochs: 0}, {train: all, epochs: 5}", []),
    ],
)  # fmt: skip
def test_a_phase_shorter_than_its_warm_up_is_refused(
    warmup: int, phases: str, lines: list[str]
) -> None:
    text = backbone("name: VGG16") + PHASES.format(warmup=warmup, phases=phases)
    try:
        config_from_text(text, filename="a.yaml")
    except ConfigError as error:
        assert str(error).splitlines() == [f"a.yaml:{line}" for line in lines]
    else:
        assert lines == []


JUNK = [
    None, 0, -1, 2.5, float("nan"), True, "", "x", "relu", "$n", "${NOT_SET}", [], {}, [1, 2, 3],
    [None], {"a": 1}, {"x": {"y": 1}}, [[1, 2], [3, 4]], [{"dense": 2}], 10**7,
]  # fmt: skip


def places_in(data: Any) -> list[tuple[Any, Any]]:
    """Return (mapping or list, key or index) of every value in plain data."""
    keys = list(data) if isinstance(data, dict) else range(len(data))
    inner = [data[key] for key in keys if isinstance(data[key], dict | list)]
    return [(data, key) for key in keys] + [place for each in inner for place in places_in(each)]


@pytest.mark.parametrize("text", [FULL, WITH_BACKBONE])
def test_any_value_at_any_place_is_accepted_or_reported(text: str) -> None:
    draws = random.Random(0)
    good = config_as_dict(config_from_text(text))
    outcomes = set()
    for _ in range(60):
        data = json.loads(json.dumps(good))
        holder, key = draws.choice(places_in(data))
        holder[key] = draws.choice(JUNK)
        try:
            config = config_from_text(yaml.safe_dump(data))
        except ConfigError as error:
            assert all(re.match(r"config:\d+:\d+$", each.location) for each in error.problems)
            outcomes.add("reported")
        else:
            assert config_from_text(dump_config(config)) == config
            outcomes.add("accepted")
    assert outcomes == {"accepted", "reported"}

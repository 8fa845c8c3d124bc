"""Wrong configs: whole messages, their places and their order."""

from __future__ import annotations

from pathlib import Path

import pytest
from wrong_configs import DATA, MODEL, PROBE, TABLE, backbone, layer

from cnnkit.config import check_config, config_from_text, load_config
from cnnkit.errors import ConfigError, UsageError


@pytest.mark.parametrize(("text", "lines"), TABLE)
def test_a_wrong_config_gives_exactly_these_lines(text: str, lines: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    assert str(error.value).splitlines() == [f"a.yaml:{line}" for line in lines]


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = "training: {epochs: 0}\ndata: {source: digits, image_size: 0}\nmodel: {layer: []}\n"
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    places = [problem.location for problem in error.value.problems]
    assert places == ["a.yaml:1:20", "a.yaml:2:36", "a.yaml:3:9"]


def test_a_merged_mistake_is_shown_where_it_was_written() -> None:
    text = "x-conv: &conv {filters: 0}\n" + layer("conv: {<<: *conv, kernel_size: 3}")
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    assert [problem.location for problem in error.value.problems] == ["a.yaml:1:25"]


def test_a_stack_that_collapses_the_image_is_refused_at_its_layer() -> None:
    text = f"{DATA}model:\n  layers:\n    - pool: 16\n    - residual:\n        - pool: 4\n"
    with pytest.raises(ConfigError) as error:
        config_from_text(text, filename="a.yaml")
    (problem,) = error.value.problems
    assert problem.key == "model.layers[1].residual[0]"
    assert problem.location == "a.yaml:6:11"
    assert "32" in problem.message


def test_an_image_size_of_the_command_line_is_refused_there() -> None:
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
def test_backbones_that_fit_load(text: str, size: str) -> None:
    config_from_text(backbone(text, size))


def test_a_probe_stands_behind_layers_without_weights() -> None:
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
        f"There is no config {tmp_path}/digits_lenet.yaml. "
        "Configs in that folder: digits_lenet5.yaml."
    )


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The folder .*nowhere does not exist either"):
        load_config(tmp_path / "nowhere" / "a.yaml")


def test_a_folder_in_place_of_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_config(tmp_path)


def test_a_file_that_is_not_utf8_is_refused_at_the_byte(tmp_path: Path) -> None:
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

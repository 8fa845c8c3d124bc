"""The YAML reader: scalars of YAML 1.2, positions, anchors, and what it refuses."""

from __future__ import annotations

import math

import pytest

from cnnkit.config.yaml_reader import MAX_NODES, read_yaml
from cnnkit.errors import ConfigError


def value_of(text: str) -> object:
    return read_yaml(f"key: {text}", "a.yaml").data["key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("+3", 3),
        ("012", 12),
        ("0o17", 15),
        ("0xff", 255),
        ("1e-4", 0.0001),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2E+3", -2000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("!!str 012", "012"),
        ("!!float 3", 3.0),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    read = value_of(text)
    assert read == value
    assert isinstance(read, bool) == isinstance(value, bool)
    assert isinstance(read, float) == isinstance(value, float)


def test_nan_is_a_number() -> None:
    assert math.isnan(value_of(".nan"))


@pytest.mark.parametrize(
    "text", ["no", "on", "yes", "off", "y", "1:30", "2020-01-01", "1_000", "0b11", "=", "1e", "+"]
)
def test_what_yaml_1_1_would_change_stays_text(text: str) -> None:
    assert value_of(text) == text


def test_numbers_remember_how_they_were_written() -> None:
    assert value_of("012").text == "012"
    assert value_of("1e-4").text == "1e-4"


def test_keys_are_always_text_as_written() -> None:
    data = read_yaml("{no: 1, 012: 2, 1e-4: 3, true: 4, ~: 5, 2020-01-01: 6}", "a.yaml").data
    assert list(data) == ["no", "012", "1e-4", "true", "~", "2020-01-01"]


def test_every_value_and_key_has_its_line_and_column() -> None:
    document = read_yaml("a:\n  b: [x,\n    y]\n", "a.yaml")
    assert document.positions[()] == (1, 1)
    assert document.key_positions["a", "b"] == (2, 3)
    assert document.positions["a", "b"] == (2, 6)
    assert document.positions["a", "b", 1] == (3, 5)


def test_explicit_keys_win_over_merged_ones_in_any_order() -> None:
    text = "base: &b {x: 1, y: 2}\nbefore: {<<: *b, y: 3}\nafter: {y: 3, <<: *b}\n"
    data = read_yaml(text, "a.yaml").data
    assert data["before"] == data["after"] == {"x": 1, "y": 3}


def test_the_first_of_several_merged_mappings_wins() -> None:
    data = read_yaml("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n", "a.yaml").data
    assert data["c"] == {"x": 1, "y": 2}


def test_an_aliased_value_is_copied() -> None:
    data = read_yaml("a: &a {x: [1]}\nb: *a\n", "a.yaml").data
    data["b"]["x"].append(2)
    assert data["a"] == {"x": [1]}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: 1\nb: 2\na: 3", ["a.yaml:3:1  the key a is given twice, in lines 1 and 3. Keep one."]),
        (
            "a: !!python/object:os.system x\nb: !foo 3",
            [
                "a.yaml:1:4  the tag !!python/object:os.system is not allowed; a config contains "
                "only plain data. Remove it.",
                "a.yaml:2:4  the tag !foo is not allowed; a config contains only plain data. "
                "Remove it.",
            ],
        ),
        ("a: !!set {x}", ["a.yaml:1:4  the tag !!set is not allowed; a config contains only plain "
         "data. Remove it."]),
        ("a: !!int abc", ['a.yaml:1:4  the tag !!int does not fit "abc". Remove it.']),
        ("a: &x [*x]", ["a.yaml:1:4  this value contains itself through an alias."]),
        ("a: &x {<<: *x}", ["a.yaml:1:4  this value contains itself through an alias."]),
        ("a: *x", ["a.yaml:1:4  the alias *x has no anchor &x above it."]),
        ("a: {<<: 3}", ["a.yaml:1:9  << takes an alias of a mapping, or a list of such aliases."]),
        ("? [a]\n: 3", ["a.yaml:1:3  a key must be a name, not a list or a mapping."]),
        (BOMB, [f"a.yaml:1:1  with its aliases filled in, this file has more than {MAX_NODES} "
         "values."]),
        ("[" * 70 + "]" * 70, ["a.yaml:1:66  this value is nested too deeply to read."]),
        ("[" * 5000, ["a.yaml:1:1  the values are nested too deeply to read."]),
        ("a: 1\n---\nb: 2", ["a.yaml:2:1  a second document starts here. "
         "Keep one config per file."]),
        ("a:\n\tb: 1", ["a.yaml:2:1  there is a tab here, but YAML is indented with "
         "spaces. Replace it."]),
        ("a: b: c", ["a.yaml:1:5  this is not valid YAML: mapping values are not allowed here."]),
        ("a: \x01", ["a.yaml:1:4  the character U+0001 is not allowed in YAML. Remove it."]),
        ("", ["a.yaml:1:1  the file is empty. Write a config into it."]),
        ("# only this", ["a.yaml:1:1  the file is empty. Write a config into it."]),
    ],
)  # fmt: skip
def test_what_is_not_plain_data_is_refused_with_its_position(text: str, lines: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        read_yaml(text, "a.yaml")
    assert str(error.value).splitlines() == lines

"""The documentation: configs load, tables and commands are complete, and links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from places import CONFIGS, DOCS, ROOT
from pydantic import BaseModel

from cnnkit.cli import main
from cnnkit.config import (
    MONITORS,
    BackboneConfig,
    Call,
    Config,
    DataConfig,
    EarlyStopping,
    ModelConfig,
    PhaseConfig,
    PhaseDataConfig,
    ShapesConfig,
    SplitConfig,
    TrainingConfig,
    call_names,
    check_config,
    config_from_dict,
    config_from_text,
    names_of,
)
from cnnkit.config.calls import SHORT_NAMES
from cnnkit.config.runtime_section import RuntimeConfig
from cnnkit.config.yaml_reader import read_yaml
from cnnkit.explore.zoo import Architecture, architectures, config_text
from configs import SMALL

_PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("course/*.md"))]
_CONFIGS = sorted(CONFIGS.glob("*.yaml"))
_CONFIG_PAGE = DOCS / "config.md"

# Heading of the table -> the section whose keys it lists.
_TABLES = {
    "The config": Config,
    "data": DataConfig,
    "data.split": SplitConfig,
    "data.shapes": ShapesConfig,
    "model": ModelConfig,
    "model.backbone": BackboneConfig,
    "training": TrainingConfig,
    "training.phases": PhaseConfig,
    "training.phases.data": PhaseDataConfig,
    "training.early_stopping": EarlyStopping,
    "runtime": RuntimeConfig,
}


# --- YAML in the pages


def _blocks(page: Path) -> list[tuple[int, str]]:
    """Return (line, text) of every fenced YAML block."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^( *)```ya?ml\n(.*?)^\1```", text, re.M | re.S)
    return [(text.count("\n", 0, match.start()) + 1, match[2]) for match in found]


_BLOCKS = [
    pytest.param(text, id=f"{page.name}:{line}") for page in _PAGES for line, text in _blocks(page)
]


def test_the_pages_have_configs_to_check() -> None:
    assert len(_BLOCKS) > 10


@pytest.mark.parametrize("text", _BLOCKS)
def test_every_yaml_block_loads(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASETS", "/datasets")
    data = read_yaml(text, "page").data
    if {"data", "model"} <= set(data):
        assert config_from_text(text)
        return
    whole = read_yaml(SMALL, "small").data
    for key, section in data.items():
        is_section = isinstance(section, dict) and isinstance(whole.get(key), dict)
        whole[key] = whole[key] | section if is_section else section
    assert config_from_dict(whole)


def _prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


# --- the tables of docs/config.md


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading of docs/config.md, without its head."""
    pattern = rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)"
    (section,) = re.findall(pattern, _prose(_CONFIG_PAGE), re.M | re.S)
    table = re.search(r"(?:^\|.*\n)+", section, re.M)[0]
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _first_names(heading: str) -> list[str]:
    return [row[0].strip("`") for row in _rows(heading)]


def _default_cell(section: type[BaseModel], name: str) -> Any:
    """Return what the page shows as a default: plain data, `required` or `see below`."""
    field = section.model_fields[name]
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel):
        return "see below"
    if isinstance(field.default, Call):
        return field.default.to_yaml()
    return list(field.default) if isinstance(field.default, tuple) else field.default


@pytest.mark.parametrize("heading", _TABLES)
def test_every_key_is_in_its_table_with_its_default_and_description(heading: str) -> None:
    section = _TABLES[heading]
    rows = _rows(heading)
    assert [row[0].strip("`") for row in rows] == list(section.model_fields)
    for name, default, meaning in rows:
        name = name.strip("`")
        shown = read_yaml(default[1:-1], "").data if default.startswith("`") else default
        assert shown == _default_cell(section, name), name
        assert meaning.startswith(section.model_fields[name].description), name


def test_every_section_has_a_table() -> None:
    held = {Config}
    for section in list(_TABLES.values()):
        for field in section.model_fields.values():
            parts = (field.annotation, *getattr(field.annotation, "__args__", ()))
            held |= {p for p in parts if isinstance(p, type) and issubclass(p, BaseModel)}
    assert held == set(_TABLES.values())


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Short layer names", SHORT_NAMES),
        ("augmentation", call_names("augmentation")),
        ("Optimizers", call_names("optimizers")),
        ("Schedules", call_names("schedules")),
        ("Losses", call_names("losses")),
        ("Loggers", call_names("loggers")),
        ("Monitors", MONITORS),
    ],
)
def test_every_name_is_in_its_table(heading: str, names: tuple[str, ...]) -> None:
    assert sorted(_first_names(heading)) == sorted(names)


@pytest.mark.parametrize("family", ["initializers", "regularizers", "constraints"])
def test_every_initialiser_regulariser_and_constraint_is_named(family: str) -> None:
    heading = "Initialisers, regularisers, constraints and activations"
    spelt = family.replace("izers", "isers")
    (cells,) = [row for row in _rows(heading) if row[0] == spelt]
    assert sorted(re.findall(r"`(\w+)`", cells[1])) == sorted(
        name for name in names_of(family) if name.islower()
    )


def test_the_page_shows_what_a_mistake_looks_like(tmp_path: Path) -> None:
    text = _CONFIG_PAGE.read_text(encoding="utf-8")
    _, _, section = text.partition("### What a mistake looks like")
    config, shown = re.findall(r"```(?:text)?\n(.*?)```", section, re.S)[:2]
    path = tmp_path / "bad.yaml"
    path.write_text(config, encoding="utf-8")
    lines = [str(problem).replace(str(path), "bad.yaml") for problem in check_config(path)]
    assert lines == shown.splitlines()


# --- the shipped configs


@pytest.mark.parametrize("path", _CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_has_no_problem_and_names_its_schema(path: Path) -> None:
    assert check_config(path) == ()
    first = path.read_text(encoding="utf-8").splitlines()[0]
    schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert (path.parent / schema[1]).is_file()


@pytest.mark.parametrize("each", architectures(), ids=lambda each: each.name)
def test_the_head_of_a_shipped_config_states_its_parameters(each: Architecture) -> None:
    head = config_text(each.name).partition("\ndata:")[0]
    for stated in re.findall(r"([\d,]+) parameters", head):
        assert f"{each.parameters:,}" == stated


# --- the commands


def _commands(command: click.Command, name: str = "cnnkit") -> Iterator[tuple[str, click.Command]]:
    """Yield (its name in full, the command) of a command and of all commands inside it."""
    yield name, command
    for inner in getattr(command, "commands", {}).values():
        yield from _commands(inner, f"{name} {inner.name}")


_COMMANDS = dict(_commands(main))
_GROUPS = {name: command for name, command in _COMMANDS.items() if isinstance(command, click.Group)}


def _help(name: str) -> str:
    words = name.split()[1:]
    return CliRunner().invoke(main, [*words, "--help"], prog_name="cnnkit").stdout


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help_and_a_section_in_the_page(name: str) -> None:
    assert len(_COMMANDS[name].help.split()) > 3
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert len(re.findall(rf"^## {name}$", page, re.M)) == 1
    assert f"Usage: {name} [OPTIONS]" in page


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_option_has_a_description_that_is_a_sentence(name: str) -> None:
    for option in _COMMANDS[name].params:
        if isinstance(option, click.Option):
            assert option.help and option.help.endswith("."), option.name


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_help_of_every_command_ends_with_an_example_that_it_accepts(name: str) -> None:
    examples = _COMMANDS[name].examples
    end = _help(name).partition("Example:\n" if len(examples) == 1 else "Examples:\n")[2]
    assert [line.strip() for line in end.splitlines()] == list(examples)
    assert examples
    for example in examples:
        words = shlex.split(example, comments=True)
        ours = words[words.index("cnnkit") :]
        ours = ours[: ours.index(">")] if ">" in ours else ours
        assert ours[: len(name.split())] == name.split()
        _parse(ours)


def _parse(words: list[str]) -> None:
    """Read a command line as the command would, without running it; errors are raised."""
    command, words = main, words[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words)


@pytest.mark.parametrize("name", _GROUPS)
def test_every_command_is_listed_with_one_whole_sentence(name: str) -> None:
    group = _GROUPS[name]
    listed = " ".join(_help(name).split())
    for command in group.commands.values():
        sentence = command.get_short_help_str(10_000)
        assert sentence.endswith(".") and "..." not in sentence, sentence
        assert command.help.startswith(sentence.split()[0])
        assert f" {command.name} {sentence}" in listed


def test_the_commands_are_listed_in_the_order_of_work() -> None:
    lines = _help("cnnkit").splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Options:", "Data:", "Model:", "Train:", "Judge:", "Use:", "Teach:", "Examples:",
    ]  # fmt: skip
    names = [line.split()[0] for line in lines if re.match(r"  [a-z]", line)]
    order = ["init", "data", "config", "summary", "train", "evaluate", "features", "predict"]
    assert [name for name in names if name in order] == order
    assert set(main.commands) <= set(names)


# --- links


def _slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_slug(heading) for heading in re.findall(r"^#+ (.*)$", _prose(page), re.M)}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            assert anchor in _anchors(file), link

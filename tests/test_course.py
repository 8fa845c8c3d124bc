"""The lessons in docs/course: their commands exist, and what they show is real."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from PIL import Image
from places import DOCS, SCRIPTS

from cnnkit.cli import main
from cnnkit.config import check_config
from cnnkit.grading.read_rubric import read_rubric

sys.path.insert(0, str(SCRIPTS))
from build_course import Block, LessonError, blocks_of, kept, lessons  # noqa: E402

COURSE = DOCS / "course"
LESSONS = [pytest.param(page, id=page.stem) for page in lessons()]
MEGABYTE = 1_000_000


def blocks(page: Path) -> list[Block]:
    return blocks_of(page.read_text(encoding="utf-8"), page.name)


def command_lines(page: Path) -> list[str]:
    """Return the commands of a page: those in its blocks, and those in its running text."""
    text = page.read_text(encoding="utf-8")
    ours = [block.what for block in blocks(page) if block.kind == "run"]
    inline = re.findall(r"`(cnnkit [^`<>]*)`", text)
    return ours + re.findall(r"^ *\$ (cnnkit .*)$", text, re.M) + inline


def parse(line: str) -> None:
    """Read a command line as the command would, without running it; errors are raised."""
    command, words = main, shlex.split(line)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    with contextlib.suppress(click.MissingParameter):  # running text may leave out which config
        command.make_context(command.name, words)


@pytest.mark.parametrize("page", LESSONS)
def test_every_command_of_a_lesson_exists_and_accepts_its_options(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = command_lines(page)
    assert len(lines) > 5
    monkeypatch.chdir(COURSE)
    for line in lines:
        try:
            parse(line)
        except click.ClickException as error:
            pytest.fail(f"{line}: {error.format_message()}")


@pytest.mark.parametrize("page", LESSONS)
def test_every_file_that_a_lesson_names_is_shipped(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b(?:configs|images|pictures)/\w[\w-]*\.\w+", text)
    assert named
    for name in named:
        assert (COURSE / name).is_file(), name


@pytest.mark.parametrize("page", LESSONS)
def test_every_block_of_a_lesson_is_filled(page: Path) -> None:
    for block in blocks(page):
        if block.kind == "run":
            shown = block.text.removeprefix(block.head).splitlines()
            assert shown[1] == f"$ {block.what}"
            assert len(shown) > 3 or block.options.get("keep") == "none", block.what
        else:
            with Image.open(COURSE / block.target) as image:
                assert image.width <= int(block.options["width"])


@pytest.mark.parametrize("page", LESSONS)
def test_no_output_has_times_or_folders_of_one_computer(page: Path) -> None:
    for block in blocks(page):
        assert not re.search(
            r"\d images/s\b|\d (s|min)( left)?$|/tmp/|/home/|/root/", block.text, re.M
        )


@pytest.mark.parametrize("path", sorted(COURSE.glob("configs/*.yaml")), ids=lambda path: path.stem)
def test_every_config_of_the_course_is_right_and_used(path: Path) -> None:
    assert check_config(path) == ()
    assert any(f"configs/{path.name}" in page.read_text("utf-8") for page in lessons())


def test_every_lesson_is_in_the_index_with_its_minutes() -> None:
    index = (COURSE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d)\. .*\]\((.*)\) \| ([\d.]+) \|$", index, re.M)
    assert [name for _, name, _ in rows] == [page.name for page in lessons()]
    assert [number for number, _, _ in rows] == [name[0] for _, name, _ in rows]


def test_the_rubric_is_right_and_the_index_shows_its_criteria() -> None:
    rubric = read_rubric(COURSE / "rubric.yaml")
    index = (COURSE / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^\$ cnnkit grade (.*) --rubric rubric.yaml", index, re.M)
    assert command
    for name in command[1].split():
        assert (COURSE / name).is_file(), name
        block = re.search(rf"^{name}: ([\d.]+) of ([\d.]+) points.*\n((?:  .*\n)+)", index, re.M)
        assert block, name
        rows = [re.split(r"/|  +", line.strip()) for line in block[3].splitlines()]
        assert [float(row[1]) for row in rows] == [each.points for each in rubric.criteria]
        assert sum(float(row[0]) for row in rows) == pytest.approx(float(block[1]))
        assert sum(float(row[1]) for row in rows) == float(block[2])


def test_the_pictures_are_small_and_all_shown() -> None:
    shown = {block.target for page in lessons() for block in blocks(page)} - {""}
    files = sorted(COURSE.glob("pictures/*"))
    assert {f"pictures/{file.name}" for file in files} == shown
    assert sum(file.stat().st_size for file in files) < 1.5 * MEGABYTE


# --- the script


OUTPUT = "one\ntwo\nthree\nfour\nfive\n"


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (None, "one two three four five"),
        ("none", ""),
        ("1-2 5", "one two ... five"),
        ("/^t/", "... two three ..."),
        ("from /^four/", "... four five"),
    ],
)
def test_an_output_is_cut_with_a_mark_at_each_gap(rule: str | None, lines: str) -> None:
    assert kept(OUTPUT, rule).split() == lines.split()


def test_a_rule_that_keeps_nothing_is_an_error() -> None:
    with pytest.raises(LessonError, match="keeps no line"):
        kept(OUTPUT, "/six/")


def test_the_options_of_a_marker_are_not_part_of_its_command() -> None:
    text = "<!-- run: cnnkit train a.yaml --set b=1\nkeep: /x --> y/ -->\n```console\nold\n```\n"
    text = text.replace(" --> y", "")
    (block,) = blocks_of(text, "page")
    assert block.words == ["cnnkit", "train", "a.yaml", "--set", "b=1"]
    assert block.options == {"keep": "/x/"}


@pytest.mark.parametrize(
    "text",
    [
        "<!-- run: cnnkit models -->\n\n```console\n```\n",
        "<!-- run: cnnkit models -->\n![a](b.png)\n",
        "<!-- picture: a.png -->\n```console\n```\n",
        "<!-- run: a\n```\n<!-- run: b -->\n```console\n```\n",
    ],
)
def test_a_marker_without_its_block_is_an_error(text: str) -> None:
    with pytest.raises(LessonError, match="page"):
        blocks_of(text, "page")


@pytest.mark.slow
def test_the_lessons_without_training_print_what_their_pages_show() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / "build_course.py", "--check", "1", "2"],
        env=os.environ, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

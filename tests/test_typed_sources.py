"""Messages name a source as the user typed it, and tell a built-in from a folder of its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from images import write_classes

from cnnkit.cli import main


def _run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    "command", ["data check", "data stats", "data split", "data pack", "init", "evaluate --data"]
)
def test_a_source_that_does_not_exist_is_named_as_it_was_typed(command, trained_run):
    more = ["--model", trained_run.folder] if command.startswith("evaluate") else []
    done = _run(*command.split(), "nowhere", *more)
    assert done.exit_code == 1
    assert done.stderr.startswith("nowhere does not exist. The current folder is empty.")
    assert ("--data is a folder" if more else "SOURCE is a folder") in done.stderr
    assert "data.source" not in done.stderr


@pytest.mark.parametrize(
    "command",
    ["data stats digits", "init digits", "data stats CONFIG", "data preview CONFIG",
     # Ends after the sources are looked at.
     'train CONFIG --set training.phases=[{"train":"all","data":{"source":"nowhere"}}]'],
)  # fmt: skip
def test_a_built_in_with_a_folder_of_its_name_is_pointed_out(command, tmp_path):
    folder = tmp_path if "CONFIG" in command else Path()
    config = tmp_path / "a.yaml"
    config.write_text("data: {source: digits, image_size: 8}\nmodel: {layers: [flatten]}\n")
    words = command.replace("CONFIG", str(config)).split()
    assert "built-in" not in _run(*words).stderr
    write_classes(folder / "digits", {"cat": 2, "owl": 2})
    again = ["--overwrite"] * (words[0] == "init" or words[1] == "preview")
    place = str(folder / "digits")
    assert (
        f"digits is the built-in data set, not the folder {place}. To use the folder, write "
        "./digits instead.\n"
    ) in _run(*words, *again).stderr
    if "CONFIG" not in command:
        assert "built-in" not in _run(*command.replace("digits", "./digits").split(), *again).stderr

"""Commands and paths that can be pasted into a shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cnnkit.text import command_line, quoted

_NAMES = [
    "plain",
    "my run",
    "it's",
    'a "b"',
    "$HOME `x` !",
    "back\\slash",
    "~user",
    "new\nline\tand tab",
    "苹果",
    os.fsdecode(b"caf\xe9'1\\2"),
    "-x",
    "",
]


@pytest.mark.parametrize("name", _NAMES)
def test_a_command_reaches_a_program_as_it_was_meant(name):
    command = command_line("printf", r"%s\0", name, "last")
    assert "\n" not in command
    done = subprocess.run(["bash", "-c", os.fsencode(command)], capture_output=True, check=True)
    assert done.stdout == os.fsencode(f"{name}\0last\0")
    command.encode()  # so that a terminal in UTF-8 shows it whole


@pytest.mark.parametrize("name", [name for name in _NAMES if name])
def test_a_quoted_path_is_never_an_option(name):
    word = quoted(Path(name))
    done = subprocess.run(
        ["bash", "-c", os.fsencode(f"printf %s {word}")], capture_output=True, check=True
    )
    assert not done.stdout.startswith(b"-")
    assert Path(os.fsdecode(done.stdout)) == Path(name)

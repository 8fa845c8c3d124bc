"""The examples in the docstrings of the package."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import cnnkit

_ROOT = Path(cnnkit.__file__).parent


def _modules_with_examples():
    for path in sorted(_ROOT.rglob("*.py")):
        if ">>> " in path.read_text():
            parts = path.relative_to(_ROOT.parent).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__")


@pytest.mark.parametrize("name", list(_modules_with_examples()))
def test_the_examples_give_what_they_say(name):
    found = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert found.attempted > 0
    assert found.failed == 0

"""The shape of the package: levels, light start-up, files of a readable size."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cnnkit

_ROOT = Path(cnnkit.__file__).parent

# Imports go to the same group or down, never up.
_LEVELS = [
    {"errors", "text", "files", "locks", "progress", "quiet", "tables", "version"},
    {"arithmetic", "metrics", "networks", "schedules"},
    {"config"},
    {"runs", "backend", "data"},
    {"augmentation", "model"},
    {"runtimes", "prediction"},
    {"plots", "explore", "proposal", "export", "evaluation"},
    {"training"},
    {"api"},
    {"cli"},
    {"__main__", "__init__"},
]
_LEVEL_OF = {name: level for level, names in enumerate(_LEVELS) for name in names}


def _files():
    return sorted(_ROOT.rglob("*.py"))


def _part(path):
    return path.relative_to(_ROOT).with_suffix("").parts[0]


def _imports(path):
    """Yield (module, is it imported at the top) of every import that is not for types alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for inner in ast.walk(node):
                inner.skipped = True
    for node in ast.walk(tree):
        if getattr(node, "skipped", False):
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            yield name, node in tree.body


def test_every_module_has_its_level():
    assert {_part(path) for path in _files()} == set(_LEVEL_OF)


def test_imports_only_go_down():
    upward = [
        f"{path.relative_to(_ROOT)} imports {name}"
        for path in _files()
        for name, _ in _imports(path)
        if name.startswith("cnnkit.") and _LEVEL_OF[name.split(".")[1]] > _LEVEL_OF[_part(path)]
    ]
    assert upward == []


def test_only_plots_knows_matplotlib_and_only_the_backend_imports_tensorflow():
    owners = {"matplotlib": "plots", "tensorflow": "backend", "keras": "backend"}
    wrong = [
        f"{path.relative_to(_ROOT)} imports {name}"
        for path in _files()
        for name, _ in _imports(path)
        if name.split(".")[0] in owners and _part(path) != owners[name.split(".")[0]]
    ]
    assert wrong == []


def test_no_file_is_too_long_and_each_says_what_it_is():
    for path in _files():
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        assert ast.get_docstring(ast.parse(text)), path


def _commands(command, words=()):
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*words, name))


def _all_commands():
    from cnnkit.cli import main

    return list(_commands(main))


@pytest.mark.parametrize("words", _all_commands(), ids=" ".join)
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = 'tensorflow keras matplotlib sklearn numpy pydantic yaml rich PIL'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("words", [("config", "check"), ("config", "show"), ("summary",)])
def test_commands_that_only_read_a_config_import_no_tensorflow(words, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "data: {source: nowhere, image_size: 8}\nmodel: {layers: [flatten], output: sigmoid}\n"
    )
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = 'tensorflow keras matplotlib sklearn'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"

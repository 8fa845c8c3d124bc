"""The shape of the package: levels, light start-up, files of a readable size."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import cnnkit

_ROOT = Path(cnnkit.__file__).parent

# Imports go to the same group or down, never up.
_LEVELS = [
    {"errors", "text", "files", "output_guard", "lean_imports", "locks", "memory", "progress"}
    | {"new_folders", "default_folders", "quiet", "streams", "tables", "utf8_paths", "version"}
    | {"usable_cores"}
    | {"pages"},
    {"arithmetic", "metrics", "backbone_networks", "learning_rate_schedules"},
    {"config"},
    {"runs", "backend", "device_choice", "data"},
    {"augmentation", "model"},
    {"runtimes", "litert", "openvino_folder", "prediction"},
    {"plots", "explore", "proposal", "export", "evaluation", "calibration", "comparison"}
    | {"benchmark", "explanation", "doctor", "embedding", "foreign", "quiz"},
    {"training", "label_review"},
    {"report", "tuning", "serving", "keras_script", "grading"},
    {"api", "trained_model"},
    {"cli"},
    {"__main__", "__init__"},
]
_LEVEL_OF = {name: level for level, names in enumerate(_LEVELS) for name in names}


def _module_name(path):
    """Return `cnnkit.data.stats` of cnnkit/data/stats.py, `cnnkit.data` of its `__init__.py`."""
    parts = path.relative_to(_ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


_FILES = sorted(_ROOT.rglob("*.py"))
_MODULES = {_module_name(path): path for path in _FILES}


def _imported_names(path):
    """Yield the full name of everything a file imports, anywhere in it, but for types alone.

    `from cnnkit.data import stats` gives `cnnkit.data.stats`, the same as importing from it.
    """
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_of(name):
    """Return the module of ours that a full name is, or is in; None for other packages."""
    while name and name not in _MODULES:
        name = name.rpartition(".")[0]
    return name or None


_EDGES = {
    module: {_module_of(name) for name in _imported_names(path)} - {None, module}
    for module, path in _MODULES.items()
}


def _place(module):
    """Return the entry of _LEVEL_OF: `data` of `cnnkit.data.stats`, `__init__` of `cnnkit`."""
    return (module.split(".") + ["__init__"])[1]


def test_every_module_has_its_level():
    assert {_place(module) for module in _MODULES} == set(_LEVEL_OF)


def test_imports_only_go_down():
    upward = [
        f"{module} imports {other}"
        for module, others in _EDGES.items()
        for other in others
        if _LEVEL_OF[_place(other)] > _LEVEL_OF[_place(module)]
    ]
    assert upward == []


def test_there_is_no_circle_of_imports_anywhere():
    # TopologicalSorter names the modules of the first circle that it finds.
    try:
        tuple(TopologicalSorter(_EDGES).static_order())
    except CycleError as error:
        pytest.fail(f"circle of imports: {' -> '.join(error.args[1])}")


def test_a_circle_and_an_import_upward_would_be_found(tmp_path):
    """The checks above see lazy imports, `from package import module` and edges in a folder."""
    path = tmp_path / "lazy.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "from cnnkit import api\n"
        "if TYPE_CHECKING:\n    from cnnkit.cli import main\n"
        "def f():\n    from cnnkit.data import batches, stats\n    import cnnkit.runs\n"
    )
    found = {_module_of(name) for name in _imported_names(path)} - {None}
    assert found == {"cnnkit.api", "cnnkit.data.batches", "cnnkit.data.stats", "cnnkit.runs"}


def test_a_file_name_has_one_meaning_in_the_package():
    names = Counter(path.name for path in _FILES if not path.name.startswith("__"))
    assert [name for name, number in names.items() if number > 1] == []


def test_only_plots_knows_matplotlib_and_only_the_backend_imports_tensorflow():
    owners = {"matplotlib": "plots", "tensorflow": "backend", "keras": "backend"}
    wrong = [
        f"{path.relative_to(_ROOT)} imports {name}"
        for module, path in _MODULES.items()
        for name in _imported_names(path)
        if name.split(".")[0] in owners and _place(module) != owners[name.split(".")[0]]
    ]
    assert wrong == []


def test_no_file_is_too_long_and_each_says_what_it_is():
    for path in _FILES:
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


# What the help of all commands may import of the package besides `cnnkit.cli`.
_OF_HELP = {"errors", "memory", "default_folders", "quiz", "streams", "text", "version"}
# Modules of Python that take a moment to import, and that no help needs.
_SLOW = {"csv", "dataclasses", "difflib", "hashlib", "pickle", "socket", "subprocess", "tempfile"}


def test_help_imports_no_module_that_only_the_work_needs():
    code = (
        "import sys, click; before = set(sys.modules); from cnnkit.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    ours = {_place(name) for name in imported if name.split(".")[0] == "cnnkit"}
    assert ours - {"__init__", "cli"} == _OF_HELP
    assert imported & _SLOW == set()


@pytest.mark.parametrize("words", [("config", "check"), ("config", "show"), ("summary",)])
def test_commands_that_only_read_a_config_import_nothing_for_images(words, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("data: {source: digits, image_size: 8}\nmodel: {layers: [flatten]}\n")
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = 'tensorflow keras matplotlib sklearn numpy PIL filelock ssl'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


_PAGE = _ROOT.parent / "docs" / "architecture.md"


def test_every_place_that_the_documentation_names_exists():
    """Rows of tables: `folder/file.py`, and names that must be in the last file before them."""
    for line in _PAGE.read_text().splitlines():
        if not line.startswith("|"):
            continue
        source, folder = None, _ROOT
        for word in re.findall(r"`([^`]+)`", line.rpartition(" | ")[2 if "?" in line else 0]):
            if word.startswith("scripts/"):
                assert (_ROOT.parent / word).exists(), word
            elif word.endswith((".py", ".json", "/")):
                path = _ROOT / word if (_ROOT / word).exists() else folder / word
                assert path.exists(), f"{word} in {_PAGE.name}"
                source, folder = (path.read_text() if path.is_file() else None), path.parent
            elif source is not None:
                defined = rf"^(def {word}\(|class {word}\b|{word}\b)"
                assert re.search(defined, source, re.MULTILINE), f"{word} in {path}"

"""Simple mistakes show before TensorFlow is imported, which takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from images import noise

_CODE = """
import json, os, sys
from click.testing import CliRunner
from cnnkit.cli import main

access, locked = os.access, sys.argv[1]  # root may write everywhere, so the system is not asked
os.access = lambda path, mode: (
    not (os.fspath(path) == locked and mode & os.W_OK) and access(path, mode)
)
for words in json.load(sys.stdin):
    done = CliRunner().invoke(main, words)
    print(json.dumps([done.exit_code, done.stderr.strip(), "tensorflow" in sys.modules]))
"""
# words and the end of what they print; RUN, CONFIG and so on are filled in
_MISTAKES = [
    ("train missing.yaml", "There is no config missing.yaml."),
    ("train CONFIG --name a/b", "for example a-b"),
    ("train CONFIG --runs-folder LOCKED", "Nothing can be written into LOCKED. Give another"),
    ("train CONFIG --runs-folder IMAGE/runs", "IMAGE is a file, not a folder."),
    ("train CONFIG --set data.source=nowhere", "nowhere does not exist."),
    ("train CONFIG --dry-run --set data.source=nowhere", "nowhere does not exist."),
    ('train CONFIG --set training.phases=[{"train":"all","data":{"source":"nowhere"}}]',
     "training.phases[0].data.source is a folder of class folders"),
    ("train --resume nope", "nope is not a run folder"),
    ("train --resume RUN", "is finished: there is nothing to resume."),
    ("export nope", "nope is not a run folder"),
    ("evaluate nope", "nope is not a run folder"),
    ("evaluate --model RUN/weights/best.keras --data nowhere", "nowhere does not exist."),
    ("evaluate --model RUN/weights/best.keras --name a/b", "cannot be the name of a folder"),
    ("evaluate --model RUN/weights/best.keras -o IMAGE", "IMAGE is a file."),
    ("predict IMAGE --model RUN/weights/best.keras -o IMAGE", "the name must end in .csv"),
    ("features IMAGE --model nope", "nope is not a run folder"),
    ("features nope.png --model RUN", "nope.png: there is no such file."),
    ("features IMAGE --model RUN --layer conv1", "Did you mean conv_1? It has conv_1."),
    ("features IMAGE --model RUN -o PHOTOS", "Choose a new or an empty folder."),
    ("features IMAGE --model RUN -o LOCKED/new", "Nothing can be written into LOCKED. Choose"),
    ("filters --model nope", "nope is not a run folder"),
    ("filters --model RUN --layer conv1", "Did you mean conv_1? It has conv_1."),
    ("filters --model RUN --images nope", "--images nope: no folder or file has this name."),
    ("filters --model RUN -o PHOTOS", "Choose a new or an empty folder."),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers(trained_run, tiny_config, tmp_path_factory):
    """Return (exit code, text on stderr, whether TensorFlow was imported) of each command."""
    folder = tmp_path_factory.mktemp("mistakes")
    places = {"RUN": trained_run.folder, "CONFIG": tiny_config, "IMAGE": folder / "a.png"}
    places |= {"LOCKED": folder / "locked", "PHOTOS": folder / "photos"}
    places["LOCKED"].mkdir()
    places["PHOTOS"].mkdir()
    for path in (places["IMAGE"], places["PHOTOS"] / "b.png"):
        noise(30, 20, seed=3).save(path)

    def filled(text):
        for name, path in places.items():
            text = text.replace(name, str(path))
        return text

    words = [filled(text).split() for text, _ in _MISTAKES]
    done = subprocess.run(
        [sys.executable, "-c", _CODE, os.fspath(places["LOCKED"])],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {text: (*line, filled(end)) for (text, end), line in zip(_MISTAKES, lines, strict=True)}


@pytest.mark.parametrize("words", [words for words, _ in _MISTAKES])
def test_a_mistake_shows_before_tensorflow_is_imported(words, answers):
    exit_code, text, is_imported, expected = answers[words]
    assert exit_code in (1, 2)
    assert expected in text
    assert not is_imported

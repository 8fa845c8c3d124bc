"""The models that a user names for the server: `NAME=RUN`, and which versions of each there are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.foreign.chosen_model import find_chosen
from cnnkit.runs import run_around
from cnnkit.runtimes import find_model_file, is_saved_model
from cnnkit.text import quoted, shown

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,17}")
_FILE = "model.tflite"

Note = Callable[[str], Any]


@dataclass(frozen=True)
class ModelSource:
    """A model, or a folder with numbered versions of one.

    Args:
        name: in addresses.
        version: of the model; None for a folder of versions.
        place: a run, a model file, a SavedModel folder or the name of a network; or the folder.
        runs_folder: where run names are looked up.
    """

    name: str
    version: int | None
    place: str
    runs_folder: Path

    def files(self, note: Note) -> dict[int, Path]:
        """Return the model file of each version that is there now.

        Raises:
            UsageError: there is none.
        """
        if self.version is not None:
            return {self.version: find_chosen(self.place, self.runs_folder, note)}
        return {
            number: own if (own := folder / _FILE).is_file() else _of_version(folder, note)
            for number, folder in _versions(Path(self.place)).items()
        }


def model_sources(words: Sequence[str], runs_folder: Path, note: Note) -> list[ModelSource]:
    """Return the models that a user names, by default the newest finished run.

    Args:
        words: `NAME=RUN`, or a run or file alone, which then has its own name. The versions of a
            name that comes several times are 1, 2, ...
        runs_folder: where run names are looked up.
        note: called with one sentence for each run that had to be skipped.

    Raises:
        UsageError: a name cannot be part of an address, or there is no such model.
    """
    if not words:
        path = find_model_file(None, runs_folder, note)
        run = run_around(path)
        words = [str(path if run is None else run.folder)]
    seen: Counter[str] = Counter()
    found = []
    for word in words:
        name, place = _name_and_place(word)
        seen[name] += 1
        version = None if _versions(Path(place)) else seen[name]
        if version is None and seen[name] > 1:
            raise UsageError(f"--model {word}: a folder of versions has a name of its own.")
        found.append(ModelSource(name, version, place, runs_folder))
    return found


def _name_and_place(word: str) -> tuple[str, str]:
    name, equals, place = word.partition("=")
    if not equals or Path(word).exists():
        name, place = Path(word).resolve().name if Path(word).exists() else word, word
        name = name if Path(word).is_dir() else name.partition(".")[0]
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--model {word}: {shown(name)} cannot be part of an address. Give the model a name of "
            f"letters, digits and . _ -, as in --model photos={quoted(place or 'RUN')}."
        )
    if not place:
        raise UsageError(f"--model {word}: name a run or a model file after the = sign.")
    return name, place


def _versions(folder: Path) -> dict[int, Path]:
    """Return the folders with numbers in a folder that is no run and no model itself."""
    if not folder.is_dir() or is_saved_model(folder) or (folder / "run.json").exists():
        return {}
    return {
        int(path.name): path
        for path in folder.iterdir()
        if _VERSION.fullmatch(path.name) and path.is_dir()
    }


def _of_version(folder: Path, note: Note) -> Path:
    return find_model_file(folder, folder.parent, note)

"""Find the files of a run, or of several models, that are compared."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.export.formats import FORMATS
from cnnkit.foreign.chosen_model import find_chosen
from cnnkit.runs import Run, find_run, run_around
from cnnkit.text import shown

Note = Callable[[str], Any]


@dataclass(frozen=True)
class Contestant:
    """One model file.

    Args:
        name: for the table.
        path: of the file or folder.
        original: the path of the model whose answers it should have; its own for the original.
        run: that it belongs to; None if it is in none.
    """

    name: str
    path: Path
    original: Path
    run: Run | None

    def num_bytes(self) -> int:
        """Return the size on disk."""
        if self.path.is_dir():
            return sum(each.stat().st_size for each in self.path.rglob("*") if each.is_file())
        return self.path.stat().st_size


def contestants_of(models: Sequence[str], runs_folder: Path, note: Note) -> list[Contestant]:
    """Return the files that are compared.

    Args:
        models: runs, of which all files are compared with the best weights; or model files and
            names of networks, which are compared with the first of them. None means the newest
            finished run.
        runs_folder: where run names are looked up.
        note: called with each sentence for the user.

    Raises:
        UsageError: there is no such model.
    """
    if not models:
        run = find_run(None, runs_folder, note)
        note(f"run: {run.folder}")
        return _of_run(run)
    found: list[Contestant] = []
    files: list[Path] = []
    for model in models:
        path = find_chosen(model, runs_folder, note)
        run = run_around(path)
        if run is not None and (not Path(model).exists() or (Path(model) / "run.json").is_file()):
            found += _of_run(run)
        else:
            files.append(path)
            found.append(Contestant(shown(model), path, files[0], run))
    return found


def _of_run(run: Run) -> list[Contestant]:
    """Return the best weights of a run, its LiteRT file, and all that was exported."""
    # What is for browsers is timed by them.
    exported = [run.export / each.file for each in FORMATS.values() if not each.model]
    paths = [path for path in (run.best, run.tflite) if path.exists()]
    paths += [path for path in exported if path.exists() and not _is_copy(path, run.tflite)]
    if not paths:
        raise UsageError(f"{run.folder} has no model. Train it to the end, or use another run.")
    return [
        Contestant(shown(str(path.relative_to(run.folder.parent))), path, paths[0], run)
        for path in paths
    ]


def _is_copy(path: Path, other: Path) -> bool:
    return path.is_file() and other.is_file() and filecmp.cmp(path, other, shallow=False)

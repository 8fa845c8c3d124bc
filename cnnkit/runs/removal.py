"""Remove and rename runs. Only files that cnnkit wrote are ever removed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.locks import held
from cnnkit.runs.fold_runs import FOLDS_FILE
from cnnkit.runs.new_run import check_folder_name
from cnnkit.runs.run_entry import read_entry
from cnnkit.runs.run_files import FolderContents, contents_of
from cnnkit.runs.study_runs import STUDY_FILE
from cnnkit.text import count_of, first_few, shown, size_text

# Of the folds of a cross-validation, and of the trials and the final runs of a study.
_INNER_LOCKS = ("fold*/.lock", "trial*/.lock", "final/*/.lock")


@dataclass(frozen=True)
class RunRemoval:
    """What removing some runs removes, or has removed.

    Args:
        contents: for each run folder the files that cnnkit wrote, and the others, which stay.
    """

    contents: dict[Path, FolderContents]

    @property
    def num_bytes(self) -> int:
        """The size of all files to remove."""
        return sum(found.num_bytes for found in self.contents.values())

    @property
    def kept(self) -> list[Path]:
        """What stays, because cnnkit did not write it."""
        return [path for found in self.contents.values() for path in found.others]

    def question(self) -> str:
        """Return one line per run that says what will be removed."""
        return "\n".join(
            f"{shown(str(folder))}  {count_of(len(found.written), 'file')}, "
            f"{size_text(found.num_bytes)}"
            for folder, found in self.contents.items()
        )

    def text(self) -> str:
        """Return what was removed, and what was kept."""
        lines = [
            f"Removed {count_of(len(self.contents), 'run')} and freed {size_text(self.num_bytes)}."
        ]
        if self.kept:
            verb = "was" if len(self.kept) == 1 else "were"
            lines.append(
                f"{count_of(len(self.kept), 'file')} {verb} kept, because cnnkit did not write "
                f"{'it' if len(self.kept) == 1 else 'them'}: {first_few(map(str, self.kept), 10)}."
            )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "removed": [str(folder) for folder in self.contents],
            "bytes": self.num_bytes,
            "kept": [str(path) for path in self.kept],
        }


def plan_removal(folders: Sequence[Path]) -> RunRemoval:
    """Return what removing these run folders would remove; nothing is changed.

    Raises:
        UsageError: a run is being trained.
    """
    for folder in folders:
        with _untouched(folder):
            pass
    return RunRemoval({folder: contents_of(folder) for folder in folders})


def remove_runs(removal: RunRemoval) -> None:
    """Remove the files of runs, and the folders that are empty then.

    Raises:
        UsageError: a run is being trained.
        OSError: a file cannot be removed.
    """
    for folder, found in removal.contents.items():
        with _untouched(folder):
            # run.json and the like last: a removal that fails leaves what is listed as damaged.
            for path in sorted(found.written, key=_is_last):
                path.unlink(missing_ok=True)
        _remove_empty(folder, found.others)


@dataclass(frozen=True)
class Renaming:
    """A run that has another name now.

    Args:
        old: where it was.
        new: where it is.
    """

    old: Path
    new: Path

    def text(self) -> str:
        """Return one line."""
        return f"{shown(str(self.old))} is now {shown(str(self.new))}."

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"old": str(self.old), "new": str(self.new)}


def rename_run(folder: Path, name: str) -> Renaming:
    """Give a run folder another name, next to the old one.

    Raises:
        UsageError: it is not a folder name, the name is taken, or the run is being trained.
    """
    check_folder_name(name)
    new = folder.with_name(name)
    if os.path.lexists(new):
        raise UsageError(f"{shown(str(new))} exists. Choose another name.")
    if (folder / FOLDS_FILE).is_file():
        raise UsageError(
            f"{shown(str(folder))} is a cross-validation, which cannot be renamed: the configs of "
            "its folds have its path."
        )
    with _untouched(folder):
        pass
    os.rename(folder, new)
    return Renaming(folder, new)


def run_folder(name: str, runs_folder: Path) -> Path:
    """Return the folder of a run by folder or name, also if the run is damaged or half-written.

    Raises:
        UsageError: there is no such run, or it is a link to one.
    """
    for folder in (Path(name), runs_folder / name):  # a folder goes before a name
        is_known = any((folder / name).is_file() for name in (FOLDS_FILE, STUDY_FILE))
        if folder.is_dir() and (is_known or read_entry(folder)):
            if folder.is_symlink():
                raise UsageError(
                    f"{shown(str(folder))} is a link to {shown(os.readlink(folder))}. Name the "
                    "folder itself."
                )
            return folder
        if folder.is_dir():
            raise UsageError(
                f"{shown(str(folder))} is not a run: nothing in it tells that cnnkit wrote it. "
                "`cnnkit runs` lists all runs."
            )
    known = [path.name for path in sorted(runs_folder.glob("*")) if path.is_dir()]
    raise UsageError(
        f"{shown(name)} is not a run.{did_you_mean(name, known)} `cnnkit runs` lists all of them."
    )


@contextmanager
def _untouched(folder: Path) -> Iterator[None]:
    """Let nobody train a run, the folds of a cross-validation or the runs of a study meanwhile.

    Raises:
        UsageError: another process trains one of them.
    """
    with ExitStack() as stack:
        inner = [lock for pattern in _INNER_LOCKS for lock in folder.glob(pattern)]
        for lock in (folder / ".lock", *inner):
            if not lock.exists():
                continue
            try:
                stack.enter_context(held(lock))
            except TimeoutError:
                raise _in_training(lock.parent) from None
        # Without a lock file the run may be trained on another computer; run.json says so.
        entry = None if (folder / ".lock").exists() else read_entry(folder)
        if entry is not None and entry.status == "running":
            raise _in_training(folder)
        yield


def _in_training(folder: Path) -> UsageError:
    return UsageError(
        f"{shown(str(folder))} is being trained. Wait until that ends, or stop it with Ctrl-C."
    )


def _is_last(path: Path) -> bool:
    return path.name in ("run.json", FOLDS_FILE, STUDY_FILE)


def _remove_empty(folder: Path, kept: Sequence[Path]) -> None:
    """Remove the folders of a run that are empty now, and the run folder if nothing is left."""
    for place, _, _ in os.walk(folder, topdown=False):
        if Path(place) not in kept and not os.listdir(place):
            os.rmdir(place)

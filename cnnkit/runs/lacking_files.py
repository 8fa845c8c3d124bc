"""Say what can be done about a run that lacks files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnkit.errors import UsageError
from cnnkit.runs.run_folder import Run


def lacking(run: Run, files: Sequence[Path], *, instead: str = "another run") -> UsageError:
    """Return the error for a run that lacks some of its files.

    Args:
        run: the run that cannot be used.
        files: the missing files.
        instead: what the user can use in place of the run.
    """
    names = ", ".join(file.relative_to(run.folder).as_posix() for file in files)
    status = run.info()["status"]
    if status != "finished":
        finish = "wait until it ends" if status == "running" else "train it to the end"
        return UsageError(
            f"{run.folder} has no {names}: its training is {status}. Use {instead}, or {finish}."
        )
    removed = "the files were" if len(files) > 1 else "the file was"
    return UsageError(
        f"{run.folder} has no {names}: {removed} removed after the training. Restore what is "
        f"missing, use {instead}, or train again."
    )

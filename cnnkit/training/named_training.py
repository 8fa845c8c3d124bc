"""Train a run that has a fixed name, as one of several; go on with it if it was begun before."""

from __future__ import annotations

from cnnkit.config import Config
from cnnkit.errors import UsageError
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.runs.removal import plan_removal, remove_runs
from cnnkit.runs.run_entry import read_entry
from cnnkit.training.run import resume, train


def train_or_resume(
    run: Run, config: Config, *, report: Report, again: str, evaluate_test: bool = True
) -> None:
    """Train a run, or what is left of its training; do nothing if it is finished.

    Args:
        run: whose folder need not exist.
        config: of the training, if it is not begun.
        report: shows the progress.
        again: a command that continues everything, for the error about a damaged run.
        evaluate_test: whether the test images are scored at the end.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; what is finished is kept.
    """
    entry = read_entry(run.folder)
    if entry is not None and entry.status == "finished":
        return
    if entry is not None and entry.status == "damaged":
        raise UsageError(
            f"{run.folder} is damaged: {entry.problem}. Remove it (cnnkit runs rm {run.argument}), "
            f"and continue with: {again}"
        )
    if entry is not None and run.config.is_file():
        resume(run.folder, report=report, evaluate_test=evaluate_test)
        return
    if entry is not None:  # it was killed before it had a config: there is nothing to resume
        remove_runs(plan_removal([run.folder]))
    train(
        config,
        name=run.name,
        runs_folder=run.folder.parent,
        report=report,
        evaluate_test=evaluate_test,
    )

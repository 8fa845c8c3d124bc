"""Train one model per fold, each tested on another fold; continue if that was interrupted."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from cnnkit.config import Config, ShapesConfig, dump_config, load_config
from cnnkit.data.split.division import divide_into_folds, fold_file
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import UsageError
from cnnkit.evaluation.pooled_folds import FoldEvaluation, evaluate_folds
from cnnkit.files import write_text
from cnnkit.new_folders import make_numbered_folder
from cnnkit.progress import Report
from cnnkit.runs import Run, check_new_run
from cnnkit.runs.fold_runs import MOST_FOLDS, FoldRuns
from cnnkit.runs.in_training import held_for_training
from cnnkit.text import quoted
from cnnkit.training.cluster import check_one_machine
from cnnkit.training.named_training import train_or_resume


def train_folds(
    config: Config,
    num_folds: int,
    *,
    name: str,
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Report | None = None,
) -> FoldEvaluation:
    """Divide the images into folds, train one model per fold, and evaluate all of them together.

    Each model is tested on one fold and trained on the others, of which a part is its validation
    split. So every image is a test image once.

    Args:
        config: of each training; its source must not have splits of its own.
        num_folds: at least 2.
        name: of the folder with a run per fold; if it exists, name-2, name-3, ... is used.
        runs_folder: where this folder is created.
        report: shows the progress; None shows nothing.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; what is finished is kept, and the text says how to continue.
    """
    check_one_machine("A cross-validation")
    if not 2 <= num_folds <= MOST_FOLDS:
        raise UsageError(f"The number of folds must be from 2 to {MOST_FOLDS}, not {num_folds}.")
    report = report or Report()
    check_new_run(name, runs_folder)
    folds = FoldRuns(make_numbered_folder(runs_folder / name), num_folds, config.data.source)
    with _only_this(folds):
        try:
            folds.write()
            write_text(folds.config, dump_config(config))
            return _train_all(folds, config, report)
        finally:
            if not _has_begun(folds):
                shutil.rmtree(folds.folder)  # nothing was trained, so that nothing is kept


def resume_folds(
    folds: FoldRuns, report: Report | None = None, *, is_changed: bool = False
) -> FoldEvaluation:
    """Continue a cross-validation: finished folds stay, the others are resumed or trained.

    Args:
        folds: the cross-validation.
        report: shows the progress; None shows nothing.
        is_changed: whether settings were to be changed, which is refused.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; what is finished is kept, and the text says how to continue.
    """
    check_one_machine("A cross-validation")
    if is_changed:
        raise UsageError(
            f"{folds.folder} is a cross-validation: its folds are trained alike, so nothing can be "
            "changed when it is resumed. Omit --set, --epochs and --allow-changed."
        )
    if not folds.config.is_file():
        raise UsageError(
            f"{folds.folder} has no config.yaml: it was interrupted before it had one, or the file "
            "was lost. Start a new training: cnnkit train CONFIG --folds K."
        )
    with _only_this(folds):
        return _train_all(folds, load_config(folds.config), report or Report())


def _train_all(folds: FoldRuns, config: Config, report: Report) -> FoldEvaluation:
    _write_manifests(folds, config, report)
    for number, run in enumerate(folds.runs, start=1):
        report.note(f"fold {number} of {folds.num_folds}")
        try:
            _train_one(folds, number, run, config, report)
        except KeyboardInterrupt as interrupt:
            if not _has_begun(folds):  # nothing is kept: the command says how to start again
                raise
            raise KeyboardInterrupt(_interruption_text(folds, number, interrupt)) from interrupt
    return evaluate_folds(folds)


def _train_one(folds: FoldRuns, number: int, run: Run, config: Config, report: Report) -> None:
    source = str(fold_file(folds.manifest, number).resolve())
    changes = {"source": source, "shapes": ShapesConfig()}
    own = config.model_copy(
        update={
            "data": config.data.model_copy(update=changes),
            # One film is enough to look at.
            "training": config.training.model_copy(
                update={"film": config.training.film and number == 1}
            ),
        }
    )
    again = f"cnnkit train --resume {quoted(folds.folder)}"
    train_or_resume(run, own, report=report, again=again)


def _write_manifests(folds: FoldRuns, config: Config, report: Report) -> None:
    """Write which images are in which fold, unless that was done before."""
    files = [fold_file(folds.manifest, number) for number in range(1, folds.num_folds + 1)]
    missing = [file for file in files if not file.is_file()]
    if not missing:
        return
    if _has_begun(folds):
        raise UsageError(f"{missing[0]} is missing, and folds were trained by it. Restore it.")
    for file in files:  # a training that was killed may have left some of them
        file.unlink(missing_ok=True)
    with report.counting("reading images") as progress:
        divide_into_folds(
            config.data, folds.manifest, folds.num_folds, note=report.note, progress=progress
        )


def _has_begun(folds: FoldRuns) -> bool:
    return any(run.folder.exists() for run in folds.runs)


def _interruption_text(folds: FoldRuns, number: int, interrupt: KeyboardInterrupt) -> str:
    first_line = str(interrupt).partition("\n")[0] or "Interrupted before the first epoch."
    return (
        f"Fold {number} of {folds.num_folds}: {first_line}\n"
        f"To continue: cnnkit train --resume {quoted(folds.folder)}"
    )


def _only_this(folds: FoldRuns) -> AbstractContextManager[None]:
    return held_for_training(folds.lock, folds.folder, lambda: "another process")

"""The commands for Python: train, resume, load a run, compare, diagnose, ..."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnkit.config import Config
from cnnkit.config import load_config as load_config  # offered here too
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import UsageError
from cnnkit.runs import Run, find_run

if TYPE_CHECKING:
    from cnnkit.calibration.calibrated import Calibrated
    from cnnkit.comparison.comparing import Comparison
    from cnnkit.evaluation.pooled_folds import FoldEvaluation
    from cnnkit.report import WrittenReport
    from cnnkit.training.diagnosis import Diagnosis, FoldDiagnoses
    from cnnkit.tuning.study_result import StudyResult


def train(
    config: str | os.PathLike | Config,
    *,
    overrides: Sequence[str] = (),
    name: str | None = None,
    folds: int | None = None,
    runs_folder: str | os.PathLike = RUNS_FOLDER,
) -> Run | FoldEvaluation:
    """Train from a config file or a loaded config, and return the run.

    Args:
        config: the path of a YAML file, or a Config from `load_config`.
        overrides: as for `--set`: `["training.epochs=3"]`.
        name: the name of the run; by default that of the config file.
        folds: train this number of models, each tested on another part of the images, and return
            the scores of all of them.
        runs_folder: where the run folder is created.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; its text says what is kept and how to continue.
    """
    from cnnkit.report import report_after_training
    from cnnkit.training.run import train as train_config

    overrides = [overrides] if isinstance(overrides, str) else overrides
    if isinstance(config, Config):
        loaded, stem = config, "run"
    else:
        loaded, stem = load_config(Path(config), overrides), Path(config).stem
    if folds is not None:
        from cnnkit.training.fold_training import train_folds

        own_name = name or f"{stem}-{folds}fold"
        trained = train_folds(loaded, folds, name=own_name, runs_folder=Path(runs_folder))
    else:
        trained = train_config(loaded, name=name or stem, runs_folder=Path(runs_folder))
    report_after_training(trained)
    return trained


def resume(
    run: str | os.PathLike | None = None,
    *,
    overrides: Sequence[str] = (),
    allow_changed: Sequence[str] = (),
    runs_folder: str | os.PathLike = RUNS_FOLDER,
) -> Run | FoldEvaluation:
    """Continue a training where it was saved last, and return its run.

    Args:
        run: the run folder or name; None means the newest run that can be resumed.
        overrides: as for `--set`. A finished run needs more epochs: `["training.epochs=60"]`.
        allow_changed: as for `--allow-changed`: keys that may differ from those of the start.
        runs_folder: where run names are looked up.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; its text says what is kept and how to continue.
    """
    from cnnkit.report import report_after_training
    from cnnkit.runs.run_list import folds_to_resume

    if found := folds_to_resume(None if run is None else str(run), Path(runs_folder)):
        from cnnkit.training.fold_training import resume_folds

        trained = resume_folds(found, is_changed=bool(overrides or allow_changed))
    else:
        from cnnkit.training.run import resume as resume_run

        changes = {"overrides": overrides, "allow_changed": allow_changed}
        trained = resume_run(run, **changes, runs_folder=Path(runs_folder))
    report_after_training(trained)
    return trained


def tune(
    config: str | os.PathLike[str] | None = None,
    *,
    resume: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    name: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    workers: int = 1,
    seeds: int | None = None,
    sampler: str = "tpe",
    metric: str = "accuracy",
    pruning: bool = True,
    storage: str | None = None,
    runs_folder: str | os.PathLike[str] = RUNS_FOLDER,
) -> StudyResult:
    """Search the values of a config that give the best validation score; needs the extra `tune`.

    Args:
        config: the path of a YAML file with a section `search`.
        resume: folder or name of a study to continue, instead of a config. Then only `trials`,
            `minutes`, `workers`, `seeds` and `storage` count.
        overrides: as for `--set`.
        name: of the study's folder; by default that of the config file and `-tune`.
        trials: how many trials the study shall have; by default 20, or no limit with `minutes`.
        minutes: begin no trial that would not end within this time.
        workers: how many processes train at the same time.
        seeds: with how many other seeds the best config is trained at the end; by default 3.
        sampler: how values are chosen: `tpe` or `random`.
        metric: the score of the validation images: `accuracy` or `log_loss`.
        pruning: whether trials that are worse than half of the others end early.
        storage: URL of an Optuna storage; by default an SQLite file in the study's folder.
        runs_folder: where the study's folder is created or looked up.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; its text says how to continue.
    """
    from cnnkit.tuning.study_settings import Effort
    from cnnkit.tuning.tune_config import resume_tuning
    from cnnkit.tuning.tune_config import tune as tune_config

    effort = Effort(trials, minutes, workers, seeds)
    folder = Path(runs_folder)
    if resume is not None:
        return resume_tuning(resume, effort=effort, storage=storage, runs_folder=folder)
    if config is None:
        raise UsageError("tune needs a config, or the study to resume.")
    return tune_config(
        Path(config),
        overrides,
        name=name or f"{Path(config).stem}-tune",
        effort=effort,
        sampler=sampler,
        metric=metric,
        prunes=pruning,
        storage=storage,
        runs_folder=folder,
    )


def calibrate(
    run: str | os.PathLike[str] | None = None,
    *,
    precision: float | None = None,
    coverage: float | None = None,
    per_class: bool = False,
    accept: float = 0.99,
    runs_folder: str | os.PathLike[str] = RUNS_FOLDER,
) -> Calibrated:
    """Calibrate a run; its model then answers `unknown` to images that it should not answer.

    Args:
        run: the run folder or name; None means the newest finished run.
        precision: the share of answers that should be right, in (0, 1]; None for no threshold.
        coverage: the share of images that should get an answer, instead of `precision`.
        per_class: whether every class gets a threshold of its own.
        accept: the share of images of the run's own kind whose distance is accepted.
        runs_folder: where run names are looked up.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
    """
    from cnnkit.calibration.calibrate_run import Wanted, calibrate_run

    wanted = Wanted(precision, coverage, per_class, accept)
    return calibrate_run(find_run(run, Path(runs_folder)), wanted)


def compare(
    runs: Sequence[str | os.PathLike[str]],
    *,
    runs_folder: str | os.PathLike[str] = RUNS_FOLDER,
    evaluation: str = "test",
    html: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Comparison:
    """Compare runs on the same images; `verdict` says in words which one is better, if any.

    Args:
        runs: at least two: folders or names of runs or of cross-validations, or CSV files with
            predictions.
        runs_folder: where run names are looked up.
        evaluation: the folder in evaluation/ of each run whose predictions.csv is compared.
        html: also write the comparison as one page to hand on, with the images on which the runs
            differ.
        overwrite: whether that file may be replaced.

    Raises:
        UsageError: there is no such run or evaluation, the runs were scored on other images, or
            the page may not be written there.
        DataError: predictions cannot be read.
    """
    from cnnkit.comparison.comparing import compare as compare_runs

    if html is None:
        return compare_runs(runs, runs_folder=runs_folder, evaluation=evaluation)
    from cnnkit.output_guard import PAGE, check_output
    from cnnkit.report import write_comparison_page

    check_output(Path(html), "html", PAGE, overwrite=overwrite)
    comparison = compare_runs(runs, runs_folder=runs_folder, evaluation=evaluation)
    write_comparison_page(comparison, Path(html))
    return comparison


def diagnose(
    run: str | os.PathLike[str] | None = None, runs_folder: str | os.PathLike[str] = RUNS_FOLDER
) -> Diagnosis | FoldDiagnoses:
    """Say what went wrong in a training; `verdicts` has what was seen, and what to change.

    Args:
        run: folder or name of a run or of a cross-validation; None means the newest finished run.
        runs_folder: where run names are looked up.

    Raises:
        UsageError: there is no such run, or one of its files is missing or damaged.
    """
    from cnnkit.training.diagnosis import diagnose as diagnose_any

    return diagnose_any(run, Path(runs_folder))


def write_report(
    run: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    runs_folder: str | os.PathLike[str] = RUNS_FOLDER,
) -> WrittenReport:
    """Write the report of a run as one HTML file, and its model card, as `cnnkit report` does.

    Args:
        run: folder or name of a run or of a cross-validation; None means the newest finished run.
        output: the file; None for `report.html` of the run. Only then the card is written.
        overwrite: whether another file may be replaced.
        runs_folder: where run names are looked up.

    Returns:
        What was written: `path`, `num_bytes`, `model_card`, and in `sections` what is in the page,
        or why it is missing.

    Raises:
        UsageError: there is no such run, or the page may not be written there.
        DataError: results of an evaluation are damaged.
    """
    from cnnkit.report import report_on

    place = None if output is None else Path(output)
    return report_on(run, Path(runs_folder), place, overwrite=overwrite)

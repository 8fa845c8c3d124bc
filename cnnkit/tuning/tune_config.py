"""Begin a study or continue one: search, then train the best config with other seeds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnkit.config import SearchSpace, config_text_of
from cnnkit.data.dataset import load_dataset
from cnnkit.data.sources.builtin import make_builtin
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import UsageError
from cnnkit.files import write_text
from cnnkit.locks import is_held
from cnnkit.new_folders import make_numbered_folder
from cnnkit.progress import Report
from cnnkit.runs import check_new_run
from cnnkit.runs.study_runs import STUDY_FILE, StudyRuns, find_study
from cnnkit.text import count_of
from cnnkit.tuning.study_settings import Effort, StudySettings, check_optuna

if TYPE_CHECKING:  # it imports Optuna, whose absence is said in our own words
    from cnnkit.tuning.final_comparison import FinalComparison
    from cnnkit.tuning.study import Study
    from cnnkit.tuning.study_result import StudyResult


def tune(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    name: str,
    effort: Effort,
    sampler: str = "tpe",
    metric: str = "accuracy",
    prunes: bool = True,
    storage: str | None = None,
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Report | None = None,
) -> StudyResult:
    """Search the values of a config that give the best validation score.

    Args:
        path: of the config, with a section `search`.
        overrides: as for `--set`.
        name: of the study's folder; if it exists, name-2, name-3, ... is used. In a storage of its
            own, a study of this name is joined.
        effort: how much is done.
        sampler: tpe or random.
        metric: accuracy or log_loss, of the validation images.
        prunes: whether trials that are worse than half of the others end early.
        storage: URL of an Optuna storage; None for a file in the study's folder.
        runs_folder: where the study's folder is created.
        report: shows the progress; None shows nothing.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; its text says how to continue.
    """
    check_optuna()
    report = report or Report()
    text = config_text_of(path)
    settings = StudySettings(
        study=name,
        storage=None,
        config_name=str(path),
        config_folder=str(path.parent.resolve()),
        overrides=list(overrides),
        sampler=sampler,
        metric=metric,
        prunes=prunes,
        num_trials=effort.num_trials,
        num_seeds=3 if effort.num_seeds is None else effort.num_seeds,
    )
    if effort.minutes is None and effort.num_trials is None:
        settings = replace(settings, num_trials=StudySettings.num_trials)
    space = settings.space(text)
    check_new_run(name, runs_folder)
    from cnnkit.tuning.study import absolute_url, create_study, without_password

    url = None if storage is None else absolute_url(storage)
    if url is not None:
        settings = replace(settings, storage=without_password(url))
        _check_same(runs_folder / name, settings)
    _check_validation(space, report)
    if url is None:
        runs = StudyRuns(make_numbered_folder(runs_folder / name))
        settings = replace(settings, study=runs.folder.name)
    else:
        runs = StudyRuns(runs_folder / name)
    study = create_study(runs, settings, space, url)
    write_text(runs.config, text)
    runs.write(settings.as_dict())
    report.note(f"study: {runs.folder}")
    return _search(study, effort, url, report)


def resume_tuning(
    path: str | os.PathLike[str] | None,
    *,
    effort: Effort,
    storage: str | None = None,
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Report | None = None,
) -> StudyResult:
    """Continue a study, or help other processes that are working on it.

    A trial whose process was killed is continued first.

    Args:
        path: folder or name; None means the study that was changed last.
        effort: how much is done.
        storage: the URL again, if it has a password, which is not kept.
        runs_folder: where names are looked up.
        report: shows the progress; None shows nothing.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; its text says how to continue.
    """
    check_optuna()
    report = report or Report()
    runs = find_study(path, runs_folder)
    settings = StudySettings.read(runs)
    space = settings.space(config_text_of(runs.config))
    url = _url_again(settings, storage)
    if effort.num_trials is None and settings.num_trials is None and effort.minutes is None:
        raise UsageError(
            f"{runs.folder} was begun with --minutes alone. Say how much more: --minutes M or "
            "--trials N."
        )
    settings = replace(
        settings,
        num_trials=effort.num_trials or settings.num_trials,
        num_seeds=settings.num_seeds if effort.num_seeds is None else effort.num_seeds,
    )
    from cnnkit.tuning.study import open_study

    study = open_study(runs, settings, space, url)
    runs.write(settings.as_dict())
    report.note(f"study: {runs.folder}, {count_of(len(study.trials), 'trial')} so far")
    return _search(study, effort, url, report)


def _check_validation(space: SearchSpace, report: Report) -> None:
    """Read the images of the config as it is written, so that what is wrong with them shows now.

    Raises:
        CnnkitError: they cannot be read, or there are no validation images.
    """
    data = space.config.data
    make_builtin(data, report)
    with report.counting("reading images") as progress:
        dataset = load_dataset(data, progress=progress, note=report.note)
    if not len(dataset.select("validation")):
        raise UsageError(
            "There are no validation images, and the search chooses by their score. Set "
            "data.split.validation above 0."
        )


def _check_same(folder: Path, settings: StudySettings) -> None:
    """Refuse a folder that exists, unless it is that of the same study in the same storage."""
    if not folder.exists():
        return
    if (folder / STUDY_FILE).is_file():
        found = StudySettings.read(StudyRuns(folder))
        if (found.study, found.storage) == (settings.study, settings.storage):
            return
    raise UsageError(f"{folder} exists and belongs to something else. Give another --name.")


def _url_again(settings: StudySettings, storage: str | None) -> str | None:
    """Return the URL of a study's storage; a password in it was not kept.

    Raises:
        UsageError: another URL is given, or none although there is a password.
    """
    from cnnkit.tuning.study import absolute_url, without_password

    if storage is None:
        if settings.storage is not None and ":***@" in settings.storage:
            raise UsageError(
                f"The study is in {settings.storage}. Its password was not kept: give --storage "
                "again."
            )
        return settings.storage
    url = absolute_url(storage)
    if without_password(url) != settings.storage:
        place = settings.storage or "a file in its own folder"
        raise UsageError(f"The study is in {place}, not in {without_password(url)}.")
    return url


def _search(study: Study, effort: Effort, url: str | None, report: Report) -> StudyResult:
    """Search, write what was found, and train the best config with other seeds."""
    from cnnkit.tuning.study import storage_failures
    from cnnkit.tuning.study_result import StudyResult, best_trial, write_study_files

    end = None if effort.minutes is None else time.time() + 60 * effort.minutes
    with _saying_how_to_continue(study):
        try:
            _train_trials(study, effort, end, url, report)
        finally:
            report.close()
            with storage_failures(study.runs):
                importances = study.importances()
                write_study_files(study, importances)
        best = best_trial(study)
        finals = _train_finals(study, effort, url, report)
    return StudyResult(study, best, importances, finals)


def _train_trials(
    study: Study, effort: Effort, end: float | None, url: str | None, report: Report
) -> None:
    from cnnkit.tuning.next_trial import lost_trials
    from cnnkit.tuning.search_processes import SearchProcesses

    num_trials = study.settings.num_trials
    if effort.num_processes == 1:
        # Only now: this imports TensorFlow, and the parent of several processes does not need it.
        from cnnkit.tuning.search_loop import Limits, search

        if search(study, Limits(num_trials, end), report):
            return
        report.close()
    SearchProcesses(study.runs, effort.num_processes, url, report).search(num_trials, end)
    if lost := lost_trials(study):
        report.note(
            f"{count_of(len(lost), 'trial')} could not be finished, because the process was "
            f"killed. To continue: cnnkit tune --resume {study.runs.argument}"
        )


def _train_finals(
    study: Study, effort: Effort, url: str | None, report: Report
) -> FinalComparison | None:
    from cnnkit.tuning.final_comparison import compare_finals
    from cnnkit.tuning.final_trainings import final_trainings, train_finals
    from cnnkit.tuning.search_processes import SearchProcesses

    num_seeds = study.settings.num_seeds
    if not num_seeds:
        return None
    others = [trial for trial in study.trials if is_held(study.runs.claim(study.run_of(trial)))]
    if others:
        report.note(
            f"Other processes still train {count_of(len(others), 'trial')}. The final trainings "
            "are left to them."
        )
        return None
    report.note(f"final trainings with {count_of(num_seeds, 'other seed')}")
    if effort.num_processes > 1:
        SearchProcesses(study.runs, effort.num_processes, url, report).train_finals(num_seeds)
    else:
        train_finals(study, num_seeds, report)
    finals = final_trainings(study, num_seeds)
    if not all(final.is_finished for final in finals):
        report.note("Another process still trains one of the final runs: the comparison is its.")
        return None
    return compare_finals(finals, study.metric)


@contextmanager
def _saying_how_to_continue(study: Study) -> Iterator[None]:
    """Let Ctrl-C say what is kept, and which command continues."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        best = study.best()
        lines = [f"Interrupted: {count_of(len(study.complete), 'trial')} complete so far."]
        if best is not None:
            lines.append(
                f"The best, trial {best.number} with validation {study.metric.name} "
                f"{best.value:.4f}, is kept as {study.runs.best_config}"
            )
        lines.append(f"To continue: cnnkit tune --resume {study.runs.argument}")
        raise KeyboardInterrupt("\n".join(lines)) from interrupt

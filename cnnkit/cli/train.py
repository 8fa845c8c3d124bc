"""`cnnkit train`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import json_option, runs_option, set_option, short_options, with_short
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.text import as_argument, command_line

if TYPE_CHECKING:
    from cnnkit.config import Config
    from cnnkit.evaluation.pooled_folds import FoldEvaluation
    from cnnkit.runs import Run
    from cnnkit.training.dry_run import DryRun
    from cnnkit.training.other_machines import TrainedElsewhere


@click.command(
    cls=Command,
    examples=["cnnkit train photos.yaml --epochs 40", "cnnkit train --resume runs/photos"],
)
@click.argument("path", metavar="[CONFIG]", required=False, type=click.Path(path_type=Path))
@set_option
@short_options
@click.option(
    "--device",
    metavar="DEVICE",
    help="Same as --set runtime.devices=DEVICE: cpu, a GPU such as gpu:1, or all.",
)
@click.option("--name", help="The name of the run. Default: the name of the config file.")
@runs_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check the data and the model, and tell how long training takes, but do not train.",
)
@click.option(
    "--resume",
    is_flag=False,
    # The name of the run is optional: without one the value is an empty text.
    flag_value="",
    metavar="[RUN]",
    help="Instead of CONFIG: continue a run that did not finish, or with more --epochs one that "
    "did. Default: the newest unfinished one.",
)
@click.option(
    "--allow-changed",
    multiple=True,
    metavar="KEY",
    help="With --resume: this key of the config, such as training.optimizer, may differ from that "
    "of the start; data.source also allows other images, versions other packages. Repeatable.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="K",
    help="Train K models, each tested on another K-th of the images, into one folder, "
    "runs/CONFIG-Kfold or that of --name. --resume continues all of it.",
)
@json_option
def train(
    path: Path | None,
    overrides: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    seed: int | None,
    device: str | None,
    name: str | None,
    runs_folder: Path,
    dry_run: bool,
    resume: str | None,
    allow_changed: tuple[str, ...],
    folds: int | None,
    as_json: bool,
) -> None:
    """Train the model of a config and keep everything in a new run folder.

    Ctrl-C stops cleanly: the best weights so far are kept, and the exit code is 130. --resume
    continues after the last finished epoch and gives the same weights as without the interruption.
    With more --epochs it continues a finished training, too.
    At the end, report.html in the run folder is a page to hand on; `cnnkit report` adds to it.
    """
    overrides = with_short(overrides, epochs, batch_size, seed)
    if device is not None:
        overrides = (*overrides, f"runtime.devices={device}")
    if folds is not None and dry_run:
        raise click.UsageError("--dry-run checks one training. Give it without --folds.")
    again = _command(path, overrides, name, runs_folder, dry_run, resume, allow_changed, folds)
    with _naming_command_if_interrupted(again):
        if resume is not None:
            given = [path, name, dry_run or None, folds]
            result = _resumed(resume, runs_folder, given, overrides, allow_changed)
        elif allow_changed:
            raise click.UsageError("--allow-changed is for --resume. A new training needs none.")
        elif path is None:
            raise click.UsageError("Missing argument 'CONFIG' (or --resume).")
        else:
            default = path.stem if folds is None else f"{path.stem}-{folds}fold"
            result = _trained(
                path, overrides, default if name is None else name, runs_folder, dry_run, folds
            )
    show(result, as_json, [] if dry_run else _after_training(result))


def _after_training(result: Run | TrainedElsewhere | FoldEvaluation) -> list[str]:
    """Write the report of a run that this machine has, and return the verdicts."""
    from cnnkit.report import report_after_training
    from cnnkit.training.other_machines import TrainedElsewhere

    if isinstance(result, TrainedElsewhere):
        return []
    report_after_training(result, say)
    return _verdicts(result)


def _verdicts(result: Run | FoldEvaluation) -> list[str]:
    """Return what is said of a training at its end, in at most three lines."""
    from cnnkit.runs import Run
    from cnnkit.runs.fold_runs import read_folds
    from cnnkit.training.diagnosis import diagnose_folds, diagnose_run

    if isinstance(result, Run):
        return diagnose_run(result).short_lines()
    return diagnose_folds(read_folds(result.run_folder)).short_lines()


@contextmanager
def _naming_command_if_interrupted(command: str) -> Iterator[None]:
    """Let Ctrl-C before the training begins say which command starts it again.

    Later on the interrupt has a text already: what is kept, and how to continue.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if str(interrupt):
            raise
        raise KeyboardInterrupt(
            f"Interrupted before the first epoch: nothing was trained.\nTo start again: {command}"
        ) from interrupt


def _command(
    path: Path | None,
    overrides: Sequence[str],
    name: str | None,
    runs_folder: Path,
    dry_run: bool,
    resume: str | None,
    allow_changed: Sequence[str],
    folds: int | None,
) -> str:
    """Return the command again, so that it can be pasted into a shell."""
    words = ["cnnkit", "train"] if path is None else ["cnnkit", "train", as_argument(path)]
    for option, value in (
        *(("--set", override) for override in overrides),
        ("--name", name),
        ("--resume", resume),
        *(("--allow-changed", key) for key in allow_changed),
        ("--folds", folds),
        ("--runs-folder", None if runs_folder == Path(RUNS_FOLDER) else runs_folder),
    ):
        if value == "":  # --resume alone
            words += [option]
        elif value is not None:
            # Without the =, click would take a value that begins with - for another option.
            words += [f"{option}={value}"] if str(value).startswith("-") else [option, str(value)]
    return command_line(*words, *(["--dry-run"] if dry_run else []))


def _resumed(
    run: str,
    runs_folder: Path,
    given: Sequence[object],
    overrides: Sequence[str],
    allow_changed: Sequence[str],
) -> Run | TrainedElsewhere | FoldEvaluation:
    if any(value is not None for value in given):
        raise click.UsageError(
            "--resume continues a run: it takes no CONFIG, --name, --folds or --dry-run."
        )
    from cnnkit.progress import report_for
    from cnnkit.runs.run_list import folds_to_resume
    from cnnkit.training.resuming import run_to_resume

    report = report_for(sys.stderr)
    if folds := folds_to_resume(run or None, runs_folder):
        from cnnkit.training.fold_training import resume_folds

        return resume_folds(folds, report, is_changed=bool(overrides or allow_changed))
    found = run_to_resume(run or None, runs_folder, report.note, is_changed=bool(overrides))
    # Only now: this imports TensorFlow, which takes seconds, and mistakes should show at once.
    from cnnkit.training.run import resume

    changes = {"overrides": overrides, "allow_changed": allow_changed}
    return resume(found.folder, **changes, runs_folder=runs_folder, report=report)


def _trained(
    path: Path,
    overrides: Sequence[str],
    name: str,
    runs_folder: Path,
    is_dry_run: bool,
    folds: int | None,
) -> Run | TrainedElsewhere | DryRun | FoldEvaluation:
    from cnnkit.config import load_config
    from cnnkit.runs import check_new_run

    config = load_config(path, overrides)
    check_new_run(name, runs_folder)
    _check_sources(config, path.parent)
    # Only now: these import TensorFlow, which takes seconds, and mistakes should show at once.
    from cnnkit.progress import report_for
    from cnnkit.training.dry_run import dry_run
    from cnnkit.training.run import train as train_config

    report = report_for(sys.stderr)
    if is_dry_run:
        return dry_run(config, report, runs_folder=runs_folder)
    if folds is not None:
        from cnnkit.training.fold_training import train_folds

        return train_folds(config, folds, name=name, runs_folder=runs_folder, report=report)
    return train_config(config, name=name, runs_folder=runs_folder, report=report)


def _check_sources(config: Config, folder: Path) -> None:
    from cnnkit.data.sources.builtin_names import namesake_note
    from cnnkit.data.sources.listing import check_source

    if note := namesake_note(config.data.source, folder):
        say(note)
    check_source(config.data.source)
    for number, phase in enumerate(config.training.phases):
        if phase.data is not None:
            check_source(phase.data.source, f"training.phases[{number}].data.source")

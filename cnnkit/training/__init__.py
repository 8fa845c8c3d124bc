"""A config enters; a finished run leaves: weights, history, metrics, a model for `predict`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from cnnkit.backend import tf
from cnnkit.config import Config, dump_config, load_config
from cnnkit.files import write_csv, write_text
from cnnkit.progress import Report
from cnnkit.runs import RUNS_FOLDER, Run, create_run
from cnnkit.training.backup import Backup
from cnnkit.training.loop import run_epochs
from cnnkit.training.plan import Plan, prepare
from cnnkit.training.results import keep_best, write_results
from cnnkit.training.resuming import (
    check_nothing_is_lost,
    check_unchanged,
    earlier_seconds,
    only_training,
    split_rows,
    unfinished_run,
)
from cnnkit.version import VERSION


def train(
    config: Config,
    *,
    name: str,
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Report | None = None,
) -> Run:
    """Train a model from a config and return its run.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; the best weights so far are kept.
    """
    report = report or Report()
    plan = prepare(config, report)
    run = create_run(name, runs_folder)
    with only_training(run):
        report.note(f"run: {run.folder}")
        return _run(plan, run, report, None)


def resume(
    run: str | os.PathLike | None = None,
    *,
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Report | None = None,
) -> Run:
    """Let a training go on that was interrupted, from its last finished epoch, and return its run.

    On the same machine, with the same versions, it ends with the weights that it would have had.

    Args:
        run: folder or name; None is the newest run that did not finish.
        runs_folder: where run names are looked for.
        report: is told what happens.

    Raises:
        CnnkitError: there is no such run, another process trains it, or its config or its images
            are not what they were.
        KeyboardInterrupt: Ctrl-C; the best weights so far are kept.
    """
    report = report or Report()
    found = unfinished_run(run, runs_folder)
    with only_training(found):
        backup = Backup.read(found.backup)
        if backup is None:
            check_nothing_is_lost(found)
        plan = prepare(load_config(found.config), report)
        if backup is not None:
            check_unchanged(found, plan, backup)
        report.note(f"run: {found.folder}, {_standing(found, backup)}")
        began_with = found.info().get("versions", _versions())
        if began_with != _versions():
            report.note(_other_versions(began_with))
        return _run(plan, found, report, backup)


def _run(plan: Plan, run: Run, report: Report, backup: Backup | None) -> Run:
    """Train, from a backup where there is one, and write the results."""
    with run.recording(earlier=None if backup is None else earlier_seconds(run, backup)):
        if backup is None:
            _write_inputs(run, plan)
        else:
            run.update(resumed=[*run.info().get("resumed", []), len(backup.rows)])
        try:
            history = run_epochs(plan, run, report, backup)
            write_results(run, plan, history)
        except KeyboardInterrupt:
            report.close()
            with tf.init_scope():  # Ctrl-C may leave TensorFlow in the middle of a graph
                keep_best(run, plan, report)
            raise
        finally:
            report.close()
    shutil.rmtree(run.backup.parent, ignore_errors=True)
    return run


def _standing(run: Run, backup: Backup | None) -> str:
    done = 0 if backup is None else len(backup.rows)
    again = run.num_epochs() - done
    again_text = f"; the {again} behind are trained again" if again > 0 else ""
    return f"goes on after epoch {done}{again_text}" if done else f"from its beginning{again_text}"


def _other_versions(began_with: Mapping[str, str]) -> str:
    others = [f"{name} {value}" for name, value in began_with.items() - _versions().items()]
    return (
        f"It began with {', '.join(sorted(others))}: it may end with other weights than it would "
        "have had there."
    )


def _write_inputs(run: Run, plan: Plan) -> None:
    dataset = plan.dataset
    write_text(run.config, dump_config(plan.config))
    write_text(run.classes, "".join(f"{name}\n" for name in dataset.class_names))
    write_csv(run.split, ("path", "label", "split", "sha256"), split_rows(dataset))
    run.update(
        versions=_versions(),
        seed=plan.config.training.seed,
        data={
            "source": plan.config.data.source,
            "fingerprint": dataset.fingerprint,
            "counts": dataset.counts(),
            "skipped": [{"path": path, "reason": reason} for path, reason in dataset.skipped],
        },
        parameters=plan.model.count_params(),
    )


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "keras", "numpy", "pillow")
    return {
        "cnnkit": VERSION,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "platform": f"{sys.platform} {platform.machine()}",
    }

"""Train a model from a config, or resume a training, and return the finished run."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from cnnkit.backend import tf
from cnnkit.config import Config, dump_config, load_config
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.explore.memory_need import training_need
from cnnkit.files import write_csv, write_text
from cnnkit.memory import explaining_lack_of_memory
from cnnkit.progress import Report
from cnnkit.runs import Run, check_new_run, create_run
from cnnkit.runs.in_training import only_training
from cnnkit.text import count_of
from cnnkit.training.checkpoint import Backup
from cnnkit.training.disk_need import disk_need
from cnnkit.training.experiment_loggers import EpochLoggers, logging_to
from cnnkit.training.failures import naming_the_cause, saying_what_is_kept
from cnnkit.training.history import History
from cnnkit.training.loop import check_something_is_left, train_phases
from cnnkit.training.other_machines import (
    TrainedElsewhere,
    check_same_training,
    train_elsewhere,
)
from cnnkit.training.plan import Plan, prepare
from cnnkit.training.results import interruption_text, write_best_model, write_results
from cnnkit.training.resumed_changes import ChangedSetting
from cnnkit.training.resumed_images import changed_images, split_rows
from cnnkit.training.resuming import (
    changed_before,
    changed_devices,
    earlier_seconds,
    run_to_resume,
)
from cnnkit.training.sample_weights import weight_facts
from cnnkit.training.split_batches import is_halving_useful
from cnnkit.training.training_devices import devices_of
from cnnkit.version import VERSION


def train(
    config: Config,
    *,
    name: str,
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Report | None = None,
    evaluate_test: bool = True,
) -> Run | TrainedElsewhere:
    """Train a model from a config and return its run.

    If the environment variable TF_CONFIG names several machines, the first one returns the run.

    Args:
        config: the config.
        name: of the run; if it exists, name-2, name-3, ... is used.
        runs_folder: where the run folder is created.
        report: shows the progress; None shows nothing.
        evaluate_test: whether the test images are scored at the end.

    Raises:
        CnnkitError: an expected failure; its text says what to do.
        KeyboardInterrupt: Ctrl-C; the best weights so far are kept, and the text says where.
    """
    report = report or Report()
    check_new_run(name, runs_folder)
    if config.search:
        report.note("search is ignored: `cnnkit train` trains the config as it is written.")
        config = config.without_search()
    devices = devices_of(config)
    # First: what cannot be trained leaves no run folder behind.
    plan = prepare(config, report, devices=devices)
    check_same_training(plan, None)
    if not devices.writes_run:
        return train_elsewhere(plan, report)
    if warning := disk_need(plan, runs_folder).warning():
        report.note(warning)
    run = create_run(name, runs_folder)
    with only_training(run), saying_what_is_kept(run):
        report.note(f"run: {run.folder}{devices.text}")
        return _run(plan, run, report, None, evaluate_test=evaluate_test)


def resume(
    run: str | os.PathLike | None = None,
    *,
    overrides: Sequence[str] = (),
    allow_changed: Sequence[str] = (),
    runs_folder: Path = Path(RUNS_FOLDER),
    report: Report | None = None,
    evaluate_test: bool = True,
) -> Run | TrainedElsewhere:
    """Continue a training where it was saved last, and return its run.

    On the same machine, with the same versions, it ends with the weights that it would have had
    without the interruption. With more epochs a finished training is continued, too.

    Args:
        run: folder or name; None means the newest run that can be resumed.
        overrides: as for `--set`: `["training.epochs=60"]`.
        allow_changed: keys of the config that may differ from those of the start; `data.source`
            also allows other images, `versions` other versions of packages.
        runs_folder: where run names are looked up.
        report: shows the progress; None shows nothing.
        evaluate_test: whether the test images are scored at the end.

    Raises:
        CnnkitError: there is no such run, another process is training it, nothing is left to train,
            or something has changed that is not allowed to.
        KeyboardInterrupt: Ctrl-C; the best weights so far are kept, and the text says where.
    """
    report = report or Report()
    found = run_to_resume(run, runs_folder, report.note, is_changed=bool(overrides))
    config = load_config(found.config, overrides)
    devices = devices_of(config)
    # The lock first: the other process may be writing the backup.
    with only_training(found) if devices.writes_run else contextlib.nullcontext():
        backup = Backup.read(found.backup)
        changes = []
        if backup is not None:  # before the images are read, which may take minutes
            changes = changed_before(found, config, backup, _versions(), allow_changed)
        # With other parts, batch normalisation and dropout would give other weights.
        parts = found.info().get("batch_parts", 1)
        plan = prepare(
            config, report, takes_weights=backup is None, batch_parts=parts, devices=devices
        )
        if backup is not None:
            changes += changed_devices(found, plan, backup, allow_changed)
            changes += changed_images(found, plan, backup, allow_changed)
            check_something_is_left(plan, found, backup)
        check_same_training(plan, backup)
        if not devices.writes_run:
            return train_elsewhere(plan, report, backup, found)
        report.note(f"run: {found.folder}{devices.text}, {_where_it_continues(found, backup)}")
        for change in changes:
            report.note(f"changed: {change.text()}")
        with saying_what_is_kept(found):
            return _run(plan, found, report, backup, changes, evaluate_test=evaluate_test)


def _run(
    plan: Plan,
    run: Run,
    report: Report,
    backup: Backup | None,
    changes: Sequence[ChangedSetting] = (),
    *,
    evaluate_test: bool,
) -> Run:
    """Train, from the beginning or from a backup, and write the results."""
    is_trained = False
    with run.recording(earlier=None if backup is None else earlier_seconds(run, backup)):
        if backup is None or changes:
            _write_inputs(run, plan)
        if backup is not None:
            epoch, info = len(backup.rows), run.info()
            new = [{"after_epoch": epoch, **change.as_dict()} for change in changes]
            run.update(
                resumed=[*info.get("resumed", []), epoch],
                changed=[*info.get("changed", []), *new],
                # These were of the training so far.
                epochs=None,
                best_epoch=None,
                metrics=None,
                stopped=None,
            )
        try:
            with (
                naming_the_cause(plan),
                plan.devices.naming_lost_machines(),
                explaining_lack_of_memory(lambda: _need(plan)),
                logging_to(plan.config, run, report) as loggers,
            ):
                plan, history = _train_all(plan, run, report, backup, loggers)
                is_trained = True
                write_results(run, plan, history, evaluate_test=evaluate_test)
        except KeyboardInterrupt as interrupt:
            report.close()
            _keep_best_model(run, plan)
            raise KeyboardInterrupt(interruption_text(run, is_trained=is_trained)) from interrupt
        finally:
            report.close()
    # After the status: a run that is killed here is finished, and one before can be resumed.
    _keep_or_remove_backup(run, plan.config)
    return run


def _train_all(
    plan: Plan, run: Run, report: Report, backup: Backup | None, loggers: EpochLoggers
) -> tuple[Plan, History]:
    """Train all phases; if memory is short, with batches that are split up to three times."""
    while True:
        try:
            return plan, train_phases(plan, run, report, backup, loggers)
        except tf.errors.OpError as error:
            size, parts = plan.config.data.batch_size, 2 * plan.batch_parts
            several = plan.devices.number > 1
            if several or not is_halving_useful(error, size, plan.batch_parts):
                raise
        report.close()
        report.note(
            f"The memory is not enough for batches of {math.ceil(size / plan.batch_parts)} images. "
            f"Each batch of {size} is now computed in {parts} parts, whose gradients are added: "
            "learning rate and number of steps stay as they are."
        )
        run.update(batch_parts=parts)
        backup = Backup.read(run.backup)
        # With new weights: these may be half changed.
        plan = prepare(plan.config, report, takes_weights=backup is None, batch_parts=parts)


def _keep_or_remove_backup(run: Run, config: Config) -> None:
    """Keep what more epochs need: not the best weights, which are in best.keras."""
    if not config.training.keep_backup:
        # If it cannot be removed, it only takes room.
        shutil.rmtree(run.backup.parent, ignore_errors=True)
        return
    backup = Backup.read(run.backup)
    if backup is not None and backup.best is not None:
        with contextlib.suppress(OSError):  # a full disk: it only takes more room
            replace(backup, best=None).write(run.backup)


def _need(plan: Plan) -> str:
    return training_need(plan.config, plan.model, len(plan.dataset.samples))


def _keep_best_model(run: Run, plan: Plan) -> None:
    """Write model.tflite after Ctrl-C, unless there are no weights or a second Ctrl-C comes."""
    # The interrupt may have come while TensorFlow was building a graph: init_scope leaves it.
    with contextlib.suppress(KeyboardInterrupt), tf.init_scope():
        if run.best.exists():
            write_best_model(run, plan)


def _where_it_continues(run: Run, backup: Backup | None) -> str:
    if backup is not None and backup.partial:
        return f"continues {backup.partial.place}"
    done = 0 if backup is None else len(backup.rows)
    again = run.num_epochs() - done  # epochs of a head, of which the weights were not saved yet
    epochs = count_of(again, "finished epoch is", "finished epochs are")
    again_text = f"; {epochs} trained again" if again > 0 else ""
    where = f"continues after epoch {done}" if done else "starts again from the beginning"
    return f"{where}{again_text}"


def _write_inputs(run: Run, plan: Plan) -> None:
    """Write what the training starts from: config, class names, split, versions, seed."""
    dataset = plan.dataset
    write_text(run.config, dump_config(plan.config))
    write_text(run.classes, "".join(f"{name}\n" for name in dataset.class_names))
    write_csv(run.split, ("path", "label", "split", "sha256"), split_rows(dataset))
    run.update(
        versions=_versions(),
        seed=plan.config.training.seed,
        devices={"number": plan.devices.number, "machines": plan.devices.num_machines},
        data={
            "source": plan.config.data.source,
            "fingerprint": dataset.fingerprint,
            "counts": dataset.counts(),
            "weights": weight_facts(dataset),
            "skipped": [{"path": path, "reason": reason} for path, reason in dataset.skipped],
            "notes": list(dataset.notes),
        },
        parameters=plan.model.count_params(),
    )
    if plan.initial is not None:  # a training that is resumed has it already
        run.update(initial_weights=plan.initial.as_dict())


def _versions() -> dict[str, str]:
    # What the weights depend on, bit for bit.
    packages = ("tensorflow", "keras", "numpy", "pillow")
    return {
        "cnnkit": VERSION,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "platform": f"{sys.platform} {platform.machine()}",
    }

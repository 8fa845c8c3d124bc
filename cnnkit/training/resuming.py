"""Decide which training can be resumed, and refuse changes that are not allowed."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnkit.config import Config, config_as_dict, dump_config
from cnnkit.config.file_paths import BACKBONE_PATHS
from cnnkit.errors import UsageError, nearest_name
from cnnkit.runs import Run, find_run, unfinished_runs
from cnnkit.runs.in_training import is_in_training, trainer_of
from cnnkit.text import count_of, first_few, quoted
from cnnkit.training.resumed_changes import (
    DEVICES,
    VERSIONS,
    ChangedSetting,
    allowing,
    changed_settings,
    is_allowed,
    keys_of,
)
from cnnkit.training.sample_weights import weights_fingerprint

if TYPE_CHECKING:  # they import TensorFlow, and what cannot be resumed should show at once
    from cnnkit.training.checkpoint import Backup
    from cnnkit.training.plan import Plan


def run_to_resume(
    run: str | os.PathLike | None,
    runs_folder: Path,
    note: Callable[[str], Any],
    *,
    is_changed: bool = False,
) -> Run:
    """Return the run that is meant, or the newest one that can be resumed.

    Args:
        run: its folder or name; None chooses one.
        runs_folder: where names are looked up, and where one is chosen.
        note: called with one sentence for each unfinished run that had to be skipped.
        is_changed: whether its settings will be changed; then it may be finished.

    Raises:
        UsageError: there is no such run, it is finished, or nothing can be resumed.
    """
    if run is None:
        return _newest(runs_folder, note)
    found = find_run(run, runs_folder)
    info = found.info()
    if info["status"] == "finished":
        if not (is_changed or info.get("stopped_by")):
            raise UsageError(
                f"{found.folder} is finished: there is nothing to resume. To train it further, "
                f"give it more epochs: cnnkit train --resume {found.argument} --epochs N"
            )
        if not found.backup.exists():
            raise UsageError(
                f"{found.folder} is finished and cannot be trained further, because {found.backup} "
                "is missing: training.keep_backup was false, or it was trained by an earlier "
                "version. Start a new run from its weights with model.backbone: "
                f"{{run: {found.folder}}}."
            )
    if fault := _what_is_missing(found):
        raise UsageError(f"{found.folder} cannot be resumed: {fault}")
    return found


def _newest(runs_folder: Path, note: Callable[[str], Any]) -> Run:
    unfinished = unfinished_runs(runs_folder, note)
    in_training = []
    for run in unfinished:
        if is_in_training(run):
            in_training.append(f"{run.folder} is being trained by {trainer_of(run)}")
            note(f"Skipped {run.folder}: it is being trained by {trainer_of(run)}.")
        elif fault := _what_is_missing(run):
            note(f"Skipped {run.folder}: {fault}")
        else:
            return run
    if in_training:
        raise UsageError(
            f"No run in {runs_folder}/ can be resumed: {first_few(in_training)}. Wait until that "
            "ends, or stop it with Ctrl-C."
        )
    if unfinished:
        raise UsageError(
            f"No run in {runs_folder}/ can be resumed. Start a new one: cnnkit train CONFIG."
        )
    raise UsageError(f"There is no run in {runs_folder}/ that did not finish.")


def _what_is_missing(run: Run) -> str | None:
    """Return what a run lacks to be resumed, None if it lacks nothing."""
    if not run.config.exists():
        return (
            "it was interrupted before it had a config.yaml. Start a new training: cnnkit train "
            "CONFIG."
        )
    if run.best.exists() and not run.backup.exists():  # there is a backup before there are weights
        return (
            f"it has weights, but {run.backup} is missing. Its weights stay as they are; start a "
            f"new training: cnnkit train {quoted(run.config)}."
        )
    return None


def facts_of(plan: Plan) -> dict[str, Any]:
    """Return what must not have changed when a training is resumed."""
    return {
        "config": _config_lines(plan.config),
        "data": [planned.images.dataset.fingerprint for planned in plan.phases],
        "weights": weights_fingerprint(plan.dataset),
        "devices": plan.devices.number,
    }


def changed_before(
    run: Run,
    config: Config,
    backup: Backup,
    versions: Mapping[str, str],
    allowed: Collection[str],
) -> list[ChangedSetting]:
    """Return what has changed since a training was started; refuse what is not allowed.

    More epochs are always allowed. No image is read for this: see `changed_images`.

    Args:
        run: the run.
        config: of the rest of the training.
        backup: of the training so far.
        versions: of the packages, now.
        allowed: keys of the config that may have changed, and `versions`.

    Raises:
        UsageError: the config or the versions have changed, or a key does not exist.
    """
    _check_keys(config, allowed)
    changes = [
        change
        for change in changed_settings(backup.facts["config"], _config_lines(config))
        # What it names may be another device; `changed_devices` counts them.
        if not change.key.startswith("runtime")
    ]
    refused = [one for one in changes if not (one.raises_epochs or is_allowed(one.key, allowed))]
    if refused:
        raise UsageError(
            f"{run.folder} was started with other settings. Now: "
            f"{first_few([one.text() for one in refused])}. Give the former ones (by --set or in "
            f"{run.config}), start a new training with cnnkit train {quoted(run.config)}, or go on "
            f"in spite of it: {allowing(one.key for one in refused)}"
        )
    return changes + _changed_versions(run, versions, allowed)


def _check_keys(config: Config, allowed: Collection[str]) -> None:
    known = {VERSIONS, *keys_of(config_as_dict(config))}
    for key in allowed:
        if key not in known:
            near = nearest_name(key, known)
            raise UsageError(
                f"--allow-changed {key}: the config has no such key."
                f"{f' Did you mean {near}?' if near else ''} It takes a key like "
                f"training.optimizer, a section like training, or {VERSIONS}."
            )


def changed_devices(
    run: Run, plan: Plan, backup: Backup, allowed: Collection[str]
) -> list[ChangedSetting]:
    """Return whether the number of devices has changed since a training was started.

    Raises:
        UsageError: it has, and `runtime.devices` is not allowed to.
    """
    before, now = backup.facts.get("devices", 1), plan.devices.number
    if before == now:
        return []
    if not is_allowed(DEVICES, allowed):
        raise UsageError(
            f"{run.folder} was trained on {count_of(before, 'device')}; now it would be "
            f"{count_of(now, 'device')} (runtime.devices, TF_CONFIG), which gives other weights "
            "than without the interruption: sums are rounded otherwise, dropout draws other "
            "numbers, and batch normalisation sees other parts of a batch. Take as many devices as "
            f"before, or go on in spite of it: {allowing([DEVICES])}"
        )
    return [ChangedSetting(DEVICES, before, now)]


def _changed_versions(
    run: Run, versions: Mapping[str, str], allowed: Collection[str]
) -> list[ChangedSetting]:
    before = run.info().get("versions", versions)
    changes = [
        ChangedSetting(f"{VERSIONS}.{name}", before.get(name), version)
        for name, version in versions.items()
        if before.get(name) != version
    ]
    if changes and not is_allowed(VERSIONS, allowed):
        raise UsageError(
            f"The training was started with {_named(before, changes)}; installed is now "
            f"{_named(versions, changes)}. It may end with other weights than it would have had. "
            f"Install the former, or go on in spite of it: {allowing([VERSIONS])}"
        )
    return changes


def _named(versions: Mapping[str, str], changes: Sequence[ChangedSetting]) -> str:
    names = [change.key.partition(".")[2] for change in changes]
    return ", ".join(f"{name} {versions.get(name, 'unknown')}" for name in names)


def _config_lines(config: Config) -> list[str]:
    """Return a config as text, without paths: files may have been moved.

    Images are compared by their contents, and the weights of a backbone are in the backup.
    """
    # Where decoded pixels are cached does not change them.
    data = config.data.model_copy(update={"source": "", "cache": "auto"})
    model, training = config.model, config.training
    if model.backbone is not None:
        paths = {key: "" for key in BACKBONE_PATHS if getattr(model.backbone, key) is not None}
        backbone = model.backbone.model_copy(update=paths)
        model = model.model_copy(update={"backbone": backbone})
    if model.weights is not None:
        model = model.model_copy(update={"weights": ""})
    phases = [
        phase
        if phase.data is None
        else phase.model_copy(update={"data": phase.data.model_copy(update={"source": ""})})
        for phase in training.phases
    ]
    # These decide when a training stops and what it leaves, not what it computes.
    of_no_effect = {
        "max_minutes": None,
        "checkpoint_minutes": None,
        "keep_backup": True,
        "loggers": (),
    }
    training = training.model_copy(update={"phases": tuple(phases), **of_no_effect})
    parts = {"data": data, "model": model, "training": training}
    # As text, because the message about a change quotes the lines that differ.
    return dump_config(config.model_copy(update=parts)).splitlines()


def earlier_seconds(run: Run, backup: Backup) -> float:
    """Return how long a run was trained before; if it was killed, the time of its epochs."""
    ended = run.info().get("seconds")
    if ended is not None:
        return ended
    partial = backup.partial.seconds if backup.partial else 0.0
    return sum(row["seconds"] for row in backup.rows) + partial

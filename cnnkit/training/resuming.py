"""A run that did not finish enters; whether its training can go on leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cnnkit.config import Config, dump_config
from cnnkit.config.file_paths import BACKBONE_PATHS
from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import DataError, UsageError
from cnnkit.locks import held
from cnnkit.runs import Run, find_run, unfinished_runs
from cnnkit.text import first_few
from cnnkit.training.backup import Backup
from cnnkit.training.plan import Plan


def unfinished_run(run: str | os.PathLike | None, runs_folder: Path) -> Run:
    """Return a run that did not finish; of None the newest one.

    Raises:
        UsageError: there is none, or this one is finished, or it has no config.
    """
    if run is None:
        found = unfinished_runs(runs_folder)[0]
    else:
        found = find_run(run, runs_folder)
        if found.info()["status"] == "finished":
            raise UsageError(
                f"{found.folder} is finished: there is nothing to resume. To train on from its "
                f"weights, begin a run whose model.backbone is {{run: {found.folder}}}."
            )
    if not found.config.exists():
        raise UsageError(
            f"{found.folder} was interrupted before it had a config.yaml. Begin a new training "
            "with cnnkit train CONFIG."
        )
    return found


@contextmanager
def only_training(run: Run) -> Iterator[None]:
    """Let no other process train a run while the block runs.

    Raises:
        UsageError: one does.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(run.lock))
        except TimeoutError:
            raise UsageError(
                f"{run.folder} is being trained by another process ({run.info().get('pid')}). "
                "Wait for it, or end it with Ctrl-C."
            ) from None
        yield


def facts_of(plan: Plan) -> dict[str, Any]:
    """Return what must be the same where a training goes on."""
    return {
        "config": _config_lines(plan.config),
        "data": [feed.dataset.fingerprint for feed in plan.feeds],
    }


def check_nothing_is_lost(run: Run) -> None:
    """Refuse to begin anew over weights: whoever has them had a backup before.

    Raises:
        UsageError: the run has weights.
    """
    if run.best.exists():
        raise UsageError(
            f"{run.folder} has weights, but {run.backup} is missing, which is needed to go on. "
            f"They stay as they are; begin a new training with cnnkit train {run.config}."
        )


def check_unchanged(run: Run, plan: Plan, backup: Backup) -> None:
    """Refuse to go on with another config or other images.

    Raises:
        UsageError: the config has changed.
        DataError: the images have changed.
    """
    lines, before = _config_lines(plan.config), backup.facts["config"]
    if lines != before:
        changed = [line.strip() for line in lines if line not in before]
        gone = [line.strip() for line in before if line not in lines]
        raise UsageError(
            f"{run.config} has changed since the training began: now {first_few(changed)}, then "
            f"{first_few(gone)}. Put it back, or begin a new training with cnnkit train "
            f"{run.config}."
        )
    _check_images(run, plan.dataset)
    for number, (seen, feed) in enumerate(zip(backup.facts["data"], plan.feeds, strict=True), 1):
        if feed.dataset.fingerprint != seen:
            raise DataError(
                f"The images of phase {number} have changed since the training began. Put them "
                "back, or begin a new training."
            )


def _config_lines(config: Config) -> list[str]:
    """Return a config as text, without paths: what lies there may have moved.

    Images are compared by their contents, and the weights of a backbone are in the backup.
    """
    data = config.data.model_copy(update={"source": "", "cache": "auto"})
    model, training = config.model, config.training
    if model.backbone is not None:
        paths = {key: "" for key in BACKBONE_PATHS if getattr(model.backbone, key) is not None}
        backbone = model.backbone.model_copy(update=paths)
        model = model.model_copy(update={"backbone": backbone})
    phases = [
        phase
        if phase.data is None
        else phase.model_copy(update={"data": phase.data.model_copy(update={"source": ""})})
        for phase in training.phases
    ]
    training = training.model_copy(update={"phases": tuple(phases)})
    parts = {"data": data, "model": model, "training": training}
    return dump_config(config.model_copy(update=parts)).splitlines()


def _check_images(run: Run, dataset: ImageDataset) -> None:
    before = {row["path"]: row for row in run.read_split()}
    now = {row["path"]: row for row in split_rows(dataset)}
    parts = {
        "gone": sorted(before.keys() - now.keys()),
        "new": sorted(now.keys() - before.keys()),
        "with other pixels or in another split": sorted(
            path for path in before.keys() & now.keys() if before[path] != now[path]
        ),
    }
    found = [f"{len(paths)} {word} ({first_few(paths)})" for word, paths in parts.items() if paths]
    if found:
        raise DataError(
            f"The images are not those that the training began with ({run.split}): "
            f"{', '.join(found)}. Put them back, or begin a new training."
        )


def split_rows(dataset: ImageDataset) -> list[dict[str, str]]:
    """Return the rows of split.csv."""
    return [
        {
            "path": sample.path,
            "label": dataset.class_names[sample.label],
            "split": sample.split,
            "sha256": sample.sha256,
        }
        for sample in dataset.samples
    ]


def earlier_seconds(run: Run, backup: Backup) -> float:
    """Return how long a run was trained before; of a killed one, how long its epochs took."""
    ended = run.info().get("seconds")
    return ended if ended is not None else sum(row["seconds"] for row in backup.rows)

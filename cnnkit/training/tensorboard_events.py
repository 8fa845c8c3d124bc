"""Write each epoch as TensorBoard reads it."""

from __future__ import annotations

from typing import Any

from cnnkit.backend import tf
from cnnkit.config import Config
from cnnkit.runs import Run


def event_writer(config: Config, run: Run) -> Any:
    """Return a writer of event files, None if `training.tensorboard` is false."""
    if not config.training.tensorboard:
        return None
    return tf.summary.create_file_writer(str(run.folder / "tensorboard"))


def write_events(events: Any, row: dict[str, float]) -> None:
    """Write a row of history.csv, if there is a writer."""
    if events is None:
        return
    with events.as_default(step=row["epoch"]):
        for name, value in row.items():
            if name != "epoch":
                tf.summary.scalar(name, value)
    # Otherwise TensorBoard would show an epoch only when the writer's buffer is full.
    events.flush()

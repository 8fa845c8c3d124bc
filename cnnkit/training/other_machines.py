"""What a training of several machines does on those that do not write the run."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.text import count_of
from cnnkit.training.checkpoint import Backup
from cnnkit.training.loop import train_phases
from cnnkit.training.plan import Plan
from cnnkit.training.resuming import facts_of
from cnnkit.version import VERSION


@dataclass(frozen=True)
class TrainedElsewhere:
    """The result of a training on a machine that does not write the run.

    Args:
        machine: what this one is called.
        writer: the address of the machine that has the run.
        epochs: of the training.
    """

    machine: str
    writer: str
    epochs: int

    def text(self) -> str:
        """Return one line for people."""
        return (
            f"{self.machine} has helped to train {count_of(self.epochs, 'epoch')}. Machine 0 "
            f"({self.writer}) has the run."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run": None, **vars(self)}


def check_same_training(plan: Plan, backup: Backup | None) -> None:
    """Refuse machines that would train different things together.

    Raises:
        UsageError: on another machine the config, the images, the version or the place at which the
            training goes on is another one.
    """
    partial = backup.partial.place if backup and backup.partial else ""
    place = (len(backup.rows) if backup else 0, partial)
    if not plan.devices.all_have(repr((VERSION, facts_of(plan), place))):
        raise UsageError(
            "The machines of TF_CONFIG do not train the same. Start the same command with the same "
            "config, images and version of cnnkit on all of them; to resume, all must see the same "
            "run folder."
        )


def train_elsewhere(
    plan: Plan, report: Report, backup: Backup | None = None, resumed: Run | None = None
) -> TrainedElsewhere:
    """Train with the other machines. What they write goes into a folder that is removed again.

    Args:
        plan: with the devices of several machines.
        report: gets two notes; machine 0 shows the progress.
        backup: from which the training is resumed.
        resumed: the run that it belongs to.
    """
    cluster = plan.devices.cluster
    writer = cluster.addresses[0]
    report.note(f"{cluster.name} helps machine 0 ({writer}), which shows the progress.")
    with _folder_of_its_own(resumed) as run, run.recording(), plan.devices.naming_lost_machines():
        history = train_phases(plan, run, Report(), backup)
    return TrainedElsewhere(cluster.name, writer, len(history.rows))


@contextlib.contextmanager
def _folder_of_its_own(resumed: Run | None) -> Iterator[Run]:
    """Yield a run folder with the weights of the resumed one; it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="cnnkit-") as folder:
        run = Run(Path(folder))
        run.best.parent.mkdir()
        if resumed is not None:
            shutil.copytree(resumed.best.parent, run.best.parent, dirs_exist_ok=True)
        yield run

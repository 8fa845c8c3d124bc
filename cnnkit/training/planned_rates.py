"""Work out the learning rate of every step of a training before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.config import Config
from cnnkit.data.dataset import load_dataset
from cnnkit.errors import DataError
from cnnkit.progress import Report
from cnnkit.tables import table_text
from cnnkit.text import count_of
from cnnkit.training.history import History
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.phases import Phase, phases_of

_MOST_ROWS = 24  # of the table; the drawing shows every step


@dataclass(frozen=True)
class PhaseRates:
    """The learning rates of a phase.

    Args:
        label: what learns.
        steps_per_epoch: batches in an epoch.
        rates: (epochs, steps per epoch); None for a linear probe, which takes no steps.
    """

    label: str
    steps_per_epoch: int
    rates: np.ndarray | None

    @property
    def num_epochs(self) -> int:
        """How many epochs the phase takes at the most; a linear probe counts as one."""
        return 1 if self.rates is None else len(self.rates)


@dataclass(frozen=True)
class PlannedRates:
    """The learning rates of a training.

    Args:
        phases: in order.
        notes: what the rates leave out.
    """

    phases: tuple[PhaseRates, ...]
    notes: tuple[str, ...]

    @property
    def num_steps(self) -> int:
        """How many steps the training takes at the most."""
        return sum(phase.rates.size for phase in self.phases if phase.rates is not None)

    def rows(self) -> list[dict[str, Any]]:
        """Return for each epoch what learns, and its learning rates: None for a linear probe."""
        found: list[dict[str, Any]] = []
        for phase in self.phases:
            for index in range(phase.num_epochs):
                rates = None if phase.rates is None else phase.rates[index]
                found.append(
                    {
                        "epoch": len(found) + 1,
                        "train": phase.label,
                        "first": None if rates is None else float(rates[0]),
                        "last": None if rates is None else float(rates[-1]),
                        "largest": None if rates is None else float(rates.max()),
                    }
                )
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return what `schedule --json` prints."""
        return {"steps": self.num_steps, "epochs": self.rows(), "notes": list(self.notes)}

    def text(self) -> str:
        """Return a table of the first, the last and the largest learning rate of each epoch."""
        rows = self.rows()
        shown = [
            tuple("" if value is None else _shown(value) for value in row.values())
            for row in _thinned(rows)
        ]
        columns = ("epoch", "trains", "first step", "last step", "largest")
        title = f"{count_of(len(rows), 'epoch')}, {count_of(self.num_steps, 'step')}"
        table = table_text(columns, shown, right=("epoch", *columns[2:]), title=title)
        left_out = len(rows) - len(shown)
        more = f"\n{count_of(left_out, 'epoch')} in between are left out." if left_out else ""
        return f"{table}{more}"


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def planned_rates(config: Config, report: Report) -> PlannedRates:
    """Return the learning rate of every step that a training would take.

    The images are read as for a training, because their number decides how many steps there are.

    Args:
        config: of the training.
        report: shows the progress of reading the images.

    Raises:
        DataError: the images cannot be read, or none of them is trained on.
    """
    steps: dict[Any, int] = {}
    phases = []
    for phase in phases_of(config):
        if phase.data not in steps:
            steps[phase.data] = _steps_per_epoch(config, phase, report)
        phases.append(_phase_rates(config, phase, steps[phase.data]))
    return PlannedRates(tuple(phases), tuple(_notes(config)))


def _steps_per_epoch(config: Config, phase: Phase, report: Report) -> int:
    section = config.data
    if phase.data is not None:
        section = section.model_copy(
            update={"source": phase.data.source, "shapes": phase.data.shapes}
        )
    with report.counting("reading images") as progress:
        dataset = load_dataset(section, progress=progress, note=report.note)
    number = len(dataset.select("train"))
    if not number:
        raise DataError(f"{section.source} has no training images, so there is no step to draw.")
    return math.ceil(number / section.batch_size)


def _phase_rates(config: Config, phase: Phase, steps: int) -> PhaseRates:
    if phase.is_probe:
        return PhaseRates(phase.label, steps, None)
    # A history without epochs: nothing is written.
    rate = LearningRate(phase, steps, History(Path("history.csv"), config.training.monitor))
    rates = [[rate.at(epoch, step) for step in range(steps)] for epoch in range(phase.epochs)]
    return PhaseRates(phase.label, steps, np.array(rates))


def _notes(config: Config) -> list[str]:
    phases = phases_of(config)
    notes = []
    if any(phase.schedule.name == "plateau" for phase in phases if not phase.is_probe):
        notes.append(
            "plateau lowers the learning rate when training.monitor stops improving, which is not "
            "known before the training: the rates are those without it."
        )
    if any(phase.patience < phase.epochs for phase in phases):
        notes.append("early_stopping may end a phase before its last epoch.")
    return notes


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return at most `_MOST_ROWS` of the rows, the first and the last among them."""
    if len(rows) <= _MOST_ROWS:
        return rows
    kept = {round(place) for place in np.linspace(0, len(rows) - 1, _MOST_ROWS)}
    return [row for index, row in enumerate(rows) if index in kept]

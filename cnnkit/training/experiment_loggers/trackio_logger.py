"""Send a training to Trackio, which is like Weights & Biases with a local database."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnnkit.runs import Run
from cnnkit.training.experiment_loggers.final_scores import final_scores


class TrackioLogger:
    """One run of Trackio for one run of cnnkit.

    Args:
        project: that the run belongs to.
    """

    name = "trackio"
    failures = (OSError, ValueError, RuntimeError, sqlite3.Error)

    def __init__(self, project: str) -> None:
        self._project = project
        self._run: Any = None

    def start(self, run: Run, parameters: Mapping[str, str]) -> None:
        """Create a run of Trackio, or continue the one in run.json."""
        with _without_stdout():
            import trackio

            begun = run.info().get("loggers", {}).get(self.name)
            self._run = trackio.init(
                project=self._project,
                name=run.name,
                config=dict(parameters),
                resume="never" if begun is None else "allow",
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )
        run.update(loggers={**run.info().get("loggers", {}), self.name: {"project": self._project}})

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Send rows of history.csv."""
        for row in rows:
            numbers = {name: value for name, value in row.items() if name != "epoch"}
            with _without_stdout():
                self._run.log(numbers, step=int(row["epoch"]))

    def finish(self, run: Run, status: str) -> None:
        """Send the scores of a finished run, and wait until all is written."""
        scores = final_scores(run)
        with _without_stdout():
            import trackio

            if status == "finished" and scores:
                self._run.log(scores, step=run.num_epochs())
            trackio.finish()


@contextlib.contextmanager
def _without_stdout() -> Iterator[None]:
    # Trackio prints what it does; stdout belongs to the results.
    with contextlib.redirect_stdout(io.StringIO()):
        yield

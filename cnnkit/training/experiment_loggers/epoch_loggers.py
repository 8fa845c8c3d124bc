"""Send each epoch to the loggers of a config; what goes wrong there never ends a training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol

from cnnkit.config import Config, config_as_dict
from cnnkit.errors import UsageError
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.training.experiment_loggers.mlflow_logger import MlflowLogger
from cnnkit.training.experiment_loggers.trackio_logger import TrackioLogger
from cnnkit.training.resumed_changes import leaves

_RETRY_SECONDS = 60  # after a failure: a server that does not answer must not slow down each epoch
_KINDS = {"mlflow": MlflowLogger, "trackio": TrackioLogger}


class Logger(Protocol):
    """A program to send numbers to. Its methods raise one of `failures` if that does not work."""

    name: str
    failures: tuple[type[Exception], ...]

    def start(self, run: Run, parameters: Mapping[str, str]) -> None:
        """Begin, or continue what the run says it has begun."""

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Send rows of history.csv."""

    def finish(self, run: Run, status: str) -> None:
        """Send the final numbers and files, and say how it ended."""


def check_loggers(config: Config) -> None:
    """Refuse a logger whose package is not installed.

    Raises:
        UsageError: it is not; the text says what to install.
    """
    for call in config.training.loggers:
        if find_spec(call.name) is None:
            raise UsageError(
                f"training.loggers: {call.name} is not installed. Install it with pip install "
                f"'cnnkit[{call.name}]', or remove it from the config."
            )


@contextmanager
def logging_to(config: Config, run: Run, report: Report) -> Iterator[EpochLoggers]:
    """Open the loggers of a config while a training runs, and tell them how it ends.

    Args:
        config: of the training.
        run: the run, which may be resumed.
        report: is told once if a logger fails.
    """
    made = [_KINDS[call.name](**call.arguments) for call in config.training.loggers]
    # `model.layers.0.conv.filters`: MLflow refuses brackets.
    parameters = {
        ".".join(map(str, path)): str(value) for path, value in leaves(config_as_dict(config), ())
    }
    loggers = EpochLoggers([_Guarded(each, run, parameters, report) for each in made])
    status = "failed"
    try:
        loggers.start()
        yield loggers
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        loggers.finish(status)


class EpochLoggers:
    """All loggers of a training."""

    def __init__(self, loggers: Sequence[_Guarded] = ()) -> None:
        self._loggers = loggers

    def start(self) -> None:
        """Begin before the first epoch."""
        for logger in self._loggers:
            logger.send()

    def epoch_done(self, row: Mapping[str, float]) -> None:
        """Send a row of history.csv."""
        for logger in self._loggers:
            logger.waiting.append(row)
            logger.send()

    def finish(self, status: str) -> None:
        """Send what is left: finished, failed or interrupted."""
        for logger in self._loggers:
            logger.finish(status)


class _Guarded:
    """A logger that is started late, tried again and given up, but never raises what it fails with.

    Rows wait until they are sent, so that a server which is away for a while gets all of them.
    """

    def __init__(
        self, logger: Logger, run: Run, parameters: Mapping[str, str], report: Report
    ) -> None:
        self.waiting: list[Mapping[str, float]] = []
        self._logger, self._run, self._report = logger, run, report
        self._parameters = parameters
        self._is_started, self._failed_at = False, -_RETRY_SECONDS
        self._has_warned = False

    def send(self) -> None:
        if time.monotonic() - self._failed_at < _RETRY_SECONDS:
            return
        try:
            self._send()
        except self._logger.failures as error:
            self._failed(error)

    def finish(self, status: str) -> None:
        try:
            self._send()
            self._logger.finish(self._run, status)
        except self._logger.failures as error:
            self._failed(error)

    def _send(self) -> None:
        if not self._is_started:
            self._logger.start(self._run, self._parameters)
            self._is_started = True
        if self.waiting:
            self._logger.log(self.waiting)
            self.waiting = []

    def _failed(self, error: Exception) -> None:
        self._failed_at = time.monotonic()
        if not self._has_warned:
            self._has_warned = True
            reason = str(error).strip().partition("\n")[0][:300] or type(error).__name__
            self._report.note(
                f"{self._logger.name} does not work: {reason.rstrip('.')}. The training goes on, "
                f"and history.csv has all numbers. {self._logger.name} is tried again now and then."
            )

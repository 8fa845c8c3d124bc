"""Send a training to MLflow: a server, or a database file."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from cnnkit.runs import Run
from cnnkit.training.experiment_loggers.final_scores import final_scores

_AT_ONCE = 100  # parameters in one request: MLflow allows no more
_NOT_ALLOWED = r"[^A-Za-z0-9_\-. :/]"  # in the name of a parameter, which may be a class
_LONGEST = 6000  # characters of a parameter, likewise
_STATUS = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_SETTINGS = {  # unless the user has set them
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # a training should not wait for a server
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


class MlflowLogger:
    """One run of MLflow for one run of cnnkit.

    Args:
        tracking_uri: of a server, `http://...`, or a database, `sqlite:///mlflow.db`; None for
            MLFLOW_TRACKING_URI, or MLflow's own default.
        experiment: that the run belongs to.
    """

    name = "mlflow"

    def __init__(self, tracking_uri: str | None, experiment: str) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        from mlflow.exceptions import MlflowException  # takes seconds, so not before it is needed

        # It tells of the tables that it creates. Its import sets the level, so this comes after.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self.failures = (MlflowException, OSError)
        self._uri, self._experiment = tracking_uri, experiment
        self._client: Any = None
        self._id = ""
        self._sent_epochs = 0

    def start(self, run: Run, parameters: Mapping[str, str]) -> None:
        """Create a run of MLflow, or continue the one in run.json."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=self._uri)
        begun = run.info().get("loggers", {}).get(self.name)
        self._id = self._create(run) if begun is None else begun["run_id"]
        known = self._client.get_metric_history(self._id, "train_loss")
        self._sent_epochs = max((metric.step for metric in known), default=0)
        self._client.update_run(self._id, status="RUNNING")
        if self._client.get_run(self._id).data.params:
            return  # MLflow keeps them as they were first
        params = [
            Param(re.sub(_NOT_ALLOWED, "_", name), value[:_LONGEST])
            for name, value in parameters.items()
        ]
        for first in range(0, len(params), _AT_ONCE):
            self._client.log_batch(self._id, params=params[first : first + _AT_ONCE])

    def _create(self, run: Run) -> str:
        """Create a run of MLflow, note it in run.json, and return its id."""
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = (
            found.experiment_id if found else self._client.create_experiment(self._experiment)
        )
        tags = {"mlflow.source.name": "cnnkit train", "cnnkit.run": str(run.folder)}
        created = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        run.update(loggers={**run.info().get("loggers", {}), self.name: {"run_id": created}})
        return created

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Send rows of history.csv, except for epochs that MLflow has from before a resume."""
        for row in rows:
            epoch = int(row["epoch"])
            if epoch > self._sent_epochs:
                numbers = {name: value for name, value in row.items() if name != "epoch"}
                self._client.log_batch(self._id, metrics=_metrics(numbers, epoch))
                self._sent_epochs = epoch

    def finish(self, run: Run, status: str) -> None:
        """Send the scores and the files of a finished run, and the status."""
        if status == "finished":
            metrics = _metrics(final_scores(run), self._sent_epochs)
            self._client.log_batch(self._id, metrics=metrics)
            files = (run.config, run.classes, run.split, run.history, run.best, run.tflite)
            for file in (*files, run.plot("curves")):
                if file.is_file():
                    folder = file.parent.relative_to(run.folder).as_posix()
                    target = None if folder == "." else folder
                    self._client.log_artifact(self._id, str(file), artifact_path=target)
        self._client.set_terminated(self._id, status=_STATUS[status])


def _metrics(numbers: Mapping[str, float], step: int) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(name, float(value), now, step)
        for name, value in numbers.items()
        if math.isfinite(value)
    ]

"""MLflow and Trackio get the numbers of a training, and never end it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import write_tiny_images
from free_ports import free_ports
from notes import Notes
from training_commands import history_of

import cnnkit
from cnnkit.config import load_config
from cnnkit.errors import UsageError
from cnnkit.runs import Run
from cnnkit.training.experiment_loggers import logging_to

pytestmark = pytest.mark.usefixtures("no_pictures")
_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
model: {layers: [{conv: {filters: 4, kernel_size: 3}}, global_pool]}
training: {epochs: 2, tensorboard: false}
"""


def _needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)} is not installed")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)  # MLflow puts artifacts into the current folder
    write_tiny_images(tmp_path / "images", images_per_class=6)
    (tmp_path / "config.yaml").write_text(_CONFIG)
    return tmp_path


def _logged(client, run, name):
    run_id = run.info()["loggers"]["mlflow"]["run_id"]
    history = sorted(client.get_metric_history(run_id, name), key=lambda each: each.step)
    return [(each.step, each.value) for each in history]


@_needs("mlflow", "sqlalchemy")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_mlflow_has_parameters_metrics_by_epoch_scores_and_files_also_after_a_resume(folder):
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{folder}/mlflow.db"
    overrides = [f"training.loggers=[{{mlflow: {{tracking_uri: '{uri}', experiment: shapes}}}}]"]
    run = cnnkit.train(folder / "config.yaml", overrides=overrides, runs_folder=folder / "runs")
    client = MlflowClient(tracking_uri=uri)
    run_id = run.info()["loggers"]["mlflow"]["run_id"]
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED" and found.info.run_name == "config"
    assert client.get_experiment(found.info.experiment_id).name == "shapes"
    params = found.data.params
    assert params["training.epochs"] == "2"
    assert params["training.optimizer.adam.learning_rate"] == "0.001"
    assert params["model.layers.0.conv.filters"] == "4"
    rows = history_of(run)
    for name in ("train_loss", "val_accuracy"):
        assert _logged(client, run, name) == [(row["epoch"], row[name]) for row in rows]
    metrics = run.info()["metrics"]["test"]
    assert found.data.metrics["test_accuracy"] == pytest.approx(metrics["accuracy"])
    paths = [each.path for each in client.list_artifacts(run_id)]
    assert {"config.yaml", "history.csv", "model.tflite", "weights"} <= set(paths)
    resumed = cnnkit.resume(run.folder, overrides=["training.epochs=4"])
    assert resumed.info()["loggers"]["mlflow"]["run_id"] == run_id
    rows = history_of(resumed)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert _logged(client, run, "train_loss") == [(r["epoch"], r["train_loss"]) for r in rows]
    assert client.get_run(run_id).info.status == "FINISHED"


@_needs("mlflow")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_server_that_does_not_answer_is_named_once_and_the_training_goes_on(folder):
    from cnnkit.training.run import train

    (port,) = free_ports(1)
    uri = f"http://127.0.0.1:{port}"
    overrides = [f"training.loggers=[{{mlflow: {{tracking_uri: '{uri}'}}}}]"]
    report = Notes()
    config = load_config(folder / "config.yaml", overrides)
    run = train(config, name="alone", runs_folder=folder / "runs", report=report)
    assert run.info()["status"] == "finished" and len(history_of(run)) == 2
    (note,) = [text for text in report.notes if "mlflow" in text]
    assert note.startswith("mlflow does not work: ") and uri.removeprefix("http://")[:9] in note
    assert "history.csv has all numbers" in note


class _Server:
    """A server of MLflow, which needs the whole package, not only mlflow-skinny."""

    def __init__(self, folder):
        self._folder = folder
        (self._port,) = free_ports(1)
        self.uri = f"http://127.0.0.1:{self._port}"

    def __enter__(self):
        words = ["server", "--backend-store-uri", "sqlite:///server.db", "--port", str(self._port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--workers", "1"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while self._process.poll() is None:
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
            time.sleep(0.5)
        pytest.fail("the server ended")

    def __exit__(self, *_):
        os.killpg(self._process.pid, signal.SIGTERM)  # the server and its workers
        self._process.wait()


@_needs("mlflow", "flask")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_server_that_goes_away_and_comes_back_gets_all_epochs(folder, monkeypatch):
    from mlflow.tracking import MlflowClient

    server = _Server(folder)
    overrides = [f"training.loggers=[{{mlflow: {{tracking_uri: '{server.uri}'}}}}]"]
    with server:
        run = cnnkit.train(folder / "config.yaml", overrides=overrides, runs_folder=folder / "runs")
    report = Notes()
    config = load_config(folder / "config.yaml", overrides)
    monkeypatch.setattr("cnnkit.training.experiment_loggers.epoch_loggers._RETRY_SECONDS", 0)
    with contextlib.ExitStack() as later:
        with pytest.raises(KeyboardInterrupt), logging_to(config, run, report) as loggers:
            loggers.epoch_done({"epoch": 3, "train_loss": 0.3})  # nobody is there
            assert len(report.notes) == 1
            later.enter_context(server)
            loggers.epoch_done({"epoch": 4, "train_loss": 0.2})
            raise KeyboardInterrupt
        assert len(report.notes) == 1
        client = MlflowClient(tracking_uri=server.uri)
        run_id = run.info()["loggers"]["mlflow"]["run_id"]
        assert [step for step, _ in _logged(client, run, "train_loss")] == [1, 2, 3, 4]
        assert client.get_run(run_id).info.status == "KILLED"
        assert "model.tflite" in [each.path for each in client.list_artifacts(run_id)]


def test_rows_wait_until_a_logger_works_and_it_is_not_asked_all_the_time(monkeypatch, folder):
    sent, is_away = [], [True]

    class Other:
        name, failures = "other", (OSError,)

        def start(self, run, parameters):
            if is_away[0]:
                raise OSError("nobody there")

        def log(self, rows):
            sent.extend(row["epoch"] for row in rows)

        def finish(self, run, status):
            sent.append(status)

    module = "cnnkit.training.experiment_loggers.epoch_loggers"
    monkeypatch.setattr(f"{module}._KINDS", {"mlflow": lambda **_: Other()})
    config = load_config(folder / "config.yaml", ["training.loggers=[mlflow]"])
    report = Notes()
    with logging_to(config, Run(folder), report) as loggers:
        loggers.epoch_done({"epoch": 1})
        is_away[0] = False
        loggers.epoch_done({"epoch": 2})  # not tried again so soon
        assert sent == []
        monkeypatch.setattr(f"{module}._RETRY_SECONDS", 0)
        loggers.epoch_done({"epoch": 3})
        assert sent == [1, 2, 3]
    assert sent[-1] == "finished"
    assert report.notes == [
        "other does not work: nobody there. The training goes on, and history.csv has all numbers. "
        "other is tried again now and then."
    ]


@_needs("trackio")
@pytest.mark.slow
def test_trackio_keeps_the_epochs_in_a_local_file_and_stdout_stays_clean(folder):
    words = ["train", "config.yaml", "--json", "--set", "training.loggers=[{trackio: shapes}]"]
    environment = {"TRACKIO_DIR": str(folder / "trackio"), "HF_HUB_OFFLINE": "1"}
    output = _command(words, folder, environment)
    assert json.loads(output)["status"] == "finished"
    more = ["train", "--resume", "runs/config", "--epochs", "3", "--json"]
    assert json.loads(_command(more, folder, environment))["status"] == "finished"
    code = (
        "import json, trackio\n"
        "from trackio.sqlite_storage import SQLiteStorage\n"
        "(run,) = trackio.Api().runs('shapes')\n"
        "print(json.dumps([run.name, run.config, SQLiteStorage.get_logs('shapes', run.name)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(environment), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    name, config, logs = json.loads(done.stdout.splitlines()[-1])
    assert name == "config" and config["training.epochs"] in ("2", "3")
    losses = [each["train_loss"] for each in logs if "train_loss" in each]
    rows = history_of(Run(folder / "runs" / "config"))
    assert losses == pytest.approx([row["train_loss"] for row in rows])
    assert any("test_accuracy" in each for each in logs)


def _environment(more):
    return {**os.environ, **more}


def _command(words, folder, environment):
    done = subprocess.run(
        [sys.executable, "-m", "cnnkit", *words],
        cwd=folder,
        env=_environment(environment),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_logger_that_is_not_installed_is_refused_before_anything_else(folder, monkeypatch):
    module = "cnnkit.training.experiment_loggers.epoch_loggers.find_spec"
    monkeypatch.setattr(module, lambda name: None)
    overrides = ["training.loggers=[trackio]", "data.source=nowhere"]
    with pytest.raises(UsageError, match=r"pip install 'cnnkit\[trackio\]'"):
        cnnkit.train(folder / "config.yaml", overrides=overrides, runs_folder=folder / "runs")
    with pytest.raises(UsageError, match='unknown logger "wandb"'):
        load_config(folder / "config.yaml", ["training.loggers=[wandb]"])

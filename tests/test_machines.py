"""Several machines train together: real processes that talk over the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from free_ports import free_ports
from interrupted_runs import assert_same_run
from training_commands import history_of

import cnnkit
from cnnkit.runs import find_run

pytestmark = pytest.mark.slow
_SECONDS = 600  # after which something hangs

_CONFIG = """
data: {source: digits, image_size: [8, 8], color_mode: grayscale, batch_size: 41}
augmentation: [random_rotation: 0.05]
model:
  layers:
    - conv: {filters: 4, kernel_size: 3, activation: relu}
    - flatten
    - dense: {units: 16, activation: relu}
training:
  epochs: 9
  optimizer: {sgd: {learning_rate: 0.02, momentum: 0.9}}
  tensorboard: false
"""
# Keras's own `fit`, as TensorFlow's tutorial on several machines has it.
_KERAS_FIT = """
import numpy as np
from cnnkit.backend import keras, tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
batches = tf.data.Dataset.from_tensor_slices((np.ones((8, 2)), np.ones((8, 1)))).batch(4)
try:
    model.fit(batches, verbose=0)
except ValueError as error:
    print(error)
else:
    print("it works")
"""


def _temporary(folder):
    return folder / "temporary"  # one of its own: other tests and programs use the common one


class _Machines:
    """Two processes with the same command."""

    def __init__(self, folder, *words):
        self.folder = folder
        temporary = _temporary(folder)
        temporary.mkdir(exist_ok=True)
        ports = free_ports(2)
        addresses = [f"127.0.0.1:{port}" for port in ports]
        self.processes = []
        for index in range(2):
            task = {"type": "worker", "index": index}
            value = {"cluster": {"worker": addresses}, "task": task}
            environment = {
                **os.environ,
                "TF_CONFIG": json.dumps(value),
                "TF_NUM_INTRAOP_THREADS": "1",
                "TMPDIR": str(temporary),
            }
            with self._errors(index).open("wb") as errors, self._output(index).open("wb") as output:
                self.processes.append(
                    subprocess.Popen(
                        [sys.executable, *words],
                        env=environment,
                        stdout=output,
                        stderr=errors,
                        cwd=folder,
                    )
                )

    def _errors(self, index):
        return self.folder / f"errors-{index}.txt"

    def _output(self, index):
        return self.folder / f"output-{index}.txt"

    def wait_for_epoch(self, number):
        """Wait until machine 0 says that an epoch is over."""
        end = time.monotonic() + _SECONDS
        while (
            f"epoch {number}/" not in self._errors(0).read_text()
            and self.processes[0].poll() is None
            and time.monotonic() < end
        ):
            time.sleep(0.1)

    def ended(self):
        """Return exit codes, and what was written to stderr and stdout."""
        try:
            codes = [process.wait(_SECONDS) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
        errors = [self._errors(index).read_text() for index in range(2)]
        return codes, errors, [self._output(index).read_text() for index in range(2)]


def _train(folder, *words):
    return _Machines(folder, "-m", "cnnkit", "train", *words)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder of a training on two machines."""
    folder = tmp_path_factory.mktemp("machines")
    (folder / "digits.yaml").write_text(_CONFIG)
    codes, errors, output = _train(folder, "digits.yaml", "--name", "whole").ended()
    assert codes == [0, 0], errors
    assert ", 2 devices of 2 machines share each batch" in errors[0]
    assert "machine 1 (127.0.0.1:" in errors[1] and "helps machine 0" in errors[1]
    assert "has helped to train 9 epochs. Machine 0" in output[1]
    assert not list(_temporary(folder).glob("cnnkit-*"))
    return folder


def test_two_machines_learn_what_one_does_and_write_one_run(whole):
    # Not also whole-2, by the other machine; other tests have written runs of other names.
    assert [path.name for path in (whole / "runs").glob("whole*")] == ["whole"]
    run = find_run("whole", whole / "runs")
    assert run.info()["devices"] == {"number": 2, "machines": 2}
    one = cnnkit.train(whole / "digits.yaml", runs_folder=whole / "one")
    for first, other in zip(history_of(one), history_of(run), strict=True):
        for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
            assert other[name] == pytest.approx(first[name], rel=1e-3), name
    assert run.tflite.is_file() and run.report.is_file()


def test_a_killed_machine_ends_the_other_and_the_training_is_resumed(whole):
    machines = _train(whole, "digits.yaml", "--name", "killed")
    machines.wait_for_epoch(2)
    machines.processes[1].kill()
    codes, errors, _ = machines.ended()
    assert codes == [1, -signal.SIGKILL]
    assert "127.0.0.1:" in errors[0] and "has ended, or cannot be reached." in errors[0]
    assert "To continue: cnnkit train --resume runs/killed" in errors[0]
    assert "Traceback" not in errors[0]
    killed = find_run("killed", whole / "runs")
    assert killed.info()["status"] == "failed"
    codes, errors, _ = _train(whole, "--resume", "runs/killed").ended()
    assert codes == [0, 0], errors
    assert_same_run(killed, find_run("whole", whole / "runs"))


def test_sigterm_on_one_machine_stops_all_after_the_same_step(whole):
    machines = _train(whole, "digits.yaml", "--name", "stopped")
    machines.wait_for_epoch(2)
    machines.processes[1].terminate()
    codes, errors, _ = machines.ended()
    assert codes == [130, 130], errors
    stopped = find_run("stopped", whole / "runs")
    assert stopped.info()["status"] == "interrupted" and stopped.info()["stopped"]
    codes, errors, _ = _train(whole, "--resume", "runs/stopped").ended()
    assert codes == [0, 0], errors
    assert_same_run(stopped, find_run("whole", whole / "runs"))


def test_a_machine_that_does_not_answer_is_given_up(whole):
    machines = _train(whole, "digits.yaml", "--name", "hung", "--set", "runtime.wait_minutes=1")
    machines.wait_for_epoch(1)
    os.kill(machines.processes[1].pid, signal.SIGSTOP)
    code = machines.processes[0].wait(_SECONDS)
    machines.processes[1].kill()
    _, errors, _ = machines.ended()
    assert code == 1
    # TensorFlow's own heartbeat may notice it first.
    lost = "did not answer within 1 minutes (runtime.wait_minutes)", "has ended, or cannot be"
    assert any(text in errors[0] for text in lost), errors[0]
    assert "To continue: cnnkit train --resume runs/hung" in errors[0]


def test_machines_that_would_train_different_things_are_refused(whole):
    code = (
        "import json, os, sys; from cnnkit.cli import main; "
        "index = json.loads(os.environ['TF_CONFIG'])['task']['index']; "
        "main(['train', 'digits.yaml', '--name', 'x', '--seed', str(index)])"
    )
    codes, errors, _ = _Machines(whole, "-c", code).ended()
    assert codes == [2, 2], errors
    assert all("The machines of TF_CONFIG do not train the same." in one for one in errors)
    assert not (whole / "runs" / "x").exists()


def test_keras_fit_still_fails_on_several_machines(tmp_path):
    """If it works, see whether cnnkit/training/replicated_model.py is still needed."""
    codes, errors, output = _Machines(tmp_path, "-c", _KERAS_FIT).ended()
    assert codes == [0, 0], errors
    assert all("PerReplica" in one for one in output)

"""Trainings on several logical CPU devices, in a process of their own.

TensorFlow fixes its devices when it computes for the first time, so a test process cannot have
several after other tests. Users could do the same in a program of theirs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_DIGITS = """
data: {source: digits, image_size: [8, 8], color_mode: grayscale, batch_size: 289}
augmentation: [random_rotation: 0.05, mixup: 0.2]
model:
  layers:
    - conv: {filters: 4, kernel_size: 3, use_bias: false, kernel_regularizer: {l2: 0.001}}
    - batch_norm: {synchronized: true}
    - activation: relu
    - flatten
    - dense: {units: 16, activation: relu}
training:
  epochs: 3
  class_weights: {"0": 2.0, "1": 1.0, "2": 1.0, "3": 1.0, "4": 1.0, "5": 1.0, "6": 1.0, "7": 1.0,
    "8": 1.0, "9": 1.0}
  optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9, clipnorm: 0.3}}
  tensorboard: false
"""
# Its parts are normalised by themselves, and it has dropout.
_OWN_NUMBERS = _DIGITS.replace("{synchronized: true}", "{}").replace(
    "- flatten", "- flatten\n    - dropout: 0.3"
)

_ACCUMULATION = ["training.optimizer={sgd: {learning_rate: 0.1, gradient_accumulation_steps: 2}}"]


def train_on_four(folder):
    """Train in a new process with four logical CPU devices; the runs are in the folder."""
    (folder / "digits.yaml").write_text(_DIGITS)
    (folder / "own.yaml").write_text(_OWN_NUMBERS)
    # Its last batch has three images for four devices.
    tail = _OWN_NUMBERS.replace("batch_size: 289", "batch_size: 359").replace(
        "epochs: 3", "epochs: 1\n  film: true"
    )
    (folder / "tail.yaml").write_text(tail)
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def found_in(folder):
    return json.loads((folder / "found.json").read_text())


def main(folder):
    from cnnkit.backend import tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    from interrupted_runs import InterruptedReport

    import cnnkit
    from cnnkit.config import load_config
    from cnnkit.errors import CnnkitError
    from cnnkit.training.run import resume, train

    runs = folder / "runs"
    for name, config, devices in (
        ("one", "digits", "auto"),
        ("four", "digits", "all"),
        ("whole", "own", "all"),
        ("few", "tail", "all"),
    ):
        overrides = [f"runtime.devices={devices}"]
        cnnkit.train(folder / f"{config}.yaml", name=name, runs_folder=runs, overrides=overrides)
    try:
        config = load_config(folder / "own.yaml", ["runtime.devices=all"])
        train(config, name="cut", runs_folder=runs, report=InterruptedReport(1))
    except KeyboardInterrupt as interrupt:
        texts = [str(interrupt)]
    try:
        resume(runs / "cut", overrides=["runtime.devices=auto"])
    except CnnkitError as error:
        texts.append(str(error))
    try:
        config = load_config(folder / "digits.yaml", ["runtime.devices=all", *_ACCUMULATION])
        train(config, name="accumulated", runs_folder=runs)
    except CnnkitError as error:
        texts.append(str(error))
    resume(runs / "cut")
    resume(
        runs / "few",
        overrides=["training.epochs=2", "runtime.devices=cpu"],
        allow_changed=["runtime.devices"],
    )
    found = {"texts": texts, "random": _random_numbers(tf)}
    (folder / "found.json").write_text(json.dumps(found))


def _random_numbers(tf):
    """Return what each device draws in a step, and the state that it leaves."""
    import keras

    from cnnkit.training.replica_step import _move_seeds
    from cnnkit.training.training_devices import _mirrored

    strategy = _mirrored(tuple(each.name for each in tf.config.list_logical_devices("CPU")))
    with strategy.scope():
        generator = keras.random.SeedGenerator(5)

    @tf.function
    def step():
        context = tf.distribute.get_replica_context()
        _move_seeds([generator.state], context, 1)
        drawn = keras.random.uniform((), seed=generator)
        _move_seeds([generator.state], context, -1)
        return drawn, tf.identity(generator.state.value)

    drawn, states = strategy.run(step)
    return {
        "drawn": [float(one) for one in strategy.experimental_local_results(drawn)],
        "states": [one.numpy().tolist() for one in strategy.experimental_local_results(states)],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

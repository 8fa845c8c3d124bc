"""A model that does not fit into memory is refused; a batch is computed in parts, to one effect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import write_tiny_images
from interrupted_runs import history_of

import cnnkit
from cnnkit.runs import find_run
from cnnkit.text import size_text

_CONFIG = """
data: {source: images, image_size: 128, batch_size: 40, split: {validation: 0.2, test: 0.1}}
model: {layers: [conv: {filters: 64, kernel_size: 3, padding: same}, global_pool]}
training: {epochs: 2, tensorboard: false}
"""


@pytest.mark.parametrize("sigmoid", [False, True])
def test_a_step_in_parts_changes_the_weights_as_one_with_the_whole_batch(sigmoid):
    from cnnkit.backend import keras
    from cnnkit.training.split_batches import split_batch_model

    def compiled(parts):
        image = keras.Input((4, 4, 1))
        hidden = keras.layers.Flatten()(image)
        units, activation = (1, "sigmoid") if sigmoid else (3, "softmax")
        penalty = keras.regularizers.L2(0.1)
        output = keras.layers.Dense(units, activation, kernel_regularizer=penalty)(hidden)
        model = keras.Model(image, output)
        model.set_weights([np.ones((16, units)) * 0.1 * np.arange(units), np.zeros(units)])
        model = split_batch_model(model, 4) if parts else model
        loss = "binary_crossentropy" if sigmoid else "categorical_crossentropy"
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=0.5)
        model.compile(optimizer, loss=loss, metrics=["accuracy"])
        return model

    random = np.random.default_rng(0)
    images = random.normal(size=(10, 4, 4, 1)).astype("float32")  # parts of 4, 4 and 2
    labels = random.integers(0, 2 if sigmoid else 3, 10)
    targets = labels[:, None].astype("float32") if sigmoid else np.eye(3, dtype="float32")[labels]
    weights = random.uniform(0.5, 2, 10).astype("float32")
    whole, split = compiled(False), compiled(True)
    for _ in range(2):  # the second step sees the momentum
        logs = [
            model.train_on_batch(images, targets, weights, return_dict=True)
            for model in (whole, split)
        ]
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)
    for one, other in zip(whole.get_weights(), split.get_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert int(split.optimizer.iterations) == 2


@pytest.fixture(scope="module")
def limited_run(tmp_path_factory):
    """Return (stderr, run) of a training that got 200 MB of TensorFlow's own allocator for GPUs.

    The outputs of the convolution alone take 168 MB per batch. TensorFlow raises the error that it
    raises on a GPU without memory; oneDNN is off because it ends the process instead.
    """
    folder = tmp_path_factory.mktemp("limited")
    write_tiny_images(folder / "images", images_per_class=22)
    (folder / "c.yaml").write_text(_CONFIG)
    limits = {"TF_CPU_ALLOCATOR_USE_BFC": "true", "TF_CPU_BFC_MEM_LIMIT_IN_MB": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "cnnkit", "train", "c.yaml", "--json"],
        cwd=folder,
        env={**os.environ, **limits, "TF_ENABLE_ONEDNN_OPTS": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr, find_run("c", folder / "runs")


def test_a_batch_that_does_not_fit_is_halved_and_the_training_says_so(limited_run):
    stderr, run = limited_run
    assert (
        "The memory is not enough for batches of 40 images. Each batch of 40 is now computed in 2 "
        "parts, whose gradients are added: learning rate and number of steps stay as they are.\n"
    ) in stderr
    assert "Traceback" not in stderr
    assert run.info()["batch_parts"] in (2, 4, 8)
    assert run.info()["status"] == "finished"


def test_the_curve_is_that_of_whole_batches(limited_run, tmp_path):
    _, run = limited_run
    whole = cnnkit.train(run.folder.parent.parent / "c.yaml", runs_folder=tmp_path)
    parts, all_at_once = history_of(run), history_of(whole)
    assert [row["epoch"] for row in parts] == [row["epoch"] for row in all_at_once] == ["1", "2"]
    for one, other in zip(parts, all_at_once, strict=True):
        for column in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
            assert float(one[column]) == pytest.approx(float(other[column]), rel=1e-3)
    assert "batch_parts" not in whole.info()


def test_a_resumed_training_keeps_the_parts(limited_run, tmp_path):
    _, run = limited_run
    copy = shutil.copytree(run.folder, tmp_path / "copy")  # other tests read the run as it is
    again = cnnkit.resume(copy, overrides=["training.epochs=3"])
    assert again.info()["batch_parts"] == run.info()["batch_parts"]
    assert len(history_of(again)) == 3


def test_halving_ends_after_three_times_and_with_single_images():
    from cnnkit.backend import tf
    from cnnkit.training.split_batches import is_halving_useful

    with pytest.raises(tf.errors.ResourceExhaustedError) as caught:
        tf.zeros((1 << 40, 1 << 10))
    assert is_halving_useful(caught.value, 32, 1)
    assert is_halving_useful(caught.value, 32, 4)
    assert not is_halving_useful(caught.value, 32, 8)
    assert not is_halving_useful(caught.value, 1, 1)
    assert not is_halving_useful(ValueError("OOM"), 32, 1)
    full_disk = tf.errors.ResourceExhaustedError(None, None, "f.v2; No space left on device")
    assert not is_halving_useful(full_disk, 32, 1)


@contextmanager
def _memory_group(gigabytes):
    """Yield a control group with so much memory, as a container or a job has."""
    group = _new_group(str(gigabytes * 2**30))
    try:
        yield group
    finally:
        group.rmdir()


def _new_group(num_bytes):
    """Return a new control group; skip the test if that is not allowed."""
    for root, limit in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        group = Path("/sys/fs/cgroup", root, f"cnnkit_test_{os.getpid()}")
        with suppress(OSError):
            group.mkdir()
            try:
                (group / limit).write_text(num_bytes)
            except OSError:
                group.rmdir()
                raise
            return group
    pytest.skip("a control group needs the rights of the administrator")


def test_a_model_that_exceeds_the_memory_of_a_container_is_refused(tmp_path):
    """Its 537 million weights with Adam's averages take 6.5 GB, which the computer may have."""
    write_tiny_images(tmp_path / "images")
    (tmp_path / "c.yaml").write_text(_CONFIG)
    layers = "model.layers=[flatten, {dense: {units: 700000}}]"
    with _memory_group(2) as group:
        train = f"{sys.executable} -m cnnkit train c.yaml --dry-run"
        settings = f"--set data.image_size=16 --set '{layers}'"
        command = f"echo $$ > {group}/cgroup.procs && exec {train} {settings}"
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("The model does not fit into memory. Training needs about 8.8 GB")
    allowed = size_text(2 * 2**30 + psutil.swap_memory().total)
    assert f"this computer has {allowed}" in done.stderr
    assert "lower the units of the layer dense" in done.stderr

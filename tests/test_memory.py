"""Models and batches that do not fit: one sentence, before the start if possible."""

from __future__ import annotations

import json
import shutil

import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from conftest import write_tiny_images

import cnnkit.explore.memory_need as memory_need
import cnnkit.training.loop as loop
from cnnkit import memory
from cnnkit.cli import main
from cnnkit.errors import DataError, OutOfMemoryError
from cnnkit.memory import computer_memory, explaining_lack_of_memory, free_memory, is_out_of_memory
from cnnkit.runs import Run

_HUGE_DENSE = "model: {layers: [flatten, dense: {units: 1000000000}]}"
_HUGE_MAPS = "model: {layers: [conv: {filters: 512, kernel_size: 3}, global_pool]}"
_HUGE_BATCH = "model: {layers: [conv: {filters: 64, kernel_size: 3, padding: same}, global_pool]}"
_SMALL = "model: {layers: [flatten]}"


@pytest.fixture(autouse=True)
def _a_computer_of_16_gb(monkeypatch):
    for module in (memory, memory_need):
        monkeypatch.setattr(module, "computer_memory", lambda: 16 * 10**9)
        monkeypatch.setattr(module, "free_memory", lambda: 16 * 10**9)


def _config(tmp_path, model, image_size=16, batch_size=32):
    write_tiny_images(tmp_path / "images", images_per_class=12)
    data = f"data: {{source: images, image_size: {image_size}, batch_size: {batch_size}}}"
    path = tmp_path / "c.yaml"
    path.write_text(f"{data}\n{model}\ntraining: {{epochs: 1, tensorboard: false}}\n")
    return path


def _fails(*words):
    """Return the text of a command that fails as users see it, without a traceback."""
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code in (1, 2), done.output
    assert "Traceback" not in done.output
    return done


@pytest.mark.parametrize(
    ("model", "image_size", "expected"),
    [
        (
            _HUGE_DENSE,
            16,
            "needs about 12.6 TB, and this computer has 16.0 GB: lower the units of ",
        ),
        (_HUGE_DENSE, 16, "the layer dense (output 1000000000), which has 100% of the weights"),
        (_HUGE_MAPS, 3000, "lower data.batch_size (now 32), data.image_size (now 3000 x 3000)"),
        (_HUGE_MAPS, 3000, "the filters of the layer conv (output 2998 x 2998 x 512)"),
        (_HUGE_BATCH, 2000, "data.batch_size (now 32; 7 may fit)"),
    ],
)
@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_a_training_that_cannot_fit_is_refused_before_an_image_is_read(
    model, image_size, expected, option, tmp_path
):
    path = _config(tmp_path, model, image_size)
    for image in (tmp_path / "images").rglob("*.png"):
        image.write_bytes(b"not an image")  # reading one would fail with another message
    done = _fails("train", path, *option, "--runs-folder", tmp_path / "runs")
    assert done.exit_code == 2
    assert expected in done.output
    assert done.output.startswith("The model does not fit into memory. Training needs")
    assert done.output.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_pixels_that_cannot_fit_are_refused_for_a_backbone_too(tmp_path):
    path = _config(tmp_path, "model: {backbone: {name: MobileNetV2, weights: none}}", 9000)
    done = _fails("train", path, "--dry-run")
    assert done.exit_code == 2
    assert "The pixels of 32 images of 9000 x 9000 need 38.9 GB" in done.output
    assert "lower data.batch_size or data.image_size" in done.output


def test_build_refuses_weights_that_cannot_fit(tmp_path):
    done = _fails("build", _config(tmp_path, _HUGE_DENSE), "-o", tmp_path / "m.keras")
    assert "The weights need 3.1 TB, and this computer has 16.0 GB: lower the units" in done.output
    assert not (tmp_path / "m.keras").exists()


def test_a_batch_has_no_more_images_than_there_are(tmp_path):
    """`batch_size: 1000000` stands for "all at once" and must not be refused."""
    path = _config(tmp_path, _HUGE_BATCH, batch_size=10**6)
    done = CliRunner().invoke(main, ["train", str(path), "--dry-run"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "The memory may not be enough" not in done.output


def test_a_training_that_may_not_fit_is_only_warned_of(tmp_path, monkeypatch):
    path = _config(tmp_path, "model: {layers: [flatten, dense: 100]}")
    # 77,103 weights with Adam need at least 0.9 MB, and with their gradients 1.2 MB.
    monkeypatch.setattr(memory_need, "computer_memory", lambda: 1_000_000)
    done = CliRunner().invoke(main, ["train", str(path), "--dry-run"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "The memory may not be enough. Training needs about 1.3 MB" in done.output


# TensorFlow tries for ten seconds.
@pytest.mark.parametrize("command", [pytest.param("build", marks=pytest.mark.slow), "train"])
def test_what_tensorflow_cannot_allocate_is_one_sentence(command, tmp_path, monkeypatch):
    """TensorFlow itself is asked for terabytes here."""
    monkeypatch.setattr(memory_need, "computer_memory", lambda: None)
    path = _config(tmp_path, _HUGE_DENSE)
    where = ("-o", tmp_path / "m.keras") if command == "build" else ("--runs-folder", tmp_path)
    done = _fails(command, path, *where)
    assert "There is not enough memory. The weights need 3.1 TB" in done.output
    assert done.output.count("\n") <= 3  # the lines before it are those of reading images


@pytest.mark.parametrize("error", ["tensorflow", "numpy"])
def test_a_training_that_runs_out_of_memory_says_what_to_lower(error, tmp_path, monkeypatch):
    def epoch(*args):
        if error == "numpy":
            raise MemoryError("Unable to allocate 3 TiB")
        from cnnkit.backend import tf

        page = "Graph execution error:\n" + "a line of the traceback\n" * 100
        raise tf.errors.ResourceExhaustedError(None, None, f"{page}OOM when allocating tensor")

    monkeypatch.setattr(loop, "train_epoch", epoch)
    done = _fails("train", _config(tmp_path, _SMALL), "--runs-folder", tmp_path / "runs")
    assert done.exit_code == 1
    sentence, *kept = done.output.splitlines()[-2:]
    assert sentence.startswith("There is not enough memory. Training needs about")
    assert kept[0].startswith("No epoch has ended, so there are no weights to keep. To start again")
    assert "data.batch_size (now 32)" in sentence or "the layer output" in sentence
    info = json.loads((tmp_path / "runs" / "c" / "run.json").read_text())
    assert info["status"] == "failed"
    assert info["error"] == sentence


def test_run_json_keeps_no_page_of_an_unexpected_error(tmp_path):
    run = Run(tmp_path)
    with pytest.raises(ValueError), run.recording():
        raise ValueError("Graph execution error:\n" + "a line\n" * 1000 + "the reason")
    error = json.loads((tmp_path / "run.json").read_text())["error"]
    assert error.startswith("Graph execution error: a line")
    assert error.endswith("the reason")
    assert len(error) < 500
    assert "\n" not in error


def _raise_oom(*args, **kwargs):
    from cnnkit.backend import tf

    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\n" * 50)


@pytest.mark.parametrize("command", ["predict", "evaluate", "export"])
def test_a_model_that_does_not_fit_is_one_sentence(command, trained_run, tmp_path, monkeypatch):
    import cnnkit.export.original as original
    import cnnkit.model.mirrored_model as mirrored_model
    from cnnkit.backend import keras

    shutil.copytree(trained_run.folder, tmp_path / "runs" / "tiny")
    run = Run(tmp_path / "runs" / "tiny")
    model = keras.Sequential([keras.layers.Dense(len(run.class_names())), keras.layers.Softmax()])
    model.build((None, 1))
    monkeypatch.setattr(type(model), "__call__", _raise_oom)
    monkeypatch.setattr(mirrored_model, "load_keras_model", lambda path: model)
    monkeypatch.setattr(original, "load_answering_model", _raise_oom)
    write_tiny_images(tmp_path / "images", images_per_class=1)
    images = [tmp_path / "images" / "red" / "0.png"] if command == "predict" else []
    chosen = [run.folder] if command == "export" else ["--model", run.best]
    done = _fails(command, *images, *chosen)
    assert done.exit_code == 1
    assert "There is not enough memory. " in done.output
    assert "best.keras" in done.output.splitlines()[-1]
    assert "this computer has 16.0 GB" in done.output.splitlines()[-1]


def test_any_other_command_names_the_lack_of_memory_too(tmp_path, monkeypatch):
    import cnnkit.explore.summarize as summarize_module

    monkeypatch.setattr(summarize_module, "summarize", _raise_oom)
    assert "There is not enough memory." in _fails("summary", tmp_path / "c.yaml").output


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("Failed to allocate memory for requested buffer of size 4096"), True),
        (RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"), True),
        (ValueError("array is too big; `arr.size * arr.dtype.itemsize` is larger"), True),
        (ValueError("Shape [768,10] would have more than 2**63 - 1 elements"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ValueError("the room is dark"), False),
        (DataError("photos/OOM/1.jpg cannot be read"), False),
        (RuntimeError("No space left on device"), False),
    ],
)
def test_errors_that_mean_a_lack_of_memory(error, expected):
    assert is_out_of_memory(error) is expected
    wrapped = KeyError("while calling a layer")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped) is expected


def test_an_error_of_ours_keeps_its_own_text():
    with pytest.raises(DataError, match="photos"), explaining_lack_of_memory(lambda: "no"):
        raise DataError("photos cannot be read")


def test_numpy_s_error_is_explained():
    with (
        pytest.raises(OutOfMemoryError, match="lower it"),
        explaining_lack_of_memory(lambda: "lower it"),
    ):
        np.zeros(2**62)


def test_the_memory_of_this_computer_is_found(monkeypatch, tmp_path):
    monkeypatch.undo()
    found = computer_memory()
    assert found is None or found > 10**8
    if found is None:
        return
    group = tmp_path / "memory"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text("123456789\n")
    (group / "memory.usage_in_bytes").write_text("100000000\n")
    (group / "memory.stat").write_text("cache 7\ntotal_inactive_file 10000000\n")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    assert computer_memory() == 123456789 + memory._swap_space()
    assert free_memory() == 33456789 + psutil.swap_memory().free
    monkeypatch.setattr(memory, "_address_space", lambda: 1000)  # `ulimit -v`
    assert computer_memory() == 1000
    assert free_memory() == 0


def test_a_training_that_needs_more_than_is_free_is_refused(tmp_path, monkeypatch):
    path = _config(tmp_path, "model: {layers: [flatten, dense: 100]}")
    monkeypatch.setattr(memory_need, "free_memory", lambda: 500_000)
    done = _fails("train", path, "--dry-run")
    assert done.exit_code == 2
    assert "The model does not fit into the free memory. Training needs about 1.3 MB" in done.output
    assert "Now 500.0 kB are free: close other programs to have more." in done.output

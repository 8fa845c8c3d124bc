"""The film of a training: its numbers are those of the weights, and resuming loses no frame."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from conftest import write_tiny_images
from interrupted_runs import (
    AVERAGES_CONFIG,
    PHASES_CONFIG,
    PLAIN_CONFIG,
    InterruptedReport,
    history_of,
    interrupted_run,
    weights_of,
)
from sklearn.metrics import confusion_matrix

import cnnkit
from cnnkit.config import load_config
from cnnkit.errors import CnnkitError
from cnnkit.runs import Run, find_run
from cnnkit.runs.run_files import contents_of
from cnnkit.training.film.film_page import levels_of
from cnnkit.training.film.filming import smaller_maps
from cnnkit.training.film.frames import MOST_FRAMES, Frames, kept_epochs
from cnnkit.training.run import resume, train

pytestmark = pytest.mark.usefixtures("no_pictures")
_CONV = "conv: {filters: 4, kernel_size: 3}"
_CONFIGS = {
    "plain": PLAIN_CONFIG.replace("epochs: 7", "epochs: 4\n  film: true"),
    "unfilmed": PLAIN_CONFIG.replace("epochs: 7", "epochs: 4"),
    "averages": AVERAGES_CONFIG.replace("epochs: 7", "epochs: 2\n  film: true"),
    "phases": PHASES_CONFIG.replace("epochs: 3", "epochs: 1")
    .replace("epochs: 4", "epochs: 2")
    .replace("schedule: cosine", "film: true"),
}


@pytest.fixture(scope="module")
def filmed(made_once):
    """Return a folder with images and a run for each config, most of them filmed."""

    def fill(folder):
        write_tiny_images(folder / "images", images_per_class=10)
        (folder / "start.yaml").write_text(PLAIN_CONFIG)
        cnnkit.train(
            folder / "start.yaml", runs_folder=folder / "runs", overrides=["training.epochs=1"]
        )
        for name, text in _CONFIGS.items():
            (folder / f"{name}.yaml").write_text(text)
            cnnkit.train(folder / f"{name}.yaml", runs_folder=folder / "runs")

    return made_once("filmed", fill)


def _frames(run):
    with np.load(run.film.with_suffix(".npz")) as file:
        return {name: file[name] for name in file.files}


def _labels_and_pixels(run, split):
    from cnnkit.data.pixels import read_pixels
    from cnnkit.runtimes import info_of_keras

    info, rows = info_of_keras(run.last), [r for r in run.read_split() if r["split"] == split]
    images = run.folder.parents[1] / "images"
    pixels = np.stack([read_pixels(str(images / row["path"]), info.pixels) for row in rows])
    return [info.class_names.index(row["label"]) for row in rows], pixels


@pytest.mark.parametrize("name", ["plain", "averages", "phases"])
def test_the_last_frame_is_what_the_saved_weights_compute(filmed, name):
    from cnnkit.backend import keras

    run = find_run(name, filmed / "runs")
    model = keras.models.load_model(run.last, compile=False)
    labels, pixels = _labels_and_pixels(run, "validation")
    answers = np.asarray(model(pixels, training=False))
    frames = _frames(run)
    matrix = confusion_matrix(labels, answers.argmax(axis=1), labels=range(3))
    assert frames["confusion"][-1].tolist() == matrix.tolist()
    assert np.allclose(frames["answer"][-1], answers[0], atol=1e-6)
    conv = next(
        layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Conv2D)
    )
    assert np.array_equal(frames["filters"][-1], conv.kernel.numpy()[:, :, :3])


def test_the_maps_are_those_after_normalisation_and_activation(filmed):
    from cnnkit.backend import keras

    run = find_run("plain", filmed / "runs")
    model = keras.models.load_model(run.last, compile=False)
    relu = next(layer for layer in model.layers if layer.name.startswith("activation"))
    maps = keras.Model(model.input, relu.output)(_labels_and_pixels(run, "validation")[1][:1])
    frames = _frames(run)
    assert np.allclose(frames["maps_0"][-1], np.asarray(maps)[0], atol=1e-6)
    assert "maps_1" not in frames  # the first convolution is also the last one
    assert frames["maps_0"][-1].min() == 0 < frames["maps_0"][-1].max()


@pytest.mark.parametrize("name", ["plain", "averages", "phases"])
def test_the_diagonal_of_every_frame_is_the_accuracy_of_its_epoch(filmed, name):
    run = find_run(name, filmed / "runs")
    frames = _frames(run)
    with run.history.open() as file:
        accuracies = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
    assert frames["epochs"].tolist() == list(range(1, len(accuracies) + 1))
    found = [np.trace(matrix) / matrix.sum() for matrix in frames["confusion"]]
    assert np.allclose(found, accuracies)


def test_the_filters_of_a_backbone_move_only_while_it_learns(filmed):
    head, *backbone, last = _frames(find_run("phases", filmed / "runs"))["filters"]
    assert len(backbone) == 2 and not np.array_equal(head, backbone[-1])
    # The last phase begins with the best weights so far, and trains the head alone.
    assert any(np.array_equal(last, each) for each in (head, *backbone))


def test_a_film_does_not_change_the_training(filmed):
    film, plain = (find_run(name, filmed / "runs") for name in ("plain", "unfilmed"))
    assert (
        film.film.is_file()
        and not plain.film.exists()
        and not plain.film.with_suffix(".npz").exists()
    )
    for path in ("weights/last.keras", "weights/best.keras"):
        pairs = zip(weights_of(film.folder / path), weights_of(plain.folder / path), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)
    assert history_of(film) == history_of(plain)
    assert film.tflite.read_bytes() == plain.tflite.read_bytes()


def test_a_resumed_training_has_the_film_of_one_in_one_go(filmed, tmp_path):
    run, _ = interrupted_run(filmed / "plain.yaml", tmp_path, 2)
    assert '"num_epochs": 2' in run.film.read_text()  # also after Ctrl-C
    assert _frames(run)["epochs"].tolist() == [1, 2]
    # As after a kill between the frame and the backup: this epoch is trained again.
    ahead = _frames(run)
    ahead["epochs"] = np.append(ahead["epochs"], 3)
    for name in ("filters", "maps_0", "answer", "confusion"):
        ahead[name] = np.concatenate([ahead[name], np.zeros_like(ahead[name][:1])])
    np.savez(run.film.with_suffix(".npz"), **ahead)
    resume("cut", runs_folder=tmp_path)
    whole = find_run("plain", filmed / "runs")
    one, other = _frames(run), _frames(whole)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert run.film.read_text().replace("How cut", "How plain") == whole.film.read_text()
    assert {run.film, run.film.with_suffix(".npz")} <= {*contents_of(run.folder).written}


def test_damaged_frames_are_an_error_that_says_what_to_do(filmed, tmp_path):
    report = InterruptedReport(1)
    with pytest.raises(KeyboardInterrupt):
        train(load_config(filmed / "plain.yaml"), name="cut", runs_folder=tmp_path, report=report)
    run = Run(tmp_path / "cut")
    run.film.with_suffix(".npz").write_bytes(run.film.with_suffix(".npz").read_bytes()[:100])
    with pytest.raises(CnnkitError, match=r"film\.npz is damaged.*Remove the file and resume"):
        resume("cut", runs_folder=tmp_path)
    run.film.with_suffix(".npz").unlink()
    resume("cut", runs_folder=tmp_path, overrides=["training.epochs=4"])
    assert _frames(run)["epochs"].tolist() == [2, 3, 4]


def test_only_the_first_fold_is_filmed(filmed, tmp_path):
    from cnnkit.training.fold_training import train_folds

    config = load_config(filmed / "plain.yaml", ["training.epochs=1"])
    train_folds(config, 2, name="folds", runs_folder=tmp_path)
    assert [path.parent.name for path in tmp_path.glob("folds/*/film.html")] == ["fold1"]


def test_long_trainings_are_thinned_to_the_same_frames_at_any_length(tmp_path):
    frames = Frames(tmp_path / "film.npz", {})
    for epoch in range(1, 500):
        frames.add(epoch, {"answer": np.array([epoch])})
        assert frames.epochs == kept_epochs(epoch) and len(frames.epochs) <= MOST_FRAMES
        assert frames.epochs[0] == 1 and frames.epochs[-1] == epoch
    again = Frames(tmp_path / "film.npz", {})
    again.read(499)
    assert again.array("answer")[:, 0].tolist() == again.epochs == kept_epochs(499)


def test_large_maps_are_averaged_over_squares():
    maps = np.arange(96.0 * 50).reshape(96, 50, 1)
    small = smaller_maps(maps)
    assert small.shape == (48, 25, 1)
    assert small[1, 2, 0] == np.mean([maps[row, column] for row in (2, 3) for column in (4, 5)])
    assert smaller_maps(maps[:1]).shape == (1, 25, 1)
    assert np.array_equal(smaller_maps(maps[:48, :48]), maps[:48, :48])


def test_levels_keep_the_order_of_numbers_and_large_ones_are_finite():
    values = np.array([-3e38, 0, 3e38], np.float32)
    assert levels_of(values, float(values[0]), float(values[2])).tolist() == [0, 128, 255]
    assert levels_of(np.zeros(2), 0, 0).tolist() == [0, 0]

"""Phases of a training: what the weights and the history show of them."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from conftest import write_tiny_images
from transfer_runs import DATA, LAYERS, changed, history

import cnnkit
from cnnkit.config import config_from_text, dump_config, load_config
from cnnkit.errors import UsageError

pytest_plugins = ["transfer_fixtures"]


def test_fine_tune_is_two_phases(folder, transfer):
    run = transfer("{epochs: 2, fine_tune: true, optimizer: {sgd: {learning_rate: 0.1}}}")
    rows = history(run)
    assert [row["phase"] for row in rows] == [1, 1, 2, 2]
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert not any(changed(run, folder, "norm"))
    assert all(changed(run, folder, "first"))


def test_a_phase_begins_with_the_best_weights_and_keeps_the_best_of_all(transfer):
    """The second phase throws everything away; the run's best weights are those of the first."""
    wild = "{train: all, epochs: 2, optimizer: {sgd: {learning_rate: 30, clipnorm: 1}}}"
    run = transfer(
        f"{{phases: [{{train: linear_probe}}, {wild}, {{train: head, epochs: 1, "
        "optimizer: {sgd: {learning_rate: 1.0e-9}}}]}"
    )
    rows = history(run)
    assert run.info()["best_epoch"] == 1
    assert min(row["val_loss"] for row in rows[1:3]) > 3 * rows[0]["val_loss"]
    assert rows[3]["val_loss"] == pytest.approx(rows[0]["val_loss"], rel=1e-4)


def test_schedules_and_early_stopping_start_again_in_each_phase(transfer):
    training = (
        "{schedule: cosine, optimizer: {sgd: {learning_rate: 1.0}}, early_stopping: {patience: 1}, "
        "phases: [{train: head, epochs: 3, early_stopping: {patience: 9}}, "
        "{train: head, epochs: 9, optimizer: {sgd: {learning_rate: 1.0e-12}}}]}"
    )
    rows = history(transfer(training))
    assert [row["phase"] for row in rows][:4] == [1, 1, 1, 2]
    assert rows[0]["learning_rate"] > rows[2]["learning_rate"]
    assert len(rows) <= 3 + 3  # nothing improves with such a rate


def test_the_validation_loss_has_no_penalties_so_that_phases_can_be_compared(folder, tmp_path):
    from cnnkit.backend import keras
    from cnnkit.data.dataset import load_dataset
    from cnnkit.model.loading import load_keras_model

    penalty = "kernel_regularizer: {l2: 0.5}"
    layers = LAYERS.replace("name: second", f"name: second, {penalty}")
    data = "data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2}}"
    (folder / "heavy.yaml").write_text(f"{data}\nmodel:{layers}")
    heavy = cnnkit.train(
        folder / "heavy.yaml", runs_folder=tmp_path, overrides=["training.epochs=1"]
    )
    config = folder / "onheavy.yaml"
    config.write_text(
        f"{data}\nmodel: {{backbone: {{run: {heavy.folder}}}}}\n"
        "training: {epochs: 1, label_smoothing: 0.1, phases: [{train: head}, {train: all}]}"
    )
    run = cnnkit.train(config, runs_folder=tmp_path)
    dataset = load_dataset(load_config(run.config).data)
    chosen = dataset.select("validation")
    targets = np.eye(3)[dataset.labels[chosen]]
    for trained, smoothing in ((heavy, 0.0), (run, 0.1)):
        probabilities = load_keras_model(trained.last)(dataset.pixels(chosen), training=False)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)(
            targets, probabilities
        )
        assert history(trained)[-1]["val_loss"] == pytest.approx(float(loss), rel=1e-4)
        assert history(trained)[-1]["train_loss"] > float(loss) + 0.5  # the penalty is in it


def test_a_model_on_a_backbone_is_summarized_predicts_and_is_exported(folder, transfer):
    from cnnkit.explore.summarize import summarize
    from cnnkit.export import export_run

    run = transfer("{epochs: 1}")
    summary = summarize(run.folder)
    assert summary.parameters == run.info()["parameters"]
    answers = list(cnnkit.load_run(run.folder).predict([str(folder / "images" / "red" / "0.png")]))
    assert answers[0].error is None
    assert json.dumps(summary.as_dict())
    (folder / "runs" / "start").rename(folder / "runs" / "moved")
    try:
        assert summarize(run.folder).parameters == summary.parameters
    finally:
        (folder / "runs" / "moved").rename(folder / "runs" / "start")
    for row in export_run(run, ("saved_model", "tflite")).formats.values():
        assert row["max_difference"] < 1e-5


def _staged(folder, source):
    phases = f"[{{train: all, epochs: 2, data: {{source: {source}}}}}, {{train: all, epochs: 1}}]"
    path = folder / "staged.yaml"
    path.write_text(f"{DATA}\nmodel:{LAYERS}training: {{phases: {phases}}}\n")
    return path


def test_a_phase_learns_from_other_images_and_both_domains_are_scored(folder, tmp_path):
    config = load_config(_staged(folder, "others"))
    assert config.training.phases[0].data.source == str(folder / "others")
    assert config_from_text(dump_config(config)) == config
    run = cnnkit.train(folder / "staged.yaml", runs_folder=tmp_path)
    metrics = run.info()["metrics"]
    assert metrics["test"]["num_images"] == 6  # of images
    assert metrics["phase1_test"]["num_images"] == 6  # of others, 8 a class
    assert [row["phase"] for row in history(run)] == [1, 1, 2]
    text = (run.folder / "evaluation" / "phase1_test" / "predictions.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["path"] for row in rows} <= {
        str(path.relative_to(folder / "others")) for path in (folder / "others").rglob("*.png")
    }


def test_other_images_have_the_same_classes(folder, tmp_path):
    write_tiny_images(tmp_path / "more")
    (tmp_path / "more" / "red").rename(tmp_path / "more" / "pink")
    with pytest.raises(UsageError, match=r"has other classes than data.source \(pink, red\)"):
        cnnkit.train(_staged(folder, tmp_path / "more"), runs_folder=tmp_path)


def test_the_best_weights_of_a_head_are_kept_when_the_next_phase_is_worse(transfer):
    """A phase with other images hands on its last weights; its best ones are not lost by that."""
    wild = "{train: all, epochs: 1, optimizer: {sgd: {learning_rate: 30, clipnorm: 1}}}"
    run = transfer(f"{{phases: [{{train: linear_probe, data: {{source: others}}}}, {wild}]}}")
    rows = history(run)
    assert run.info()["best_epoch"] == 1
    assert rows[1]["val_loss"] > 3 * rows[0]["val_loss"]
    scored = run.info()["metrics"]["validation"]["log_loss"]
    assert scored == pytest.approx(rows[0]["val_loss"], rel=1e-3)


def test_a_head_can_pool_in_two_ways(folder, tmp_path):
    config = folder / "pooled.yaml"
    config.write_text(
        f"{DATA}\nmodel:\n  backbone: {{run: runs/start, layer: second}}\n"
        "  head: [branches: [[global_pool: average], [global_pool: max]]]\n"
    )
    run = cnnkit.train(config, runs_folder=tmp_path, overrides=["training.epochs=1"])
    assert run.info()["status"] == "finished" and run.info()["feature_difference"] < 1e-5

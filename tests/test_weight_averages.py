"""`use_ema`: the averages of the weights are validated and saved, and the training is the same."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from conftest import write_tiny_images
from interrupted_runs import weights_of

import cnnkit

_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.25, test: 0}}
model: {layers: [{conv: {filters: 4, kernel_size: 3}}, batch_norm, global_pool]}
training: {epochs: 3, optimizer: {sgd: {learning_rate: 0.1}}, monitor: epoch}
"""
_AVERAGES = "training.optimizer={sgd: {learning_rate: 0.1, use_ema: true, ema_momentum: 0.8}}"


def _rows(run):
    return list(csv.DictReader(run.history.read_text().splitlines()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a run without averages, and the same with them."""
    folder = tmp_path_factory.mktemp("averages")
    write_tiny_images(folder / "images", images_per_class=12)
    (folder / "config.yaml").write_text(_CONFIG)
    return [
        cnnkit.train(folder / "config.yaml", overrides=sets, runs_folder=folder / "runs")
        for sets in ([], [_AVERAGES])
    ]


def test_the_training_is_the_same_and_the_raw_values_stand_beside_the_averages(runs):
    plain, averaged = map(_rows, runs)
    assert [row["train_loss"] for row in averaged] == [row["train_loss"] for row in plain]
    for name in ("val_loss", "val_accuracy"):
        assert [row[f"raw_{name}"] for row in averaged] == [row[name] for row in plain]
        assert f"raw_{name}" not in plain[0]
    assert [row["val_loss"] for row in averaged] != [row["val_loss"] for row in plain]


def test_the_saved_weights_are_those_that_keras_itself_leaves(runs):
    """Keras replaces the weights by their averages at the end of one `fit` of all epochs."""
    import keras

    from cnnkit.config import load_config
    from cnnkit.progress import Report
    from cnnkit.training.plan import prepare

    run = runs[1]
    plan = prepare(load_config(run.config), Report())
    model, batches = plan.phases[0].start(plan.model, Report())
    data = batches.training(0)
    for epoch in (1, 2):
        data = data.concatenate(batches.training(epoch))
    model.fit(data, epochs=1, verbose=0, shuffle=False)
    expected = model.get_weights()
    kept = weights_of(run.last)
    pairs = zip(kept, expected, strict=True)
    assert all(np.allclose(one, other, atol=1e-6) for one, other in pairs)
    assert all(np.array_equal(*pair) for pair in zip(kept, weights_of(run.best), strict=True))
    plain = keras.models.load_model(runs[0].last).get_weights()
    assert not np.allclose(plain[0], kept[0], atol=1e-4)


def test_the_validation_loss_is_that_of_the_saved_weights(runs):
    found = cnnkit.load_run(runs[1].folder).evaluate(split="validation")
    expected = float(_rows(runs[1])[-1]["val_loss"])
    assert found.metrics["log_loss"] == pytest.approx(expected, abs=1e-5)

"""The linear probe against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from transfer_runs import DATA, history

from cnnkit.config import load_config

pytest_plugins = ["transfer_fixtures"]


def test_the_probe_is_the_logistic_regression_of_scikit_learn(folder, transfer):
    from sklearn.linear_model import LogisticRegression

    from cnnkit.data.dataset import load_dataset
    from cnnkit.model.loading import load_keras_model

    notes = []
    run = transfer("{phases: [{train: linear_probe}]}", notes=notes)
    (strength,) = [float(n.split("= ")[1].split(" (")[0]) for n in notes if "C = " in n]
    dataset = load_dataset(load_config(run.config).data)
    model = load_keras_model(run.best)
    backbone = model.get_layer("backbone")
    indices = dataset.select("train")
    rows = backbone(dataset.pixels(indices), training=False).numpy()
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    plain = LogisticRegression(C=strength, max_iter=1000).fit(scaled, dataset.labels[indices])
    ours = model(dataset.pixels(indices), training=False).numpy()
    assert np.allclose(ours, plain.predict_proba(scaled), atol=2e-4)
    assert [row["learning_rate"] for row in history(run)] == [0.0]


def test_the_probe_of_two_classes_fits_softmax_and_sigmoid(folder, transfer):
    data = DATA.replace("batch_size", "classes: [blue, red], batch_size")
    runs = [
        transfer("{phases: [{train: linear_probe}]}", model, data)
        for model in ("", ", output: sigmoid")
    ]
    losses = [run.info()["metrics"]["test"]["log_loss"] for run in runs]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert runs[0].info()["metrics"]["test"]["accuracy"] == 1.0

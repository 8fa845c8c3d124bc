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


def test_the_search_ends_when_two_weaker_penalties_in_a_row_are_worse():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    from cnnkit.training.linear_probe import _STRENGTHS, _best

    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 240)
    features = random.normal(size=(240, 40)) + 0.5 * np.eye(3, 40)[labels]
    halves = (features[:120], labels[:120]), (features[120:], labels[120:])
    tried = []
    found, strength = _best(*halves[0], None, halves[1], lambda: tried.append(1))

    losses = {}
    for each in _STRENGTHS:
        plain = LogisticRegression(C=each, max_iter=1000).fit(*halves[0])
        losses[each] = log_loss(halves[1][1], plain.predict_proba(halves[1][0]))
    assert strength == min(losses, key=losses.get)
    assert log_loss(halves[1][1], found.predict_proba(halves[1][0])) == losses[strength]
    assert len(tried) == _STRENGTHS.index(strength) + 3 < len(_STRENGTHS)

"""The linear probe against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from transfer_runs import DATA, history

from cnnkit.config import load_config
from cnnkit.training.linear_probe import _STRENGTHS, _best_strength, _folds, _some_rows

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


def example(number=240, num_features=40):
    """Return features and labels of three classes that overlap."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, number)
    centres = 0.5 * np.eye(3, num_features)
    return random.normal(size=(number, num_features)) + centres[labels], labels


def loss_of(strength, fit, judged):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    plain = LogisticRegression(C=strength, max_iter=1000).fit(*fit)
    return log_loss(judged[1], plain.predict_proba(judged[0]))


def test_the_search_ends_when_two_weaker_penalties_in_a_row_are_worse():
    features, labels = example()
    halves = (features[:120], labels[:120]), (features[120:], labels[120:])
    tried = []
    trial = (*halves[0], None), (*halves[1], None)
    strength = _best_strength([trial], lambda: tried.append(1))

    losses = {each: loss_of(each, *halves) for each in _STRENGTHS}
    assert strength == min(losses, key=losses.get)
    assert len(tried) == _STRENGTHS.index(strength) + 3 < len(_STRENGTHS)


def test_without_validation_images_a_cross_validation_chooses():
    features, labels = example()
    trials = _folds((features, labels, None), len(labels))
    assert len(trials) == 5
    for (fit, fit_labels, _), (judged, judged_labels, _) in trials:
        assert len(fit) + len(judged) == 240
        # Each class is divided evenly, up to one image.
        counts, whole = np.bincount(judged_labels), np.bincount(labels)
        assert np.all(np.abs(counts - whole / 5) < 1)
        assert np.array_equal(np.bincount(fit_labels), whole - counts)
    everywhere = np.concatenate([judged for _, (judged, _, _) in trials])
    assert sorted(everywhere.tolist()) == sorted(features.tolist())

    losses = {
        c: sum(loss_of(c, fit[:2], judged[:2]) for fit, judged in trials) for c in _STRENGTHS[:6]
    }
    assert _best_strength(trials, lambda: None) == min(losses, key=losses.get)


def test_all_views_of_an_image_are_in_one_fold_and_drawn_together(monkeypatch):
    _, labels = example(number=60)
    images = np.arange(60.0)[:, None]
    trials = _folds((np.concatenate([images, images]), np.tile(labels, 2), None), 60)
    for (fit, _, _), (judged, _, _) in trials:
        assert not set(fit[:, 0]) & set(judged[:, 0])
        assert len(judged) == 2 * len(set(judged[:, 0]))
    monkeypatch.setattr("cnnkit.training.linear_probe.MOST_ROWS_TO_CHOOSE", 20)
    rows = _some_rows(60, 120)
    assert len(rows) == 20
    assert set(rows[:10] + 60) == set(rows[10:])


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 1, 1]])
def test_with_one_image_of_a_class_the_penalty_is_the_default(labels):
    trials = _folds((np.eye(len(labels)), np.array(labels), None), len(labels))
    assert trials == []
    assert _best_strength(trials, lambda: None) == 1.0


def test_the_probe_says_how_the_penalty_was_chosen(folder, transfer):
    notes = []
    data = DATA.replace("validation: 0.2", "validation: 0")
    transfer("{monitor: train_loss, phases: [{train: linear_probe}]}", "", data, notes)
    assert any("(chosen by cross-validation)" in note for note in notes)

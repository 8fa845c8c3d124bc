"""Learning-rate schedules against hand numbers and Keras."""

from __future__ import annotations

import pytest

from cnnkit import learning_rate_schedules as schedules
from cnnkit.config import config_from_dict
from cnnkit.training.history import History
from cnnkit.training.learning_rate import LearningRate
from cnnkit.training.phases import phases_of

_DATA = {"source": "digits", "image_size": 8}
_MODEL = {"layers": ["flatten"]}


def _rates(training, tmp_path, *, steps=4, values=()):
    config = config_from_dict({"data": _DATA, "model": _MODEL, "training": training})
    history = History(tmp_path / "history.csv", "val_loss")
    for epoch, value in enumerate(values, start=1):
        history.append({"epoch": epoch, "val_loss": value})
    rate = LearningRate(phases_of(config)[0], steps, history)
    return [rate.at(e, s) for e in range(config.training.epochs) for s in range(steps)]


def test_cosine_equals_keras():
    import keras

    theirs = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=20, alpha=0.05)
    for step in range(25):
        ours = 0.1 * schedules.cosine(step, total_steps=20, final_fraction=0.05)
        assert ours == pytest.approx(float(theirs(step)), rel=1e-5)


def test_plateau_equals_keras_on_the_same_losses():
    import keras

    losses = [1.0, 0.9, 0.95, 0.91, 0.92, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, min_delta=0, min_lr=0)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        ours = schedules.plateau(
            losses[: epoch + 1], patience=2, factor=0.5, larger_is_better=False
        )
        assert ours == pytest.approx(float(model.optimizer.learning_rate))


def test_warm_up_rises_to_the_full_rate_and_the_cosine_spans_the_rest(tmp_path):
    training = {"epochs": 3, "optimizer": {"sgd": 1.0}, "schedule": "cosine", "warmup_epochs": 1}
    rates = _rates(training, tmp_path)
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[8] == pytest.approx(0.5)
    assert rates == sorted(rates[:4]) + sorted(rates[4:], reverse=True)


def test_step_multiplies_every_so_many_epochs(tmp_path):
    training = {
        "epochs": 5,
        "optimizer": {"sgd": 1.0},
        "schedule": {"step": {"every_epochs": 2, "factor": 0.1}},
    }
    assert _rates(training, tmp_path, steps=1) == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_plateau_never_falls_below_its_floor(tmp_path):
    training = {
        "epochs": 1,
        "optimizer": {"sgd": 1.0},
        "schedule": {"plateau": {"patience": 1, "factor": 0.1, "min_learning_rate": 0.05}},
    }
    assert _rates(training, tmp_path, steps=1, values=[1.0, 1.1, 1.2, 1.3]) == [0.05]


def test_a_warm_up_as_long_as_the_training_still_trains(tmp_path):
    training = {"epochs": 2, "optimizer": {"sgd": 1.0}, "schedule": "cosine", "warmup_epochs": 2}
    assert _rates(training, tmp_path, steps=2) == [0.25, 0.5, 0.75, 1.0]

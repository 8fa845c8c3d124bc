"""Learning-rate schedules against hand numbers and Keras."""

from __future__ import annotations

import math

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


def test_schedules_equal_those_of_keras():
    from keras.optimizers import schedules as theirs

    steps_per_epoch, total = 7, 42
    pairs = [
        (
            theirs.PolynomialDecay(1.0, total, end_learning_rate=0.1, power=2.0),
            lambda step: schedules.polynomial(
                step, total_steps=total, final_fraction=0.1, power=2.0
            ),
        ),
        (
            theirs.ExponentialDecay(1.0, 2 * steps_per_epoch, 0.6),
            lambda step: schedules.exponential(
                step / steps_per_epoch, every_epochs=2, decay_rate=0.6
            ),
        ),
        (
            theirs.InverseTimeDecay(1.0, 2 * steps_per_epoch, 0.6),
            lambda step: schedules.inverse_time(
                step / steps_per_epoch, every_epochs=2, decay_rate=0.6
            ),
        ),
        (
            theirs.CosineDecayRestarts(1.0, steps_per_epoch, t_mul=2.0, m_mul=0.7, alpha=0.2),
            lambda step: schedules.cosine_restarts(
                step / steps_per_epoch, first_epochs=1, t_mul=2.0, m_mul=0.7, final_fraction=0.2
            ),
        ),
        (
            # Keras keeps the old value at the boundary itself, a step longer.
            theirs.PiecewiseConstantDecay([2 * 7 - 1, 4 * 7 - 1], [1.0, 0.5, 0.1]),
            lambda step: schedules.piecewise_constant(
                step // steps_per_epoch, boundaries=[2, 4], factors=[0.5, 0.1]
            ),
        ),
    ]
    for keras_schedule, ours in pairs:
        for step in range(total + 3):
            expected = float(keras_schedule(step))
            assert ours(step) == pytest.approx(expected, abs=1e-5), (keras_schedule, step)


def test_one_cycle_rises_and_falls(tmp_path):
    cycle = {"warmup_fraction": 0.25, "start_fraction": 0.2, "final_fraction": 0.1}
    training = {"epochs": 2, "optimizer": {"sgd": 1.0}, "schedule": {"one_cycle": cycle}}
    # 8 steps: the first 2 rise from 0.2 to 1, the other 6 fall towards 0.1
    fall = [0.1 + 0.9 * (1 + math.cos(math.pi * step / 6)) / 2 for step in range(6)]
    assert _rates(training, tmp_path) == pytest.approx([0.2, 0.6, *fall])


def test_schedules_of_epochs_begin_after_the_warm_up(tmp_path):
    training = {
        "epochs": 3,
        "optimizer": {"sgd": 1.0},
        "schedule": {"exponential": {"decay_rate": 0.5}},
        "warmup_epochs": 1,
    }
    assert _rates(training, tmp_path, steps=2) == pytest.approx(
        [0.5, 1, 1, 0.5**0.5, 0.5, 0.5**1.5]
    )


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

"""Several devices that share each batch learn what one device does."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from device_trainings import found_in, train_on_four
from interrupted_runs import assert_same_run, weights_of
from training_commands import history_of

from cnnkit.cli import main
from cnnkit.runs import find_run


@pytest.fixture(scope="session")
def on_four(made_once):
    """Return the folder of trainings on four devices, and of the same on one."""
    return made_once("four devices", train_on_four)


def _run(on_four, name):
    return find_run(name, on_four / "runs")


@pytest.mark.slow
def test_the_curve_of_four_devices_is_that_of_one(on_four):
    """Parts have different sizes, the last batch is smaller, images are mixed, clipnorm clips."""
    one, four = _run(on_four, "one"), _run(on_four, "four")
    rows = list(zip(history_of(one), history_of(four), strict=False))
    assert len(rows) == 3
    for first, other in rows:
        for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
            assert other[name] == pytest.approx(first[name], rel=1e-5), name
    assert one.info()["devices"] == {"number": 1, "machines": 1}


@pytest.mark.slow
def test_their_best_weights_are_alike(on_four):
    best = [weights_of(_run(on_four, name).best) for name in ("one", "four")]
    for one, four in zip(*best, strict=True):
        assert np.allclose(one, four, atol=1e-3)  # rounding, after 15 steps with momentum


@pytest.mark.slow
def test_own_numbers_of_each_device_are_finite_and_learn(on_four):
    rows = history_of(_run(on_four, "whole"))
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"] - 0.1
    for values in weights_of(_run(on_four, "whole").best):
        assert np.isfinite(values).all()


@pytest.mark.slow
def test_a_training_on_four_devices_that_was_stopped_ends_with_the_same_weights(on_four):
    cut = _run(on_four, "cut")
    assert_same_run(cut, _run(on_four, "whole"))
    assert cut.info()["resumed"] == [1]
    assert found_in(on_four)["texts"][0].startswith("Interrupted")


@pytest.mark.slow
def test_another_number_of_devices_is_refused_unless_it_is_allowed(on_four):
    assert (
        "was trained on 4 devices; now it would be 1 device (runtime.devices"
        in (found_in(on_four)["texts"][1])
    )
    assert found_in(on_four)["texts"][1].endswith("--allow-changed runtime.devices")
    few = _run(on_four, "few")
    rows = history_of(few)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    changed = {"after_epoch": 1, "key": "runtime.devices", "before": 4, "now": 1}
    assert changed in few.info()["changed"]
    assert few.info()["devices"] == {"number": 1, "machines": 1}


@pytest.mark.slow
def test_only_a_training_on_one_device_is_filmed(on_four):
    with np.load(_run(on_four, "few").film.with_suffix(".npz")) as film:
        assert film["epochs"].tolist() == [2]  # the first epoch was on four devices


@pytest.mark.slow
def test_what_keras_cannot_do_on_several_devices_is_refused(on_four):
    assert found_in(on_four)["texts"][2].startswith(
        "gradient_accumulation_steps cannot be used on several devices. Leave it out, or"
    )
    assert not (on_four / "runs" / "accumulated").exists()


@pytest.mark.slow
def test_each_device_draws_other_numbers_and_all_keep_one_state(on_four):
    random = found_in(on_four)["random"]
    assert len(set(random["drawn"])) == 4
    assert len(random["states"]) == 4 and len(set(map(tuple, random["states"]))) == 1


def test_the_loop_for_several_devices_learns_what_fit_does(tiny_config):
    """On one device; the slow tests have more."""
    from cnnkit.backend import tf
    from cnnkit.config import load_config
    from cnnkit.progress import Report
    from cnnkit.training.plan import prepare
    from cnnkit.training.training_devices import ONE_DEVICE, Devices

    clipped = "training.optimizer={sgd: {learning_rate: 0.1, global_clipnorm: 0.5}}"
    config = load_config(tiny_config, [clipped, "data.batch_size=7"])
    found = []
    for devices in (ONE_DEVICE, Devices(tf.distribute.MirroredStrategy(["/cpu:0"]))):
        plan = prepare(config, Report(), devices=devices)
        model, batches = plan.phases[0].start(plan.model, Report())
        history = model.fit(batches.training(0), epochs=1, verbose=0, shuffle=False).history
        scores = model.evaluate(batches.validation(), verbose=0, return_dict=True)
        found.append(({name: values[0] for name, values in history.items()}, scores))
    assert type(model).__name__ == "ReplicatedModel"
    for first, other in zip(*found, strict=True):
        assert other == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize(
    ("device", "text"),
    [
        ("gpu:7", "gpu:7 was asked for, but TensorFlow sees 0 GPUs here"),
        ("tpu", "'tpu' is no device. Write auto, cpu, or a GPU such as gpu:0."),
    ],
)
def test_a_device_that_does_not_exist_is_refused(device, text):
    done = CliRunner().invoke(main, ["explain", "a.png", "--device", device])
    assert done.exit_code == 2 and text in done.stderr


def test_train_takes_a_device_as_a_setting(tmp_path):
    (tmp_path / "a.yaml").write_text("data: {source: digits}\nmodel: {layers: [flatten]}\n")
    done = CliRunner().invoke(main, ["train", str(tmp_path / "a.yaml"), "--device", "gpu0"])
    assert done.exit_code == 2
    assert "runtime.devices" in done.stderr and "Did you mean gpu:0?" in done.stderr

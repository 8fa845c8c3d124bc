"""Which layers of a backbone learn, and at which multiple of the learning rate."""

from __future__ import annotations

import numpy as np
import pytest
from transfer_runs import DATA, changed

from cnnkit.config import config_from_text
from cnnkit.errors import UsageError

pytest_plugins = ["transfer_fixtures"]


@pytest.mark.parametrize(
    ("train", "learns"),
    [
        ("all", ["first", "norm", "second"]),
        ("{last_layers: 1}", ["second"]),
        ("{backbone_from: norm}", ["norm", "second"]),
        ("{gradual: 3}", ["first", "norm", "second"]),
    ],
)
def test_what_a_phase_names_learns_and_nothing_else(folder, transfer, train, learns):
    phase = f"{{train: {train}, epochs: 3, optimizer: {{sgd: {{learning_rate: 0.1}}}}}}"
    run = transfer(f"{{monitor: train_loss, phases: [{phase}]}}")
    for layer in ("first", "norm", "second"):
        found = changed(run, folder, layer)
        if layer not in learns or layer == "norm":  # norm would have to learn new averages
            assert not any(found), layer
        else:
            assert all(found), layer


def test_averages_of_batch_normalisation_learn_if_a_phase_says_so(folder, transfer):
    phases = "[{train: all, epochs: 1}, {train: all, epochs: 1, batch_norm: training}]"
    run = transfer(f"{{monitor: train_loss, phases: {phases}}}")
    assert changed(run, folder, "norm") == [True] * 4
    run = transfer("{phases: [{train: {last_layers: 1}, batch_norm: training, epochs: 1}]}")
    assert changed(run, folder, "norm") == [False] * 4


def test_more_last_layers_than_there_are_is_refused_before_the_run_begins(transfer, tmp_path):
    with pytest.raises(UsageError, match="last_layers is 9, but the backbone has 3 layers with"):
        transfer("{phases: [{train: {last_layers: 9}}]}")


def test_a_phase_that_names_no_layer_is_refused_before_the_run_begins(transfer, tmp_path):
    with pytest.raises(UsageError, match=r"no layer secund. Did you mean second\?"):
        transfer("{phases: [{train: {backbone_from: secund}}]}")
    assert not list(tmp_path.glob("config*"))


def test_layers_further_from_the_output_learn_more_slowly(folder):
    from cnnkit.config import Config
    from cnnkit.model.build_model import build_model
    from cnnkit.training.learning_layers import learning_layers
    from cnnkit.training.phases import phases_of

    phase = "{train: all, epochs: 1, backbone_multiplier: 0.1, layer_decay: 0.5}"
    text = f"{DATA}\nmodel: {{backbone: {{run: runs/start}}}}\ntraining: {{phases: [{phase}]}}"
    config: Config = config_from_text(text, folder=folder)
    model = build_model(config, 3)
    (phase,) = phases_of(config)
    found = learning_layers(model, phase).rate_multiples()
    by_layer = {path.split("/")[-2]: value for path, value in found.items()}
    assert by_layer == pytest.approx({"second": 0.1, "first": 0.025})  # norm is between them


def test_multiples_of_the_learning_rate_are_exact():
    from cnnkit.backend import keras, tf
    from cnnkit.config import Call
    from cnnkit.model.optimizers import build_optimizer

    variables = [keras.Variable(np.zeros(2, np.float32), name=name) for name in "abc"]
    multiples = {variables[1].path: 0.5, variables[2].path: 0.125}
    optimizer = build_optimizer(Call("sgd", {"learning_rate": 0.1}), multiples)
    optimizer.apply([tf.constant([1.0, -2.0])] * 3, variables)
    for variable, multiple in zip(variables, (1, 0.5, 0.125), strict=True):
        expected = np.array([-0.1, 0.2], np.float32) * np.float32(multiple)
        assert np.allclose(variable.numpy(), expected, rtol=1e-6)


def test_weight_decay_has_the_multiple_of_its_layer():
    from cnnkit.backend import keras, tf
    from cnnkit.config import Call
    from cnnkit.model.optimizers import build_optimizer

    variables = [keras.Variable(np.ones(2, np.float32), name=name) for name in "abc"]
    multiples = {variables[1].path: 0.5, variables[2].path: 0.0}
    call = Call("adamw", {"learning_rate": 0.1, "weight_decay": 0.2})
    optimizer = build_optimizer(call, multiples)
    apply = tf.function(lambda: optimizer.apply([tf.zeros(2)] * 3, variables))
    optimizer.build(variables)
    apply()
    decayed = [variable.numpy()[0] for variable in variables]
    assert decayed == pytest.approx([1 - 0.1 * 0.2, 1 - 0.1 * 0.2 * 0.5, 1.0], rel=1e-6)

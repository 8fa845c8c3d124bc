"""Muon: which weights take which step, compared with a singular value decomposition and Keras."""

import numpy as np
import pytest

from cnnkit.backend import keras, tf
from cnnkit.config.calls import Call, read_call
from cnnkit.model.optimizers import build_optimizer

ARGUMENTS = {"learning_rate": 0.5, "momentum": 0.6, "weight_decay": 0.0, "sgd_lr_ratio": 4.0}


def muon(**changes):
    return build_optimizer(Call("muon", {**ARGUMENTS, **changes}))


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(8, 3)(image)
    x = keras.layers.DepthwiseConv2D(3)(x)
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Dense(4, name="probabilities")(x))


def steps_of(optimizer, gradients, model):
    """Return by how much each weight changed after each of the gradients."""
    changes = []
    for gradient in gradients:
        before = [variable.numpy() for variable in model.trainable_variables]
        optimizer.apply_gradients(zip(gradient, model.trainable_variables, strict=True))
        after = [variable.numpy() for variable in model.trainable_variables]
        changes.append([new - old for new, old in zip(after, before, strict=True)])
    return changes


def gradients_for(model, count=2):
    random = np.random.default_rng(0)
    return [
        [tf.constant(random.normal(size=v.shape), tf.float32) for v in model.trainable_variables]
        for _ in range(count)
    ]


def is_matrix(variable):
    return variable.path in ("conv2d/kernel", "dense/kernel")


@pytest.fixture
def model():
    keras.backend.clear_session()
    return network()


def test_the_step_of_a_kernel_is_nearly_orthogonal_in_the_directions_of_the_momentum(model):
    gradients = gradients_for(model)
    changes = steps_of(muon(), gradients, model)

    for at, variable in enumerate(model.trainable_variables):
        if not is_matrix(variable):
            continue
        first, second = (g[at].numpy().reshape(-1, variable.shape[-1]) for g in gradients)
        # Nesterov momentum, from the definition: m = 0.6 m + g, and the step is g + 0.6 m.
        for change, momentum in zip(
            changes, (first + 0.6 * first, second + 0.6 * (0.6 * first + second)), strict=True
        ):
            left, _, right = np.linalg.svd(momentum, full_matrices=False)
            step = change[at].reshape(momentum.shape) / -0.5
            # In the basis of the singular vectors the step is diagonal, with values near 1.
            diagonal = left.T @ step @ right.T
            values = np.diag(diagonal)
            np.testing.assert_allclose(diagonal - np.diag(values), 0, atol=2e-3)
            assert values.min() > 0.4
            assert values.max() < 1.4


def test_all_other_weights_take_steps_of_nesterov_sgd(model):
    start = model.get_weights()
    gradients = gradients_for(model)
    ours = steps_of(muon(), gradients, model)
    model.set_weights(start)
    sgd = keras.optimizers.SGD(2.0, momentum=0.6, nesterov=True)
    keras_steps = steps_of(sgd, gradients, model)

    others = [at for at, v in enumerate(model.trainable_variables) if not is_matrix(v)]
    assert len(others) == 6  # four biases, the depthwise kernel and the output layer's
    for our, other in zip(ours, keras_steps, strict=True):
        for at in others:
            np.testing.assert_allclose(our[at], other[at], rtol=1e-4, atol=1e-6)


def test_weight_decay_shrinks_matrices_only(model):
    zero = [[tf.zeros(v.shape) for v in model.trainable_variables]]
    before = [variable.numpy() for variable in model.trainable_variables]
    steps_of(muon(weight_decay=0.1), zero, model)

    for old, variable in zip(before, model.trainable_variables, strict=True):
        share = 1 - 0.5 * 0.1 if is_matrix(variable) else 1
        np.testing.assert_allclose(variable.numpy(), share * old, rtol=1e-6)


def test_a_multiple_of_the_learning_rate_also_multiplies_the_weight_decay(model):
    optimizer = build_optimizer(
        Call("muon", {**ARGUMENTS, "weight_decay": 0.1}), {"conv2d/kernel": 0.5}
    )
    before = model.trainable_variables[0].numpy()
    steps_of(optimizer, [[tf.zeros(v.shape) for v in model.trainable_variables]], model)

    np.testing.assert_allclose(model.trainable_variables[0].numpy(), 0.975 * before, rtol=1e-6)


def test_a_config_may_give_the_name_alone():
    call = read_call("optimizers", "muon")

    assert float(build_optimizer(call).learning_rate) == pytest.approx(0.1)

"""Build the optimizer of a config: one of Keras's, or Muon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnkit.backend import keras
from cnnkit.config import Call
from cnnkit.errors import UsageError

# Of a polynomial that brings singular values near 1 in few steps (Jordan et al. 2024).
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 3


def build_optimizer(call: Call, multiples: Mapping[str, float] | None = None) -> Any:
    """Return the Keras optimizer of a call.

    Args:
        call: the value of `training.optimizer`.
        multiples: factors of the learning rate by the path of a variable; a variable that is not
            listed has 1. Weight decay that is a part of the step (as in AdamW) is multiplied too.

    Raises:
        UsageError: Keras refuses an argument.
    """
    kind = Muon if call.name == "muon" else getattr(keras.optimizers, call.keras_name)
    try:
        optimizer = kind(**call.full_arguments if kind is Muon else call.keras_arguments)
    except (ValueError, TypeError) as error:
        raise UsageError(f"training.optimizer ({call.name}): {error}") from error
    if multiples:
        optimizer.__class__ = _with_multiples(kind, multiples)
    return optimizer


class Muon(keras.optimizers.Optimizer):
    """SGD with Nesterov momentum, whose steps for matrices are made orthogonal.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon. The kernel of a
    convolution, (height, width, in, out), is a matrix (height * width * in, out). The output layer,
    biases, the weights of normalisations and kernels with one filter (of depthwise convolutions)
    take steps of plain SGD. `keras.optimizers.Muon` updates matrices only, and everything else by
    AdamW, so it is of little use for convolutions.

    Args:
        learning_rate: of matrices. A step changes a matrix W by learning_rate times an orthogonal
            matrix of its shape.
        momentum: of all weights.
        weight_decay: W becomes smaller by learning_rate * weight_decay * W in each step.
        sgd_lr_ratio: the learning rate of all other weights, as a multiple of learning_rate.
    """

    def __init__(
        self, learning_rate: float, momentum: float, weight_decay: float, sgd_lr_ratio: float
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay)
        self._momentum = momentum
        self._sgd_lr_ratio = sgd_lr_ratio

    def build(self, variables: Sequence[Any]) -> None:
        """Create the momentum of each variable."""
        if self.built:
            return
        super().build(variables)
        self._momenta = [
            self.add_variable_from_reference(variable, name="momentum") for variable in variables
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change a variable, given its gradient."""
        momentum = self._momenta[self._get_variable_index(variable)]
        self.assign(momentum, self._momentum * momentum + gradient)
        step = gradient + self._momentum * momentum
        if self._is_matrix(variable):
            step = _orthogonal(step)
        else:
            step = self._sgd_lr_ratio * step
        self.assign_sub(variable, learning_rate * step)

    def _use_weight_decay(self, variable: Any) -> bool:
        return self._is_matrix(variable)

    def _is_matrix(self, variable: Any) -> bool:
        # `variable` may be TensorFlow's own, which has no path, so it is looked up first.
        path = self._trainable_variables[self._get_variable_index(variable)].path
        has_columns = len(variable.shape) > 1 and variable.shape[-1] > 1
        return has_columns and not path.startswith("probabilities/")


def _orthogonal(kernel: Any) -> Any:
    """Return the nearest matrix with orthogonal rows or columns, roughly, in the kernel's shape.

    The singular values of the result are between 0.5 and 1.3, if those of the kernel are not tiny.

    Args:
        kernel: (..., in, out), read as a matrix with `out` columns.
    """
    ops = keras.ops
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if is_tall else matrix
    x = x / (ops.norm(x) + 1e-7)  # so that no singular value is above 1
    a, b, c = _NEWTON_SCHULZ
    for _ in range(_NEWTON_SCHULZ_STEPS):
        square = ops.matmul(x, ops.transpose(x))
        x = a * x + ops.matmul(b * square + c * ops.matmul(square, square), x)
    return ops.reshape(ops.transpose(x) if is_tall else x, kernel.shape)


def _with_multiples(kind: type, multiples: Mapping[str, float]) -> type:
    """Return a subclass of an optimizer whose steps are longer or shorter for some variables."""

    class WithMultiples(kind):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient, variable, learning_rate * self._multiple(variable))

        def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
            # Keras reads the decay from this attribute, so it is set for one variable at a time.
            decay = self.weight_decay
            for variable in variables:
                self.weight_decay = decay and decay * self._multiple(variable)
                super()._apply_weight_decay([variable])
            self.weight_decay = decay

        def _multiple(self, variable: Any) -> float:
            # `variable` may be TensorFlow's own, which has no path, so it is looked up first.
            path = self._trainable_variables[self._get_variable_index(variable)].path
            return multiples.get(path, 1.0)

    return WithMultiples

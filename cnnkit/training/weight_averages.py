"""The moving average of the weights that Keras's optimizers keep with `use_ema`.

Keras replaces the weights by their average at the end of `fit`. We call `fit` for one epoch at a
time, and the training must go on from the weights themselves: the average is only what is
validated and saved.

Source: Polyak & Juditsky 1992, doi:10.1137/0330046, with an exponential average.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def keeps_averages(model: Any) -> bool:
    """Return whether the optimizer of a compiled model averages the weights."""
    return bool(_optimizer(model).use_ema)


@contextmanager
def with_averages(model: Any) -> Iterator[None]:
    """Let a compiled model have the averages as its weights, if its optimizer keeps any."""
    if not keeps_averages(model):
        yield
        return
    learned = model.trainable_variables
    weights = [variable.numpy() for variable in learned]
    model.optimizer.finalize_variable_values(learned)
    try:
        yield
    finally:
        for variable, value in zip(learned, weights, strict=True):
            variable.assign(value)


def averaged_weights(model: Any, trained: Any) -> list[np.ndarray]:
    """Return the weights of a model, in the order of `get_weights`, as they are saved.

    Args:
        model: the whole model.
        trained: the compiled model that changes its weights: the whole one or its head. If its
            optimizer keeps averages, these replace the weights.
    """
    if not keeps_averages(trained):
        return model.get_weights()
    optimizer = _optimizer(trained)
    # Keras has no public names for these; a test notices if they change.
    pairs = zip(
        optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True
    )
    averages = {id(variable): average for variable, average in pairs}
    return [averages.get(id(variable), variable).numpy() for variable in model.weights]


def _optimizer(model: Any) -> Any:
    # With float16, another optimizer is around it, which scales the loss.
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)

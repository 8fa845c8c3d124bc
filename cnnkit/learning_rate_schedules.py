"""Factors of the learning rate: warm-up, cosine, steps and plateau, as pure functions.

Each depends only on the position in the training and on its history, so that a resumed training
has nothing to restore.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def warmup(step: int, *, warmup_steps: int) -> float:
    """Return the factor of a linear warm-up: it rises to 1 at the last of `warmup_steps` steps.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.

    >>> [warmup(step, warmup_steps=4) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0


def cosine(step: int, *, total_steps: int, final_fraction: float = 0.0) -> float:
    """Return the factor of a half cosine: 1 at step 0, `final_fraction` after the last step.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.

    >>> [round(cosine(step, total_steps=4), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    progress = min(step / total_steps, 1.0) if total_steps else 0.0
    return final_fraction + (1 - final_fraction) * 0.5 * (1 + math.cos(math.pi * progress))


def step_decay(epoch: int, *, every_epochs: int, factor: float) -> float:
    """Return `factor` multiplied once for every `every_epochs` completed epochs.

    >>> [step_decay(epoch, every_epochs=2, factor=0.5) for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return factor ** (epoch // every_epochs)


def plateau(
    values: Sequence[float], *, patience: int, factor: float, larger_is_better: bool
) -> float:
    """Return `factor` multiplied once for every `patience` epochs without a new best value.

    After each reduction the count starts again, as in `keras.callbacks.ReduceLROnPlateau`.

    Args:
        values: the monitored value of every finished epoch.
        patience: number of epochs without a new best value before the learning rate is reduced.
        factor: what the learning rate is multiplied by.
        larger_is_better: True for an accuracy, False for a loss.

    >>> plateau([1.0, 0.9, 0.9, 0.9, 0.9], patience=2, factor=0.1, larger_is_better=False)
    0.1
    """
    result, best, waited = 1.0, None, 0
    for value in values:
        if best is None or is_better(value, best, larger_is_better=larger_is_better):
            best, waited = value, 0
            continue
        waited += 1
        if waited == patience:
            result, waited = result * factor, 0
    return result


def is_better(value: float, best: float, *, larger_is_better: bool) -> bool:
    """Return whether a value beats the best one so far; an equal one does not."""
    return value > best if larger_is_better else value < best


def best_epoch(values: Sequence[float], *, larger_is_better: bool) -> int:
    """Return the index of the first best value.

    >>> best_epoch([0.5, 0.7, 0.7, 0.6], larger_is_better=True)
    1
    """
    return values.index(max(values) if larger_is_better else min(values))

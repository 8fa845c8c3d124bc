"""Factors of the learning rate: warm-up and schedules, as pure functions.

Each depends only on the position in the training and on its history, so that a resumed training
has nothing to restore.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def _progress(step: int, total_steps: int) -> float:
    """Return which part of the steps is over, at most 1."""
    return min(step / total_steps, 1.0) if total_steps else 0.0


def _half_cosine(progress: float) -> float:
    """Return a number that falls from 1 to 0 as the progress rises from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))


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
    return final_fraction + (1 - final_fraction) * _half_cosine(_progress(step, total_steps))


def cosine_restarts(
    epochs: float,
    *,
    first_epochs: int,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    final_fraction: float = 0.0,
) -> float:
    """Return the factor of cosines one after the other, as `keras...CosineDecayRestarts`.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.

    Args:
        epochs: position since the beginning, which may be a fraction.
        first_epochs: length of the first cosine.
        t_mul: each cosine is so many times as long as the one before it, at least 1.
        m_mul: and begins so many times as high.
        final_fraction: the factor at the end of each.

    >>> [round(cosine_restarts(epoch, first_epochs=1, m_mul=0.5), 3) for epoch in (0, 0.5, 1, 2)]
    [1.0, 0.5, 0.5, 0.25]
    """
    length, height = float(first_epochs), 1.0
    while epochs >= length:
        epochs, length, height = epochs - length, length * t_mul, height * m_mul
    return final_fraction + (1 - final_fraction) * height * _half_cosine(epochs / length)


def one_cycle(
    step: int,
    *,
    total_steps: int,
    warmup_fraction: float = 0.3,
    start_fraction: float = 0.04,
    final_fraction: float = 0.0,
) -> float:
    """Return the factor of a cycle: half a cosine up to 1, then half a cosine down.

    Source: Smith & Topin 2017, arXiv:1708.07120. They change the momentum too; this does not.

    Args:
        step: from 0.
        total_steps: of the whole cycle.
        warmup_fraction: share of the steps in which the factor rises.
        start_fraction: the factor at step 0.
        final_fraction: the factor after the last step.

    >>> [round(one_cycle(step, total_steps=10), 3) for step in (0, 3, 10)]
    [0.04, 1.0, 0.0]
    """
    peak = warmup_fraction * total_steps
    if step < peak:
        return 1 - (1 - start_fraction) * _half_cosine(step / peak)
    rest = total_steps - peak
    return cosine(round(step - peak), total_steps=round(rest), final_fraction=final_fraction)


def polynomial(
    step: int, *, total_steps: int, final_fraction: float = 0.0, power: float = 1.0
) -> float:
    """Return the factor of `keras.optimizers.schedules.PolynomialDecay`; power 1 is a line.

    >>> [polynomial(step, total_steps=4) for step in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    left = 1 - _progress(step, total_steps)
    return final_fraction + (1 - final_fraction) * left**power


def exponential(epochs: float, *, every_epochs: int, decay_rate: float) -> float:
    """Return `decay_rate` to the power of `epochs / every_epochs`, also between whole epochs.

    As `keras.optimizers.schedules.ExponentialDecay`.

    >>> exponential(2.0, every_epochs=1, decay_rate=0.5)
    0.25
    """
    return decay_rate ** (epochs / every_epochs)


def inverse_time(epochs: float, *, every_epochs: int, decay_rate: float) -> float:
    """Return the factor of `keras.optimizers.schedules.InverseTimeDecay`.

    >>> inverse_time(2.0, every_epochs=1, decay_rate=0.5)
    0.5
    """
    return 1 / (1 + decay_rate * epochs / every_epochs)


def piecewise_constant(epoch: int, *, boundaries: Sequence[int], factors: Sequence[float]) -> float:
    """Return 1 before the first boundary, and from each boundary on the factor that belongs to it.

    Args:
        epoch: from 0.
        boundaries: epochs, rising.
        factors: as many.

    >>> [piecewise_constant(e, boundaries=[1, 3], factors=[0.1, 0.01]) for e in range(4)]
    [1.0, 0.1, 0.1, 0.01]
    """
    passed = sum(epoch >= boundary for boundary in boundaries)
    return factors[passed - 1] if passed else 1.0


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

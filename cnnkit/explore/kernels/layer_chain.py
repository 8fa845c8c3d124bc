"""Convolution, ReLU, pooling and flattening of a map, and the options that ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnkit.errors import UsageError
from cnnkit.explore.kernels.operators import Operator
from cnnkit.explore.kernels.sliding import Sliding, Windows, all_windows, convolve, pool

Pair = tuple[int, int]


@dataclass(frozen=True)
class Pooling:
    """A pooling step.

    Args:
        kind: `max` or `average`.
        size: (rows, columns) of its window.
        sliding: how the window moves.
    """

    kind: str
    size: Pair
    sliding: Sliding


@dataclass(frozen=True)
class Chain:
    """The steps to do, in this order: convolution, ReLU, pooling, flattening.

    Args:
        sliding: how the kernel moves.
        relu: whether negative numbers are replaced by 0.
        pooling: None for no pooling.
        flatten: whether the rows are written one after the other.
    """

    sliding: Sliding = Sliding()
    relu: bool = False
    pooling: Pooling | None = None
    flatten: bool = False


def chain_of(
    *,
    stride: Pair | None = None,
    padding: str | None = None,
    pad: Pair | None = None,
    pad_mode: str | None = None,
    dilation_rate: Pair | None = None,
    relu: bool = False,
    pool: str | None = None,
    pool_size: Pair | None = None,
    pool_stride: Pair | None = None,
    pool_padding: str | None = None,
    flatten: bool = False,
) -> Chain:
    """Return the chain that the command's options describe; None is an option that was not given.

    Raises:
        UsageError: an option has nothing to act on, or two options add a border.
    """
    if pad_mode and not pad:
        raise UsageError(f"--pad-mode {pad_mode} needs --pad, the size of the border.")
    if pad and padding == "same":
        raise UsageError("--pad and --padding same both add a border. Give one of the two.")
    pool_options = {"--pool-size": pool_size, "--pool-stride": pool_stride}
    _refuse({**pool_options, "--pool-padding": pool_padding} if not pool else {}, "--pool")
    sliding = Sliding(
        stride or (1, 1),
        padding or "valid",
        pad or (0, 0),
        pad_mode or "zeros",
        dilation_rate or (1, 1),
    )
    pooling = None
    if pool:
        pooled = Sliding(pool_stride, pool_padding or "valid")
        pooling = Pooling(pool, pool_size or (2, 2), pooled)
    return Chain(sliding, relu, pooling, flatten)


def check_without_kernel(options: dict[str, Any]) -> None:
    """Refuse options that need a kernel, and options that ask for nothing.

    Args:
        options: those of `chain_of`, of a command without `--kernel`.

    Raises:
        UsageError: there are such options, or no step is asked for.
    """
    names = ("stride", "padding", "pad", "pad_mode", "dilation_rate")
    _refuse({f"--{name.replace('_', '-')}": options[name] for name in names}, "--kernel")
    if not (options["relu"] or options["pool"] or options["flatten"]):
        raise UsageError("There is nothing to do. Give --kernel, --relu, --pool or --flatten.")


def _refuse(given: dict[str, Any], needed: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} has no effect without {needed}. Give {needed} too.")


@dataclass(frozen=True, eq=False)
class Stage:
    """The result of one step.

    Args:
        name: `convolution`, `ReLU`, `max pooling`, `average pooling` or `flatten`.
        output: (rows, columns[, channels]); one axis after `flatten`.
        windows: the windows it was computed from; None if each number comes from one number.
        operator: the operator of a convolution.
    """

    name: str
    output: np.ndarray
    windows: Windows | None = None
    operator: Operator | None = None


def run_chain(values: np.ndarray, operator: Operator | None, chain: Chain) -> list[Stage]:
    """Return the result of each step of the chain.

    Args:
        values: (rows, columns) or (rows, columns, channels) of numbers.
        operator: None for no convolution.
        chain: the steps.

    Raises:
        UsageError: a window does not fit.
    """
    stages = []  # the order is that of a CNN: convolution, activation, pooling, flatten
    if operator is not None:
        stages.append(_convolution(values, operator, chain.sliding))
        values = stages[-1].output
    if chain.relu:
        values = np.maximum(values, 0.0)
        stages.append(Stage("ReLU", values))
    if chain.pooling:
        stages.append(_pooled(values, chain.pooling))
        values = stages[-1].output
    if chain.flatten:
        stages.append(Stage("flatten", values.reshape(-1)))
    return stages


def _convolution(values: np.ndarray, operator: Operator, sliding: Sliding) -> Stage:
    windows = all_windows(values, operator.size, sliding)
    parts = [convolve(windows, kernel) for kernel in operator.kernels]
    output = np.hypot(*parts) if len(parts) == 2 else parts[0]  # two: sqrt(x^2 + y^2)
    return Stage("convolution", output, windows, operator)


def _pooled(values: np.ndarray, pooling: Pooling) -> Stage:
    # A border must never be the largest number; for a mean it is left out of the count.
    fill = -np.inf if pooling.kind == "max" else 0.0
    windows = all_windows(values, pooling.size, pooling.sliding, fill=fill)
    return Stage(f"{pooling.kind} pooling", pool(windows, pooling.kind), windows)

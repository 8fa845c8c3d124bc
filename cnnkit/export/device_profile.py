"""What a `.tflite` needs on a small device: memory for its tensors, and room for the file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cnnkit.backend import tflite_schema

_ALIGNMENT = 16  # bytes; of TensorFlow Lite Micro
_BYTES = {
    **dict.fromkeys((tflite_schema.TensorType.FLOAT32, tflite_schema.TensorType.INT32), 4),
    **dict.fromkeys((tflite_schema.TensorType.FLOAT16, tflite_schema.TensorType.INT16), 2),
    **dict.fromkeys((tflite_schema.TensorType.FLOAT64, tflite_schema.TensorType.INT64), 8),
}
_WEIGHTED = (
    tflite_schema.BuiltinOperator.CONV_2D,
    tflite_schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    tflite_schema.BuiltinOperator.FULLY_CONNECTED,
)


class Lifetime(NamedTuple):
    """A tensor between its first and its last use.

    Args:
        size: in bytes.
        first: the number of the operation that makes it; -1 for the input.
        last: the number of the last operation that reads it.
    """

    size: int
    first: int
    last: int


@dataclass(frozen=True)
class DeviceProfile:
    """What a model needs on a device, for one image at a time.

    Args:
        arena_bytes: estimated memory for its tensors.
        flash_bytes: the size of the file.
        multiply_adds: of its convolutions and dense layers.
    """

    arena_bytes: int
    flash_bytes: int
    multiply_adds: int


def device_profile(path: Path) -> DeviceProfile:
    """Return what a `.tflite` needs.

    The memory is an estimate for TensorFlow Lite Micro, from below: its kernels may need scratch
    memory in addition, and its own structures take some kilobytes.
    """
    model = tflite_schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    arena = arena_size(_lifetimes(model.subgraphs[0], model.buffers))
    return DeviceProfile(arena, path.stat().st_size, _multiply_adds(model))


def arena_size(tensors: Iterable[Lifetime]) -> int:
    """Return the bytes of an arena in which tensors share memory that are not alive together.

    The largest tensor is placed first, and each one at the lowest free place while it is alive.

    Source: the GreedyMemoryPlanner of TensorFlow Lite Micro; Pisarchyk and Lee 2020,
    arXiv:2001.03288, greedy by size for offset calculation.

    >>> arena_size([Lifetime(64, -1, 0), Lifetime(32, 0, 1), Lifetime(64, 1, 2)])
    96
    """
    placed: list[tuple[int, int, Lifetime]] = []  # (begin, end, tensor)
    for tensor in sorted(tensors, key=lambda each: (-each.size, each.first)):
        size = math.ceil(tensor.size / _ALIGNMENT) * _ALIGNMENT
        begin = 0
        for other_begin, other_end, other in sorted(placed, key=lambda each: each[0]):
            if other.first > tensor.last or tensor.first > other.last:
                continue
            if begin + size <= other_begin:
                break
            begin = max(begin, other_end)
        placed.append((begin, begin + size, tensor))
    return max((end for _, end, _ in placed), default=0)


def _lifetimes(graph: Any, buffers: Sequence[Any]) -> list[Lifetime]:
    first = {index: -1 for index in graph.inputs}
    last = dict.fromkeys(graph.outputs, len(graph.operators))
    for number, operator in enumerate(graph.operators):
        for index in operator.outputs:
            first[index] = number
        for index in (*operator.inputs, *operator.outputs):
            last[index] = max(last.get(index, number), number)
    return [
        Lifetime(_size(graph.tensors[index]), begin, last.get(index, begin))
        for index, begin in first.items()
        if not _is_constant(graph.tensors[index], buffers)
    ]


def _multiply_adds(model: Any) -> int:
    graph, total = model.subgraphs[0], 0
    for operator in graph.operators:
        kind = model.operatorCodes[operator.opcodeIndex].builtinCode
        if kind in _WEIGHTED:
            weights, output = graph.tensors[operator.inputs[1]], graph.tensors[operator.outputs[0]]
            # Per number of the output; the last axis of depthwise weights is that of the output.
            axes = (
                slice(1, 3)
                if kind == tflite_schema.BuiltinOperator.DEPTHWISE_CONV_2D
                else slice(1, 4)
            )
            total += _count(output) * math.prod(int(side) for side in weights.shape[axes])
    return total


def _is_constant(tensor: Any, buffers: Sequence[Any]) -> bool:
    data = buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _count(tensor: Any) -> int:
    """Return how many numbers are in a tensor; an open number of images counts as 1."""
    shape = tensor.shape if tensor.shape is not None else ()
    return math.prod(max(1, int(side)) for side in shape)


def _size(tensor: Any) -> int:
    return _count(tensor) * _BYTES.get(tensor.type, 1)

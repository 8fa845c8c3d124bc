"""Read the tensors of a PyTorch checkpoint without PyTorch, and without running anything in it.

`torch.save` wrote this format until version 1.6: five pickles (a magic number, a format version,
facts about the machine, the tensors, the keys of their storages), then the numbers of each
storage: how many there are, as int64, and the numbers themselves. A pickle may name any Python
function to be called; here four names are allowed, and every other one is refused.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cnnkit.errors import UsageError
from cnnkit.text import shown

_MAGIC = 0x1950A86A20F9469CFC6C  # of torch.serialization
_VERSION = 1001


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a checkpoint by name, as arrays in C order.

    Args:
        path: a `.pth` file of the legacy format with a dict of tensors on the CPU.

    Raises:
        UsageError: the file has another format, other content than tensors, or is incomplete.
    """
    name = shown(str(path))
    try:
        with path.open("rb") as file:
            return _tensors_in(file)
    except _NotAllowedError as error:
        raise UsageError(f"{name} is not a checkpoint of tensors alone: {error}.") from error
    # What pickle raises for damaged files is not a closed list.
    except Exception as error:
        raise UsageError(
            f"{name} cannot be read as a PyTorch checkpoint of the format before 1.6: {error}."
        ) from error


class _NotAllowedError(Exception):
    pass


@dataclass
class _Storage:
    """A run of numbers in the file; its values are read after all pickles."""

    dtype: str
    size: int


@dataclass
class _Tensor:
    storage: _Storage
    offset: int  # in numbers, like the strides
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: np.ndarray) -> np.ndarray:
        last = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        # as_strided does not check: a damaged shape would read memory outside the storage.
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(numbers):
            raise ValueError("a tensor is larger than its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides)
        return np.ascontiguousarray(view)


class _Unpickler(pickle.Unpickler):
    """Unpickle tensors, their storages and ordered dicts, and refuse all other names."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": lambda storage, offset, shape, strides, *_: _Tensor(
                storage, offset, shape, strides
            ),
            "torch.FloatStorage": "<f4",
            "torch.LongStorage": "<i8",
        }
        if (full := f"{module}.{name}") not in allowed:
            raise _NotAllowedError(f"it names {full}")
        return allowed[full]

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, size, *_ = pid
        # Tensors may share a storage; its numbers are found by its identity, so there is one.
        return self.storages.setdefault(key, _Storage(dtype, size))


def _tensors_in(file: BinaryIO) -> dict[str, np.ndarray]:
    unpickler = _Unpickler(file)
    if unpickler.load() != _MAGIC or _Unpickler(file).load() != _VERSION:
        raise ValueError("it does not begin like one")
    if not _Unpickler(file).load()["little_endian"]:  # of the computer that wrote the file
        raise ValueError("its numbers are big-endian")
    content = _Unpickler(file)
    tensors = content.load()
    keys = _Unpickler(file).load()
    numbers = {id(content.storages[key]): _numbers(file, content.storages[key]) for key in keys}
    return {name: tensor.array(numbers[id(tensor.storage)]) for name, tensor in tensors.items()}


def _numbers(file: BinaryIO, storage: _Storage) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little")
    dtype = np.dtype(storage.dtype)
    content = file.read(size * dtype.itemsize) if size == storage.size else b""
    if len(content) != size * dtype.itemsize:
        raise ValueError("it is incomplete")
    return np.frombuffer(content, dtype)

"""Write features as they come, into a `.npy` with a list of paths next to it, or as Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.files import atomic_write

WriteRow = Callable[[str, NDArray], None]
_HEADER_BYTES = 128  # a multiple of 64, as NumPy's format asks for, with room for any shape


def paths_file(output: Path) -> Path:
    """Return the file of paths that belongs to a `.npy`: `a.paths.csv` for `a.npy`."""
    return output.with_suffix(".paths.csv")


@contextmanager
def npy_rows(output: Path, width: int) -> Iterator[WriteRow]:
    """Give a function that writes a row; both files appear when all are written.

    Args:
        output: a `.npy` file: float32 (num_images, width). `paths_file` has a column `path`, with
            a line for each row.
        width: the number of features.
    """
    number = 0
    with atomic_write(paths_file(output)) as paths, atomic_write(output, "wb") as file:
        writer = csv.writer(paths, lineterminator="\n")
        writer.writerow(["path"])
        file.write(_header(0, width))

        def write(path: str, features: NDArray) -> None:
            nonlocal number
            file.write(features.astype("<f4").tobytes())
            writer.writerow([path])
            number += 1

        yield write
        # How many rows there are is known only now.
        file.seek(0)
        file.write(_header(number, width))


def _header(rows: int, width: int) -> bytes:
    """Return the beginning of a file of NumPy's format, version 1.0."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}"
    length = _HEADER_BYTES - 10
    start = b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little")
    return start + text.ljust(length - 1).encode("ascii") + b"\n"


@contextmanager
def parquet_feature_rows(output: Path, width: int) -> Iterator[WriteRow]:
    """Give a function that writes a row; the file appears when all are written.

    Args:
        output: a Parquet file with the columns `path` and `features`, a list of `width` floats.
        width: the number of features.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = pyarrow.schema(
        [("path", pyarrow.string()), ("features", pyarrow.list_(pyarrow.float32(), width))]
    )
    most = max(1, 2**22 // width)  # rows of a group
    names: list[str] = []
    rows: list[NDArray] = []

    with atomic_write(output, "wb") as file, ParquetWriter(file, schema) as writer:

        def write_group() -> None:
            values = pyarrow.array(np.concatenate(rows))
            features = pyarrow.FixedSizeListArray.from_arrays(values, width)
            writer.write_table(pyarrow.table([pyarrow.array(names), features], schema=schema))
            names.clear()
            rows.clear()

        def write(path: str, features: NDArray) -> None:
            names.append(path.encode(errors="replace").decode())
            rows.append(features.astype(np.float32))
            if len(rows) == most:
                write_group()

        yield write
        if rows:
            write_group()

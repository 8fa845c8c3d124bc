"""Write predictions as Parquet: columns with types, in groups of rows, so memory stays flat."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnnkit.errors import UsageError
from cnnkit.prediction.predict_images import Prediction

if TYPE_CHECKING:
    import pyarrow

MOST_ROWS = 2**14  # of a group
_MOST_VALUES = 2**22


def check_parquet(output: Path | None) -> Path:
    """Return the file to write, or refuse it before anything is predicted.

    Raises:
        UsageError: pyarrow is missing, or there is no file to write.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError('Writing Parquet needs pyarrow: pip install "cnnkit[parquet]".')
    if output is None or (output.exists() and not output.is_file()):
        raise UsageError("Parquet is written into a file: name it with --output FILE.parquet.")
    return output


@contextmanager
def parquet_rows(
    file: BinaryIO, header: Sequence[str], class_names: Sequence[str], topk: int
) -> Iterator[Callable[[Prediction], object]]:
    """Give a function that writes a row.

    Args:
        file: open for writing.
        header: the columns, those of CSV.
        class_names: ordered by label.
        topk: how many classes to name per image.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema, waiting = _schema(header), list[Prediction]()
    most = max(1, min(MOST_ROWS, _MOST_VALUES // len(header)))

    with ParquetWriter(file, schema) as writer:

        def write_group() -> None:
            columns = _columns(waiting, class_names, topk)
            arrays = [pyarrow.array(columns[each.name], each.type) for each in schema]
            writer.write_table(pyarrow.table(arrays, schema=schema))
            waiting.clear()

        def write_row(prediction: Prediction) -> None:
            waiting.append(prediction)
            if len(waiting) == most:
                write_group()

        yield write_row
        if waiting:
            write_group()


def _schema(header: Sequence[str]) -> pyarrow.Schema:
    import pyarrow

    names = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())

    def kind(column: str) -> pyarrow.DataType:
        if column.startswith(("p_", "probability", "distance")):
            return pyarrow.float32()
        return names if column.startswith(("prediction", "reason")) else pyarrow.string()

    return pyarrow.schema([(column, kind(column)) for column in header])


def _columns(
    predictions: Sequence[Prediction], class_names: Sequence[str], topk: int
) -> dict[str, Any]:
    """Return the values of each column, None where an image has none."""
    columns: dict[str, Any] = {
        "path": [_text(each.path) for each in predictions],
        "error": [each.error and _text(each.error) for each in predictions],
        "reason": [each.reason for each in predictions],
        "distance": [each.distance for each in predictions],
    }
    tops = [each.top(topk) for each in predictions]
    for rank in range(topk):
        suffix = "" if rank == 0 else f"_{rank + 1}"
        columns[f"prediction{suffix}"] = [top[rank][0] if top else None for top in tops]
        columns[f"probability{suffix}"] = [top[rank][1] if top else None for top in tops]
    columns["prediction"] = [each.answer for each in predictions]
    values = np.ma.masked_all((len(predictions), len(class_names)), np.float32)
    for row, each in zip(values, predictions, strict=True):
        if each.probabilities is not None:
            row[:] = each.probabilities
    for label, name in enumerate(class_names):
        columns[f"p_{name}"] = values[:, label]
    return columns


def _text(name: str) -> str:
    """Return a name as JSON writes it: Parquet has only UTF-8, but the name of a file may not."""
    return name.encode("utf-8", "backslashreplace").decode()

"""Join Parquet files with answers into one, in the order of the paths; all is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnkit.errors import UsageError
from cnnkit.files import atomic_write
from cnnkit.prediction.merged_answers import MergedAnswers
from cnnkit.prediction.parquet_output import MOST_ROWS, check_parquet
from cnnkit.text import shown

if TYPE_CHECKING:
    import pyarrow


def merge_parquet(files: Sequence[Path], output: Path) -> MergedAnswers:
    """Join files. A row that several files have in the same way appears once.

    Args:
        files: of `cnnkit predict`, all of one model.
        output: the file to write.

    Raises:
        UsageError: as for `merge_answers`, or pyarrow is missing.
    """
    check_parquet(output)
    import pyarrow
    from pyarrow import compute, parquet

    tables = [_table(path) for path in files]
    for path, table in zip(files, tables, strict=True):
        if not table.schema.equals(tables[0].schema):
            raise UsageError(
                f"{shown(str(path))} has other columns than {shown(str(files[0]))}. Merge the "
                "answers of one model, made with the same --topk."
            )
    merged = pyarrow.concat_tables(tables).unify_dictionaries().sort_by("path")
    merged = merged.filter(_are_first(merged))
    with atomic_write(output, "wb") as file:
        parquet.write_table(merged, file, row_group_size=MOST_ROWS)
    failed = merged.filter(compute.is_valid(merged["error"]))["path"].to_pylist()
    return MergedAnswers(output, len(files), len(merged), tuple(failed))


def _table(path: Path) -> pyarrow.Table:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, partitioning=None)
    except pyarrow.ArrowException as error:
        raise UsageError(
            f"{shown(str(path))} cannot be read ({error}). Run that prediction again."
        ) from error
    if table.column_names[:3] != ["path", "prediction", "probability"]:
        raise UsageError(f"{shown(str(path))} has no answers of cnnkit predict.")
    return table


def _are_first(merged: pyarrow.Table) -> pyarrow.Array:
    """Return which rows of a sorted table are the first with their path.

    Raises:
        UsageError: another row with the same path has another answer.
    """
    import numpy as np
    import pyarrow
    from pyarrow import compute

    paths = merged["path"].combine_chunks()
    again = compute.equal(paths[1:], paths[:-1]).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(again).tolist():
        if merged.slice(row, 1).to_pylist() != merged.slice(row + 1, 1).to_pylist():
            raise UsageError(
                f"{shown(paths[row].as_py())} has different answers in several files. Merge the "
                "answers of one model."
            )
    return pyarrow.array(np.concatenate([[True], ~again]) if len(merged) else [], pyarrow.bool_())

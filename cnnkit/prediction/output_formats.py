"""Write predictions as a table, as CSV or as JSON lines, each as soon as it is known."""

from __future__ import annotations

import csv
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from cnnkit.errors import UsageError
from cnnkit.files import PATHS_AS_THEY_ARE, atomic_write
from cnnkit.prediction.predict_images import Prediction
from cnnkit.streams import is_stdout_closed, is_stdout_lost, json_text
from cnnkit.text import duration_text, shown

if TYPE_CHECKING:
    from cnnkit.data.sources.ignored import Ignored

Answer = TypeVar("Answer")
_SECONDS_BETWEEN_NOTES = 10
_FORMAT_OF_EXTENSION = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


def _csv_header(class_names: Sequence[str], topk: int, is_calibrated: bool) -> list[str]:
    more = [f"{key}_{rank}" for rank in range(2, topk + 1) for key in ("prediction", "probability")]
    classes = [f"p_{name}" for name in class_names]
    known = ["reason", "distance"] if is_calibrated else []
    return ["path", "prediction", "probability", *more, "error", *known, *classes]


def _csv_row(prediction: Prediction, topk: int) -> dict[str, object]:
    values: dict[str, object] = {"path": prediction.path, "error": prediction.error}
    for rank, (name, probability) in enumerate(prediction.top(topk), start=1):
        suffix = "" if rank == 1 else f"_{rank}"
        values[f"prediction{suffix}"] = name
        values[f"probability{suffix}"] = f"{probability:.6g}"
    if prediction.reason is not None:
        values |= {"prediction": prediction.answer, "reason": prediction.reason}
    if prediction.distance is not None:
        values["distance"] = f"{prediction.distance:.6g}"
    if prediction.probabilities is not None:
        # Numbers of Python are formatted several times as fast as those of NumPy.
        probabilities = prediction.probabilities.tolist()
        values |= {
            f"p_{name}": f"{probability:.6g}"
            for name, probability in zip(prediction.class_names, probabilities, strict=True)
        }
    return values


def format_of(output: Path | None) -> str:
    """Return the format that the name of a file chooses; `table` for others and for a screen."""
    return _FORMAT_OF_EXTENSION.get(output.suffix.lower(), "table") if output else "table"


def write_predictions(
    predictions: Iterable[Prediction],
    class_names: Sequence[str],
    format_: str,
    topk: int,
    output: Path | None,
    ignored: Ignored | None = None,
    *,
    is_calibrated: bool = False,
) -> tuple[int, int]:
    """Write each prediction as soon as it is known; return their number and that of the errors.

    Args:
        predictions: the stream.
        class_names: ordered by label.
        format_: `table`, `csv`, `jsonl` or `parquet`.
        topk: how many classes to name per image.
        output: a file, which appears only when all is written; None for stdout.
        ignored: the files that are not predicted, complete after the last prediction. They become
            the last lines of `jsonl`; the other formats have no place for them.
        is_calibrated: whether answers may be `unknown`; then `csv` has columns for the reason and
            the distance.

    Raises:
        UsageError: `output` is None, and stdout is closed or no place for this format.
    """
    topk = min(topk, len(class_names))
    header = _csv_header(class_names, topk, is_calibrated)
    if format_ == "parquet":
        from cnnkit.prediction.parquet_output import check_parquet, parquet_rows

        with (
            atomic_write(check_parquet(output), "wb") as file,
            parquet_rows(file, header, class_names, topk) as write_row,
        ):
            return _count(predictions, write_row)
    if output is None:
        if is_stdout_closed():
            raise UsageError("Standard output is closed. Write into a file: --output FILE.")
        if format_ == "csv":  # the same bytes as in a file; JSON can be escaped instead
            sys.stdout.reconfigure(**PATHS_AS_THEY_ARE)
        return _write(predictions, header, format_, topk, sys.stdout, ignored)
    with atomic_write(output) as file:
        return _write(predictions, header, format_, topk, file, ignored)


def with_pace(predictions: Iterable[Answer], note: Callable[[str], object]) -> Iterator[Answer]:
    """Yield answers, one per image, and say every ten seconds how many came, and how fast."""
    begin = said = time.perf_counter()
    number = 0
    for number, prediction in enumerate(predictions, 1):
        yield prediction
        now = time.perf_counter()
        if now - said >= _SECONDS_BETWEEN_NOTES:
            said = now
            note(f"{number:,} images, {number / (now - begin):,.0f} images/s")
    if said > begin:
        seconds = time.perf_counter() - begin
        rate = f"{number / seconds:,.0f} images/s"
        note(f"{number:,} images in {duration_text(seconds)}, {rate}")


def _write(
    predictions: Iterable[Prediction],
    header: Sequence[str],
    format_: str,
    topk: int,
    file: TextIO,
    ignored: Ignored | None,
) -> tuple[int, int]:
    write_row = _row_writer(header, format_, topk, file)
    # A program that reads our output through a pipe gets each row at once; nobody sees a file yet.
    is_seen = file is sys.stdout or not stat.S_ISREG(os.fstat(file.fileno()).st_mode)

    def write_at_once(prediction: Prediction) -> bool:
        write_row(prediction)
        if is_seen:
            file.flush()
        # Nobody reads what would follow, as in `cnnkit predict - | head`.
        return file is sys.stdout and is_stdout_lost()

    total, failed = _count(predictions, write_at_once)
    if format_ == "jsonl" and ignored is not None:
        for path, reason in ignored.rows():
            file.write(f"{json_text({'path': path, 'ignored': reason}, file)}\n")
    return total, failed


def _count(
    predictions: Iterable[Prediction], write_row: Callable[[Prediction], object]
) -> tuple[int, int]:
    """Write all predictions, or until `write_row` returns True; return how many, and errors."""
    total = failed = 0
    for prediction in predictions:
        is_enough = write_row(prediction)
        total += 1
        failed += prediction.error is not None
        if is_enough:
            break
    return total, failed


def _row_writer(
    header: Sequence[str], format_: str, topk: int, file: TextIO
) -> Callable[[Prediction], object]:
    if format_ == "csv":
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        return lambda prediction: writer.writerow(_csv_row(prediction, topk))
    if format_ == "jsonl":
        return lambda prediction: file.write(f"{json_text(facts_of(prediction, topk), file)}\n")
    return lambda prediction: file.write(f"{_table_line(prediction, topk)}\n")


def facts_of(prediction: Prediction, topk: int) -> dict[str, Any]:
    """Return a line of `jsonl` as plain values."""
    if prediction.error is not None:
        kind = {} if prediction.kind is None else {"kind": prediction.kind}
        return {"path": prediction.path, "error": prediction.error, **kind}
    top = [{"class": name, "probability": round(p, 6)} for name, p in prediction.top(topk)]
    facts = {"prediction": prediction.answer, "probability": top[0]["probability"]}
    if prediction.reason is not None:
        facts["reason"] = prediction.reason
    if prediction.distance is not None:
        facts["distance"] = round(prediction.distance, 6)
    return {"path": prediction.path, **facts, "top": top}


def _table_line(prediction: Prediction, topk: int) -> str:
    """Return a line of the table. Its columns are not aligned: the rows to come are not known."""
    if prediction.error is not None:
        return f"{shown(prediction.path)}  ERROR  {prediction.error}"
    answers = [f"{name} {probability:.4f}" for name, probability in prediction.top(topk)]
    if prediction.reason is not None:
        # Without --topk, a class next to `unknown` would be read as the answer.
        answers = ["unknown", *(answers if topk > 1 else []), f"({prediction.reason})"]
    return "  ".join([shown(prediction.path), *answers])

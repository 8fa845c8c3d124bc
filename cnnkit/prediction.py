"""Files, folders, globs or bytes enter; one prediction an image leaves, in order, as a stream.

Images are read in threads a few ahead of the model, so memory does not grow with their number.
A file that cannot be read gives a prediction with its error, and the others go on.
"""

from __future__ import annotations

import csv
import glob
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.records import ImageFile
from cnnkit.data.sources.folders import image_files
from cnnkit.errors import ImageError, UsageError
from cnnkit.files import PATHS_AS_THEY_ARE, atomic_write
from cnnkit.runtimes import Predictor

_END = object()


@dataclass(frozen=True)
class Prediction:
    """One image's answer: either probabilities (num_classes,) or the reason why there are none."""

    path: str
    class_names: tuple[str, ...]
    probabilities: NDArray | None = None
    error: str | None = None

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable classes with their probabilities, the largest first."""
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.class_names[label], float(self.probabilities[label])) for label in order]


def predict(
    predictor: Predictor, images: Iterable[str | ImageFile | bytes]
) -> Iterator[Prediction]:
    """Yield one prediction an image, in order. Bytes are an image file's content, named `-`."""
    names = predictor.info.class_names
    for name, future in _read_ahead(images, predictor.info.pixels):
        try:
            pixels = future.result()
        except ImageError as error:
            yield Prediction(name, names, error=str(error))
            continue
        yield Prediction(name, names, predictor(pixels[None])[0])


def find_images(patterns: Iterable[str]) -> Iterator[str]:
    """Yield the image files behind paths: a file itself, a folder's images, a glob's matches.

    What matches nothing is yielded as it is, so that its prediction says that it is not there.
    """
    for pattern in patterns:
        if os.path.isdir(pattern):
            yield from [str(file) for file in image_files(Path(pattern))] or [pattern]
        elif not os.path.lexists(pattern) and glob.has_magic(pattern):
            yield from sorted(glob.iglob(pattern, recursive=True)) or [pattern]
        else:
            yield pattern


def _read_ahead(
    images: Iterable[str | ImageFile | bytes], settings: PixelSettings
) -> Iterator[tuple[str, Future]]:
    workers = os.cpu_count() or 1
    waiting: queue.Queue = queue.Queue(maxsize=2 * workers)
    stopped = threading.Event()

    def feed(pool: ThreadPoolExecutor) -> None:
        try:
            for image in images:
                name = "-" if isinstance(image, bytes) else str(image)
                waiting.put((name, pool.submit(read_pixels, image, settings)))
                if stopped.is_set():
                    return
        except BaseException as error:  # the consumer raises it
            waiting.put(error)
        else:
            waiting.put(_END)

    with ThreadPoolExecutor(workers) as pool:
        threading.Thread(target=feed, args=(pool,), daemon=True).start()
        try:
            while (item := waiting.get()) is not _END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            while not waiting.empty():  # let a feeder that waits for a place see that it is over
                waiting.get_nowait()


def row_header(class_names: Sequence[str], *, label: bool, topk: int = 1) -> list[str]:
    """Return a predictions CSV's columns: `label` where the truth is known, `error` where not."""
    more = [f"{key}_{rank}" for rank in range(2, topk + 1) for key in ("prediction", "probability")]
    known = ["label"] if label else []
    errors = [] if label else ["error"]
    classes = [f"p_{name}" for name in class_names]
    return ["path", *known, "prediction", "probability", *more, *errors, *classes]


def row(prediction: Prediction, *, label: str | None = None, topk: int = 1) -> dict[str, object]:
    """Return one CSV row of a prediction, its columns those of `row_header`."""
    values: dict[str, object] = {"path": prediction.path}
    values |= {"error": prediction.error} if label is None else {"label": label}
    for rank, (name, probability) in enumerate(prediction.top(topk), start=1):
        suffix = "" if rank == 1 else f"_{rank}"
        values[f"prediction{suffix}"] = name
        values[f"probability{suffix}"] = f"{probability:.6g}"
    if prediction.probabilities is not None:
        values |= {
            f"p_{name}": f"{probability:.6g}"
            for name, probability in zip(
                prediction.class_names, prediction.probabilities, strict=True
            )
        }
    return values


def write_predictions(
    predictions: Iterable[Prediction],
    class_names: Sequence[str],
    format_: str,
    topk: int,
    output: Path | None,
) -> tuple[int, int]:
    """Write predictions one by one as they come and return how many there were and how many failed.

    Args:
        predictions: the stream.
        class_names: ordered by label.
        format_: `table`, `csv` or `jsonl`.
        topk: classes an image.
        output: a file that appears when all is written; None for stdout.
    """
    if output is None:
        if sys.stdout is None:
            raise UsageError("Standard output is closed: give --output FILE.")
        sys.stdout.reconfigure(**PATHS_AS_THEY_ARE)
        return _write(predictions, class_names, format_, topk, sys.stdout)
    with atomic_write(output) as file:
        return _write(predictions, class_names, format_, topk, file)


def _write(
    predictions: Iterable[Prediction],
    class_names: Sequence[str],
    format_: str,
    topk: int,
    file: TextIO,
) -> tuple[int, int]:
    topk = min(topk, len(class_names))
    write_row = _row_writer(class_names, format_, topk, file)
    total = failed = 0
    for prediction in predictions:
        write_row(prediction)
        file.flush()
        total += 1
        failed += prediction.error is not None
    return total, failed


def _row_writer(
    class_names: Sequence[str], format_: str, topk: int, file: TextIO
) -> Callable[[Prediction], object]:
    if format_ == "csv":
        header = row_header(class_names, label=False, topk=topk)
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        return lambda prediction: writer.writerow(row(prediction, topk=topk))
    line = _json_line if format_ == "jsonl" else _table_line
    return lambda prediction: file.write(line(prediction, topk) + "\n")


def _json_line(prediction: Prediction, topk: int) -> str:
    if prediction.error is not None:
        return json.dumps({"path": prediction.path, "error": prediction.error}, ensure_ascii=False)
    top = [{"class": name, "probability": round(p, 6)} for name, p in prediction.top(topk)]
    best = {"prediction": top[0]["class"], "probability": top[0]["probability"]}
    return json.dumps({"path": prediction.path, **best, "top": top}, ensure_ascii=False)


def _table_line(prediction: Prediction, topk: int) -> str:
    if prediction.error is not None:
        return f"{prediction.path}  ERROR  {prediction.error}"
    answers = (f"{name} {probability:.4f}" for name, probability in prediction.top(topk))
    return "  ".join([prediction.path, *answers])

"""Predict a stream of images, in order, and write the predictions one by one.

Threads read a few images ahead of the model, so memory does not grow with their number. A file
that cannot be read gives a prediction with an error, and the next image follows.
"""

from __future__ import annotations

import csv
import glob
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.image_file import ImageFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.sources.folder_walk import image_files
from cnnkit.data.sources.ignored import SYSTEM, Ignored, is_system
from cnnkit.errors import ImageError, UsageError
from cnnkit.files import PATHS_AS_THEY_ARE, atomic_write
from cnnkit.runtimes import Predictor
from cnnkit.streams import is_stdout_closed, is_stdout_lost, json_text
from cnnkit.text import is_web_address, shown

_END = object()  # put into the queue after the last image


class NoImages(str):
    """A folder or glob that gives no image. Its prediction has the reason as its error."""

    reason: str

    def __new__(cls, pattern: str, reason: str) -> NoImages:
        """Return the pattern, with the attribute `reason`."""
        made = super().__new__(cls, pattern)
        made.reason = reason
        return made


@dataclass(frozen=True)
class Prediction:
    """The answer for one image: probabilities, or the reason why there are none.

    Args:
        path: as the user gave it; `-` for an image that was given as bytes.
        class_names: in label order.
        probabilities: (num_classes,); None if the image cannot be read.
        error: why it cannot be read; None if it can.
    """

    path: str
    class_names: tuple[str, ...]
    probabilities: NDArray | None = None
    error: str | None = None

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable classes with their probabilities, the largest first.

        The list is empty if there is an error.
        """
        if self.probabilities is None:
            return []
        # The stable sort puts the first of several equal classes first, as argmax does.
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.class_names[label], float(self.probabilities[label])) for label in order]


def predict(
    predictor: Predictor, images: Iterable[str | ImageFile | bytes]
) -> Iterator[Prediction]:
    """Yield one prediction per image, in order.

    Args:
        predictor: the model.
        images: paths, files inside other files, or the bytes of an image file.
    """
    names = predictor.info.class_names
    for name, future in _read_ahead(images, predictor.info.pixels):
        try:
            pixels = future.result()
        except ImageError as error:
            yield Prediction(name, names, error=str(error))
            continue
        # One image at a time: an answer must not depend on its neighbours, nor wait for them.
        yield Prediction(name, names, predictor(pixels[np.newaxis])[0])


def find_images(patterns: Iterable[str], ignored: Ignored | None = None) -> Iterator[str]:
    """Yield the image files for each pattern: a file itself, a folder's images, a glob's matches.

    A pattern that gives no image is yielded unchanged: its prediction then says why.

    Args:
        patterns: paths of files and folders, and globs.
        ignored: gets the files and folders inside the given folders that are not images.
    """
    ignored = Ignored() if ignored is None else ignored
    for pattern in patterns:
        if os.path.isdir(pattern):
            yield from image_files(pattern, ignored) or [
                NoImages(pattern, "the folder contains no images")
            ]
        elif glob.has_magic(pattern) and not (os.path.lexists(pattern) or is_web_address(pattern)):
            literal = pattern.replace("[", "[[]")  # of a folder such as `photos [2024]`
            yield from (
                _matches(pattern, ignored)
                or _matches(literal, ignored)
                or [NoImages(pattern, "no file matches this pattern")]
            )
        else:
            yield pattern


def _matches(pattern: str, ignored: Ignored) -> list[str]:
    """Return what a glob matches, sorted, because its own order is that of the file system.

    A glob matches no hidden files, so it skips those of the system as well, unless it names them.
    """
    found = []
    named = set(pattern.split(os.sep))
    for path in sorted(glob.iglob(pattern, recursive=True)):
        hidden = [part for part in path.split(os.sep) if part not in named and is_system(part)]
        if hidden:
            ignored.add(SYSTEM, path)
        else:
            found.append(path)
    return found


def _read_ahead(
    images: Iterable[str | ImageFile | bytes], settings: PixelSettings
) -> Iterator[tuple[str, Future]]:
    """Yield (name, future of its pixels) for each image.

    The images come from a thread of their own, because asking for the next one may block: paths on
    stdin may arrive slowly, and the answers so far should not wait for them.
    """
    workers = os.cpu_count() or 1
    # Twice the workers: while the model answers, each worker has a next image to begin with.
    waiting: queue.Queue = queue.Queue(maxsize=2 * workers)
    stopped = threading.Event()

    def feed(pool: ThreadPoolExecutor) -> None:
        try:
            for image in images:
                name = "-" if isinstance(image, bytes) else str(image)
                waiting.put((name, pool.submit(_pixels_of, image, settings)))
                if stopped.is_set():
                    return
        except BaseException as error:  # passed on: the consumer raises it
            waiting.put(error)
        else:
            waiting.put(_END)

    with ThreadPoolExecutor(workers) as pool:
        # A daemon: it may be waiting for a line of standard input that never comes.
        threading.Thread(target=feed, args=(pool,), daemon=True).start()
        try:
            while (item := waiting.get()) is not _END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            # The feeder may wait for a free place in the queue: make room, so that it can stop.
            while not waiting.empty():
                waiting.get_nowait()


def _pixels_of(image: str | ImageFile | bytes, settings: PixelSettings) -> NDArray:
    if isinstance(image, NoImages):
        raise ImageError(image.reason, kind="unreadable_file")
    return read_pixels(image, settings)


def csv_header(
    class_names: Sequence[str], *, label: bool, topk: int = 1, per_class: bool = True
) -> list[str]:
    """Return the columns of a CSV of predictions.

    Args:
        class_names: in label order.
        label: whether the true classes are known. Then there is a column `label`, and otherwise a
            column `error`.
        topk: how many classes are named per image.
        per_class: whether there is a column with the probability of each class.
    """
    more = [f"{key}_{rank}" for rank in range(2, topk + 1) for key in ("prediction", "probability")]
    known = ["label"] if label else []
    errors = [] if label else ["error"]
    classes = [f"p_{name}" for name in class_names] if per_class else []
    return ["path", *known, "prediction", "probability", *more, *errors, *classes]


def csv_row(
    prediction: Prediction, *, label: str | None = None, topk: int = 1, per_class: bool = True
) -> dict[str, object]:
    """Return the row of a prediction, with the columns of `csv_header`."""
    values: dict[str, object] = {"path": prediction.path}
    values |= {"error": prediction.error} if label is None else {"label": label}
    for rank, (name, probability) in enumerate(prediction.top(topk), start=1):
        suffix = "" if rank == 1 else f"_{rank}"
        values[f"prediction{suffix}"] = name
        values[f"probability{suffix}"] = f"{probability:.6g}"
    if prediction.probabilities is not None and per_class:
        # Numbers of Python are formatted several times as fast as those of NumPy.
        probabilities = prediction.probabilities.tolist()
        values |= {
            f"p_{name}": f"{probability:.6g}"
            for name, probability in zip(prediction.class_names, probabilities, strict=True)
        }
    return values


def write_predictions(
    predictions: Iterable[Prediction],
    class_names: Sequence[str],
    format_: str,
    topk: int,
    output: Path | None,
) -> tuple[int, int]:
    """Write each prediction as soon as it is known; return their number and that of the errors.

    Args:
        predictions: the stream.
        class_names: ordered by label.
        format_: `table`, `csv` or `jsonl`.
        topk: how many classes to name per image.
        output: a file, which appears only when all is written; None for stdout.

    Raises:
        UsageError: `output` is None and stdout is closed.
    """
    if output is None:
        if is_stdout_closed():
            raise UsageError("Standard output is closed. Write into a file: --output FILE.")
        if format_ == "csv":  # the same bytes as in a file; JSON can be escaped instead
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
        file.flush()  # a program that reads our output through a pipe gets each row at once
        total += 1
        failed += prediction.error is not None
        if file is sys.stdout and is_stdout_lost():
            break  # nobody reads what would follow, as in `cnnkit predict - | head`
    return total, failed


def _row_writer(
    class_names: Sequence[str], format_: str, topk: int, file: TextIO
) -> Callable[[Prediction], object]:
    if format_ == "csv":
        header = csv_header(class_names, label=False, topk=topk)
        writer = csv.DictWriter(file, header, lineterminator="\n")
        writer.writeheader()
        return lambda prediction: writer.writerow(csv_row(prediction, topk=topk))
    if format_ == "jsonl":
        return lambda prediction: file.write(f"{json_text(_facts(prediction, topk), file)}\n")
    return lambda prediction: file.write(f"{_table_line(prediction, topk)}\n")


def _facts(prediction: Prediction, topk: int) -> dict[str, Any]:
    if prediction.error is not None:
        return {"path": prediction.path, "error": prediction.error}
    top = [{"class": name, "probability": round(p, 6)} for name, p in prediction.top(topk)]
    best = {"prediction": top[0]["class"], "probability": top[0]["probability"]}
    return {"path": prediction.path, **best, "top": top}


def _table_line(prediction: Prediction, topk: int) -> str:
    """Return a line of the table. Its columns are not aligned: the rows to come are not known."""
    if prediction.error is not None:
        return f"{shown(prediction.path)}  ERROR  {prediction.error}"
    answers = (f"{name} {probability:.4f}" for name, probability in prediction.top(topk))
    return "  ".join([shown(prediction.path), *answers])

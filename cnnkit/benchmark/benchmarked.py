"""Measure several models, one after the other, and put the numbers into one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.benchmark.contestant import Contestant
from cnnkit.benchmark.measurement import Job, Measurement, Timing, measure
from cnnkit.config import ShapesConfig, load_config
from cnnkit.data.records import ImageRecord
from cnnkit.data.scored_images import run_images
from cnnkit.data.sources.listing import read_source
from cnnkit.data.worker_processes import WorkerPool
from cnnkit.errors import CnnkitError, DataError, UsageError
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.progress import Report
from cnnkit.tables import table_text
from cnnkit.text import count_of, first_few, size_text

Note = Callable[[str], Any]


@dataclass(frozen=True)
class Plan:
    """How models are measured.

    Args:
        threads: the numbers of cores.
        batch_sizes: images per call.
        seconds: for each number of cores and each batch size.
        num_images: at most so many are answered, chosen by chance with a fixed seed.
    """

    threads: Sequence[int]
    batch_sizes: Sequence[int]
    seconds: float
    num_images: int


@dataclass(frozen=True, eq=False)
class Row:
    """What was measured of one model with one number of cores.

    Args:
        name: of the model.
        num_bytes: its size on disk.
        threads: the number of cores.
        accuracy: on the images; None if there are none.
        agreement: the share of images for which the original names the same class; None if there
            are no images, or the classes are others.
        measured: the rest.
    """

    name: str
    num_bytes: int
    threads: int
    accuracy: float | None
    agreement: float | None
    measured: Measurement

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        facts = {"model": self.name, "bytes": self.num_bytes, "threads": self.threads}
        if self.measured.error is not None:
            return {**facts, "error": self.measured.error}
        return {
            **facts,
            "accuracy": self.accuracy,
            "agreement": self.agreement,
            "load_seconds": self.measured.load_seconds,
            "peak_megabytes": self.measured.peak_megabytes,
            "timings": [asdict(each) for each in self.measured.timings],
        }

    def cells(self) -> list[list[str]]:
        """Return the lines of the table: one per batch size."""
        start = [self.name, size_text(self.num_bytes)]
        if self.measured.error is not None:
            return [[*start, *[""] * 10]]
        peak = self.measured.peak_megabytes
        about = [
            *(_number(self.accuracy, ".3f"), _number(self.agreement, ".3f")),
            f"{self.measured.load_seconds:.2f}",
            _number(peak, ".0f"),
        ]
        return [[*start, *about, str(self.threads), *_timing_cells(each)] for each in self.timings]

    def about(self) -> str:
        """Return the size and the accuracy, for a picture."""
        about = size_text(self.num_bytes)
        if self.accuracy is not None:
            about += f", accuracy {self.accuracy:.3f}"
        return about

    def first_times(self) -> tuple[float, float] | None:
        """Return (p50, p99) in milliseconds per image of the smallest batch; None if it failed."""
        if not self.timings:
            return None
        first = self.timings[0]
        return first.p50_ms / first.batch_size, first.p99_ms / first.batch_size

    @property
    def timings(self) -> list[Timing]:
        """One per batch size."""
        return self.measured.timings


@dataclass(frozen=True)
class Benchmark:
    """The table of `cnnkit benchmark`.

    Args:
        rows: one per model and number of cores.
        images: on how many the models were compared.
        split: whose images they are; None without a split.
    """

    rows: list[Row]
    images: int
    split: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        rows = [row.as_dict() for row in self.rows]
        return {"images": self.images, "split": self.split, "models": rows}

    def text(self) -> str:
        """Return the table."""
        numbers = [
            *("size", "accuracy", "agreement", "load s", "peak MB", "threads", "batch"),
            *("p50 ms", "p95 ms", "p99 ms", "images/s"),
        ]
        cells = [cells for row in self.rows for cells in row.cells()]
        table = table_text(["model", *numbers], cells, right=numbers, fold=False)
        if not self.images:
            return table
        images = count_of(self.images, f"{self.split} image" if self.split else "image")
        return f"{table}\naccuracy and agreement with the original on {images}"

    def draw(self, path: Path) -> None:
        """Draw the times of one image, or of the smallest batch, into a PNG or SVG file."""
        # Not imported by those who only want the numbers.
        from cnnkit.plots.benchmark_plot import plot_benchmark

        threads = list(dict.fromkeys(row.threads for row in self.rows))
        names = list(dict.fromkeys(row.name for row in self.rows))
        rows = {(row.name, row.threads): row for row in self.rows}
        facts = [rows[name, threads[0]].about() for name in names]
        times = [[rows[name, number].first_times() for number in threads] for name in names]
        plot_benchmark(names, facts, threads, times, path)

    def failures(self) -> list[str]:
        """Return a sentence for each model that could not be measured."""
        failed = {row.name: row.measured.error for row in self.rows if row.measured.error}
        return [f"{name}: {error}" for name, error in failed.items()]

    def failure(self) -> CnnkitError | None:
        """Return the error for models that could not be measured; None if all were."""
        if not (failed := self.failures()):
            return None
        return CnnkitError(f"{count_of(len(failed), 'model')} could not be measured.")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _timing_cells(timing: Timing) -> list[str]:
    times = (timing.p50_ms, timing.p95_ms, timing.p99_ms)
    return [
        str(timing.batch_size),
        *(f"{each:.2f}" for each in times),
        f"{timing.images_per_second:,.0f}",
    ]


def benchmark(
    contestants: Sequence[Contestant],
    plan: Plan,
    how: HowToRead,
    *,
    data: str | None = None,
    note: Note,
    report: Report,
) -> Benchmark:
    """Measure models, each in a process of its own.

    Args:
        contestants: the models.
        plan: how.
        how: what is said about files that cnnkit did not write.
        data: images with known classes instead of those of the run.
        note: called with each sentence for the user.
        report: shows how many are done.

    Raises:
        CnnkitError: the images cannot be found.
    """
    images = _Images(contestants, plan.num_images, data, note)
    rows: list[Row] = []
    original: dict[Path, Measurement] = {}
    jobs = [(each, threads) for each in contestants for threads in plan.threads]
    with report.counting("models") as advance:
        for done, (each, threads) in enumerate(jobs, 1):
            # The answers do not depend on the number of cores.
            first = threads == plan.threads[0]
            job = Job(each.path, how, threads, plan.batch_sizes, plan.seconds, images.files, first)
            found = _in_own_process(job)
            if first:
                answers = found
                original.setdefault(each.original, found)
            scores = images.scores(each.name, answers, original[each.original])
            rows.append(Row(each.name, each.num_bytes(), threads, *scores, found))
            advance(done, len(jobs))
    return Benchmark(rows, len(images.files), images.split)


def _in_own_process(job: Job) -> Measurement:
    pool = WorkerPool(measure, 1)
    try:
        return pool.call([job])[0]
    except DataError:
        return Measurement("its process ended; most often the memory was full.")
    finally:
        pool.stop()
        pool.close()


class _Images:
    """The images that all models answer.

    Args:
        contestants: the images are those of the run that all of them belong to.
        most: how many there are at most.
        data: other images.
        note: called with a sentence if only some are used.
    """

    def __init__(
        self, contestants: Sequence[Contestant], most: int, data: str | None, note: Note
    ) -> None:
        self.split: str | None = None
        records = self._records(contestants, data, note)
        if len(records) > most:
            chosen = np.random.default_rng(0).choice(len(records), most, replace=False)
            note(f"{most:,} of {len(records):,} images are used, chosen by chance.")
            records = [records[index] for index in sorted(chosen)]
        self.files = [record.file for record in records]
        self._labels = [record.label for record in records]

    def _records(
        self, contestants: Sequence[Contestant], data: str | None, note: Note
    ) -> Sequence[ImageRecord]:
        run = contestants[0].run
        if data is not None:
            return read_source(data, ShapesConfig(), option="--data").records
        if run is None or any(each.run != run for each in contestants):
            note(
                "The models are not of one run, so only their speed is measured. To compare their "
                "answers, too, give --data."
            )
            return ()
        rows = run.read_split()
        present = {row["split"] for row in rows}
        self.split = next((name for name in ("test", "validation") if name in present), None)
        if self.split is None:
            return ()
        return run_images(rows, self.split, load_config(run.config).data)

    def scores(
        self, name: str, found: Measurement, original: Measurement
    ) -> tuple[float | None, float | None]:
        """Return the accuracy, and the share of images with the answer of the original.

        Raises:
            UsageError: the images have classes that the model lacks.
        """
        if found.predicted is None:
            return None, None
        if lacks := sorted(set(self._labels) - set(found.class_names)):
            raise UsageError(
                f"There are images of {first_few(lacks)}, and {name} has no such class. It has "
                f"{first_few(found.class_names, 10)}. Give images of its classes, or leave out "
                "--data to measure only the speed."
            )
        answers = np.array(found.class_names)[found.predicted]
        accuracy = float(np.mean(answers == np.array(self._labels)))
        if original.predicted is None:
            return accuracy, None
        same = answers == np.array(original.class_names)[original.predicted]
        return accuracy, float(np.mean(same))

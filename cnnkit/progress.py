"""Show on stderr what a command is doing.

A terminal gets a moving bar (rich); a file or a pipe gets one plain line per epoch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cnnkit.text import duration_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

Advance = Callable[[int, int], None]


class Report:
    """The events that a command reports. This base class shows none: the default in Python."""

    def note(self, text: str) -> None:
        """Show one sentence."""

    @contextmanager
    def counting(self, what: str) -> Iterator[Advance]:
        """Yield a function (done, total) that shows how many images are done."""
        yield lambda done, total: None

    def epoch_begins(self, epoch: int, epochs: int, num_images: int) -> None:
        """Show that an epoch begins; epochs count from 1."""

    def time_left(self, seconds: float | None, *, at_most: bool) -> None:
        """Remember how long the training still takes; the next batch or epoch shows it.

        Args:
            seconds: until the end of the last epoch of all phases; None if not known yet.
            at_most: whether it may end sooner, by early stopping.
        """

    def batch_done(self, images_done: int, logs: Mapping[str, float]) -> None:
        """Show the loss and accuracy so far after a batch."""

    def epoch_done(self, row: Mapping[str, float], *, is_best: bool) -> None:
        """Show the epoch's row of history.csv."""

    def close(self) -> None:
        """Remove the moving bar from the screen."""


class LineReport(Report):
    """Plain lines, for a file or a pipe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._epochs = self._num_images = 0
        self._seconds_left: float | None = None
        self._at_most = False

    def note(self, text: str) -> None:
        """Write the sentence."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    @contextmanager
    def counting(self, what: str) -> Iterator[Advance]:
        """Write a line every ten seconds; nothing if the work is done sooner."""
        written = time.perf_counter()

        def advance(done: int, total: int) -> None:
            nonlocal written
            if time.perf_counter() - written >= 10:
                written = time.perf_counter()
                self.note(f"{what}: {done / total:.0%}")

        yield advance

    def epoch_begins(self, epoch: int, epochs: int, num_images: int) -> None:
        """Remember the totals for the line at the end of the epoch."""
        self._epochs, self._num_images = epochs, num_images

    def time_left(self, seconds: float | None, *, at_most: bool) -> None:
        """Remember it."""
        self._seconds_left, self._at_most = seconds, at_most

    def epoch_done(self, row: Mapping[str, float], *, is_best: bool) -> None:
        """Write the epoch's line, with the time left of the whole training."""
        line = epoch_line(row, self._epochs, self._num_images, is_best=is_best)
        left = self._left_text("")
        self.note(f"{line}  {left}" if left else line)

    def _left_text(self, about: str) -> str:
        """Return `3 min left`, or nothing if the time is unknown or shorter than a second.

        Args:
            about: the words before it, unless early stopping makes it `at most`.
        """
        if self._seconds_left is None or self._seconds_left < 1:
            return ""
        return f"{'at most ' if self._at_most else about}{duration_text(self._seconds_left)} left"


class BarReport(LineReport):
    """A moving bar with loss, accuracy, images/s and the time left of the whole training.

    A finished epoch becomes a line.
    """

    def __init__(self) -> None:
        from rich.console import Console

        super().__init__()
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None  # while epochs are trained
        self._task: TaskID | None = None
        self._begin = self._drawn = 0.0

    def note(self, text: str) -> None:
        """Write the sentence above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def counting(self, what: str) -> Iterator[Advance]:
        """Show a bar that disappears when everything is counted."""
        from rich.progress import Progress

        with Progress(console=self._console, transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def epoch_begins(self, epoch: int, epochs: int, num_images: int) -> None:
        """Start a new bar."""
        super().epoch_begins(epoch, epochs, num_images)
        if self._bar is None:
            self._bar = _epoch_bar(self._console)
            self._bar.start()
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(
            f"epoch {epoch}/{epochs}", total=num_images, numbers="", left=""
        )
        self._begin = time.perf_counter()

    def batch_done(self, images_done: int, logs: Mapping[str, float]) -> None:
        """Move the bar, at most ten times a second."""
        now = time.perf_counter()
        if self._bar is None or self._task is None:
            return
        if now - self._drawn < 0.1:  # a small network does hundreds of batches per second
            return
        self._drawn = now
        rate = images_done / (now - self._begin)
        self._bar.update(
            self._task,
            completed=images_done,
            numbers=f"loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}  "
            f"{rate:.0f} images/s",
            left=self._left_text("about "),
        )

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None


def report_for(stream: TextIO) -> Report:
    """Return bars for a terminal, plain lines for anything else."""
    return BarReport() if stream.isatty() else LineReport(stream)


def epoch_line(row: Mapping[str, float], epochs: int, num_images: int, *, is_best: bool) -> str:
    """Return `epoch  3/20  loss 0.31  accuracy 0.91  val_loss ...  1234 images/s  1.2 s  best`."""
    parts = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}"]
    for column in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        if column in row:
            parts.append(f"{column} {row[column]:.4f}")
    parts.append(f"learning_rate {row['learning_rate']:.3g}")
    parts.append(f"{num_images / row['seconds']:.0f} images/s")
    parts.append(f"{row['seconds']:.1f} s")
    return "  ".join(parts + ["best"] * is_best)


def _epoch_bar(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
    )

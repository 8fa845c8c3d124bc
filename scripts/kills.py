"""Kill trainings, resume them, and compare what they give with a training in one go.

    python scripts/kills.py --kills 30 --seed 0
    python scripts/kills.py --kills 0 --writes

With `--kills`, a training is killed (SIGKILL) at random moments: up to 0.3 s after a change of a
file that is drawn, so that they do not depend on how busy the computer is. With `--writes`, it is
killed right before each file that it opens for writing, renames, removes or syncs, one training per
place; before a sync the file also loses its last bytes, as after a power failure. Each killed
training is resumed, and weights, history, answers and model.tflite are compared byte by byte with
those of one in one go. The training has augmentation, dropout, batch normalisation, a learning rate
that depends on the history, and a backup after every step.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import random
import signal
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

import cnnkit.training.run
from cnnkit.backend import tf
from cnnkit.config import load_config
from cnnkit.errors import UsageError
from cnnkit.runs import Run
from cnnkit.training.checkpoint import Backup

_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2, test: 0.2}}
augmentation: [random_flip: horizontal, random_rotation: 0.1]
model:
  layers:
    [conv: {filters: 4, kernel_size: 3}, batch_norm, activation: relu, global_pool, dropout: 0.3]
training:
  epochs: 4
  optimizer: {adamw: {learning_rate: 0.05, weight_decay: 0.01}}
  schedule: {plateau: {patience: 1, factor: 0.5}}
  checkpoint_minutes: 1.0e-9
"""
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Changes:
    """Counts what this process changes in a folder, and kills it at one of the changes.

    Args:
        folder: elsewhere nothing is counted.
        last: the number of the change, from 1; 0 to kill it at none.
        delay: seconds after that change; None to kill it right before.
    """

    folder: str
    last: int
    delay: float | None
    names: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Begin to count; this cannot be ended."""
        sync = os.fsync

        def counted_sync(descriptor: int) -> None:
            def lose_bytes() -> None:
                os.ftruncate(descriptor, max(0, os.fstat(descriptor).st_size - 9))

            self._count("sync", "history.csv", lose_bytes)
            sync(descriptor)

        os.fsync = counted_sync
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_open = event == "open" and bool((arguments[2] or 0) & _WRITING)
        if not (is_open or event in _CHANGES):
            return
        path = os.fspath(arguments[0]) if isinstance(arguments[0], str | os.PathLike) else ""
        if str(path).startswith(self.folder):
            self._count(event, Path(path).name)

    def _count(self, event: str, name: str, before: Callable[[], None] | None = None) -> None:
        self.names.append(f"{event} {name}")
        if len(self.names) != self.last:
            return
        if self.delay is not None:
            threading.Timer(self.delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return
        if before is not None:
            before()
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Kill, resume, compare, and print a table."""
    arguments = _arguments()
    # Before the trainings are forked, because importing takes longer than such a training.
    print(f"TensorFlow {tf.__version__}", file=sys.stderr)
    print("| killed | the run then | resumed |\n|---|---|---|")
    part, parts = map(int, arguments.share.split("/"))
    chosen = slice(part - 1, None, parts)
    wrong = _kill_at_moments(arguments.kills, arguments.seed, chosen) if arguments.kills else 0
    if arguments.writes:
        wrong += _kill_at_changes(arguments.seed, chosen)
    print(f"\nTrainings that ended differently: {wrong}.")
    sys.exit(bool(wrong))


def _kill_at_moments(number: int, seed: int, chosen: slice) -> int:
    """Return how many trainings ended differently."""
    with tempfile.TemporaryDirectory() as work:
        folder, draw = Path(work), random.Random(seed)
        expected, changes = _in_one_go(folder, _CONFIG, seed)
        moments = [(draw.randrange(len(changes)), draw.uniform(0, 0.3)) for _ in range(number)]
        return sum(
            not _trial(
                folder,
                f"kill{each}",
                expected,
                f"{delay:.2f} s after change {change + 1}, {changes[change]}",
                last=change + 1,
                delay=delay,
            )
            for each, (change, delay) in list(enumerate(moments))[chosen]
        )


def _kill_at_changes(seed: int, chosen: slice) -> int:
    """Return how many trainings ended differently. These are shorter: there are many changes."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        short = _CONFIG.replace("epochs: 4", "epochs: 2").replace("batch_size: 8", "batch_size: 12")
        expected, changes = _in_one_go(folder, short, seed)
        return sum(
            not _trial(
                folder, f"change{each}", expected, f"before change {each}, {name}", last=each
            )
            for each, name in list(enumerate(changes, 1))[chosen]
        )


def _in_one_go(folder: Path, config: str, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Return the results of a training that is not killed, and its changes."""
    _write_images(folder / "images", seed)
    (folder / "c.yaml").write_text(config)
    changes = _train(folder, "whole")
    return results_of(Run(folder / "whole" / "c")), changes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="at random moments, by default 30")
    parser.add_argument("--writes", action="store_true", help="also one at each change of a file")
    parser.add_argument(
        "--share", default="1/1", help="1/3, 2/3, 3/3: every third change, in three processes"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the images")
    return parser.parse_args()


def _write_images(folder: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            pixels = draw.integers(0, 180, (16, 16, 3), dtype=np.uint8)
            pixels[..., channel] += 75
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def _trial(
    folder: Path,
    name: str,
    expected: dict[str, Any],
    place: str,
    *,
    last: int,
    delay: float | None = None,
) -> bool:
    """Kill one training, resume it, print the row, and return whether it ended as expected."""
    _train(folder, name, last=last, delay=delay)
    state = _state(Run(folder / name / "c"))
    _train(folder, name, resume=True)
    # A run that was killed before it had a config.yaml cannot be resumed: it is trained again from
    # the beginning.
    last_run = sorted(path for path in (folder / name).iterdir() if path.name in ("c", "c-2"))[-1]
    found = results_of(Run(last_run))
    different = [key for key, value in found.items() if value != expected[key]]
    verdict = f"DIFFERENT: {', '.join(different)}" if different else "the same"
    print(f"| {place} | {state} | {verdict} |", flush=True)
    return not different


def _train(
    folder: Path,
    name: str,
    *,
    resume: bool = False,
    last: int = 0,
    delay: float | None = None,
) -> list[str]:
    """Train in a forked process; return what it changed, unless it was killed."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        try:
            changes = Changes(str(folder / name), last, delay)
            _train_here(folder, name, changes, resume=resume)
            os.write(writer, "\n".join(changes.names).encode())
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
    os.close(writer)
    with open(reader) as lines:
        names = lines.read().splitlines()
    os.waitpid(process, 0)
    return names


def _train_here(folder: Path, name: str, changes: Changes, *, resume: bool) -> None:
    os.environ["CNNKIT_CACHE"] = str(folder / name / "cache")
    changes.watch()
    config = load_config(folder / "c.yaml")
    try:
        if not resume:
            raise UsageError("a new training")
        cnnkit.training.run.resume("c", runs_folder=folder / name)
    except UsageError:  # it was killed before it could be resumed, or after it had finished
        if not Run(folder / name / "c").tflite.exists():
            cnnkit.training.run.train(config, name="c", runs_folder=folder / name)


def _state(run: Run) -> str:
    """Return in words how far a killed training had come."""
    if not run.backup.exists():
        return "nothing saved"
    backup = Backup.read(run.backup)
    if backup is None or backup.partial is None:
        return f"epochs saved: {len(backup.rows) if backup else 0}"
    return f"saved {backup.partial.place}"


def results_of(run: Run) -> dict[str, Any]:
    """Return what a run gives, without times."""
    with run.history.open() as file:
        history = [{**row, "seconds": None} for row in csv.DictReader(file)]
    return {
        "history": history,
        "best.keras": _weights(run.best),
        "last.keras": _weights(run.last),
        "model.tflite": run.tflite.read_bytes(),
        "predictions": (run.evaluation("test") / "predictions.csv").read_bytes(),
        "metrics": run.info()["metrics"],
    }


def _weights(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


if __name__ == "__main__":
    main()

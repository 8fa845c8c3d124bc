"""One run folder: the names of its files, its status, and how it is created."""

from __future__ import annotations

import csv
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from cnnkit.errors import UsageError, reason_of
from cnnkit.files import PATHS_AS_THEY_ARE, WITHOUT_MARK, open_regular, write_json
from cnnkit.text import quoted, shown

_STATUSES = ("running", "finished", "failed", "interrupted")
_SPLIT_COLUMNS = ("path", "label", "split", "sha256")
# What the other keys of run.json hold, as far as commands use them.
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **{"seconds": (int, float), "batch_parts": int, "host": str, "stopped": str},
    **{"versions": dict, "data": dict, "resumed": list},
}


@dataclass(frozen=True)
class Run:
    """One run folder. Its properties are the paths of its files."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of the folder, unique among the runs."""
        return self.folder.name

    @property
    def argument(self) -> str:
        """The folder as a word of a shell command."""
        return quoted(self.folder)

    @property
    def config(self) -> Path:
        """The config with every default filled in."""
        return self.folder / "config.yaml"

    @property
    def classes(self) -> Path:
        """The class names, one per line, in label order."""
        return self.folder / "classes.txt"

    @property
    def split(self) -> Path:
        """CSV with the columns path, label, split and sha256; one row per image."""
        return self.folder / "split.csv"

    @property
    def history(self) -> Path:
        """CSV with one row per epoch."""
        return self.folder / "history.csv"

    @property
    def best(self) -> Path:
        """The model of the best epoch."""
        return self.folder / "weights" / "best.keras"

    @property
    def last(self) -> Path:
        """The model of the last finished epoch."""
        return self.folder / "weights" / "last.keras"

    @property
    def tflite(self) -> Path:
        """The best model, for `predict`."""
        return self.folder / "model.tflite"

    @property
    def golden(self) -> Path:
        """Pixels and probabilities of some held-out images; every export is checked with them."""
        return self.folder / "golden.npz"

    @property
    def calibration(self) -> Path:
        """What `cnnkit calibrate` found; the references are next to it, as `.npz`."""
        return self.folder / "calibration.json"

    @property
    def backup(self) -> Path:
        """What `--resume` needs, unless the training is finished and `keep_backup` false."""
        return self.folder / "backup" / "training.npz"

    @property
    def lock(self) -> Path:
        """Locked by the process that trains the run; removed when it ends."""
        return self.folder / ".lock"

    @property
    def export(self) -> Path:
        """The folder of exported models."""
        return self.folder / "export"

    @property
    def report(self) -> Path:
        """The page to hand on."""
        return self.folder / "report.html"

    @property
    def film(self) -> Path:
        """What each epoch learned, with `training.film`; the numbers are next to it, as `.npz`."""
        return self.folder / "film.html"

    def plot(self, name: str) -> Path:
        """Return the path of a picture, as in `plot("curves")`."""
        return self.folder / "plots" / f"{name}.png"

    def evaluation(self, name: str) -> Path:
        """Return the folder of the results on a split or on other data."""
        return self.folder / "evaluation" / name

    def class_names(self) -> tuple[str, ...]:
        """Return the class names in label order.

        Raises:
            UsageError: the file cannot be read, or a line is empty or there twice.
        """
        with self._reading(self.classes) as file:
            lines = file.read().removesuffix("\n").split("\n")  # splitlines also splits at U+2028
            names = tuple(line.removesuffix("\r") for line in lines)
            if "" in names:
                raise ValueError(f"line {names.index('') + 1} is empty")
            if len(set(names)) < len(names):
                twice = next(name for name, count in Counter(names).items() if count > 1)
                raise ValueError(f"{shown(twice)} is there twice")
        return names

    def read_split(self) -> list[dict[str, str]]:
        """Return the rows of split.csv.

        Raises:
            UsageError: it cannot be read, or a row lacks a cell.
        """
        with self._reading(self.split) as file:
            rows = list(csv.DictReader(file))
        if any(row.keys() != set(_SPLIT_COLUMNS) or None in row.values() for row in rows):
            raise self.split_has_changed()
        return rows

    def split_has_changed(self) -> UsageError:
        """Return the error for a split.csv that is not as the training wrote it."""
        return UsageError(
            f"{self.split} is not as the run wrote it: lines are missing or have changed. Restore "
            "the file, or score the images with --data."
        )

    def num_epochs(self) -> int:
        """Return the number of rows in history.csv, 0 if there is no such file."""
        if not self.history.exists():
            return 0
        with self._reading(self.history) as file:
            return sum(1 for _ in csv.DictReader(file))

    def info(self) -> dict[str, Any]:
        """Return run.json. A run whose process is gone counts as interrupted.

        Raises:
            UsageError: the file cannot be read, or is damaged.
        """
        try:
            return self.read_info()
        except ValueError as error:
            raise UsageError(f"{self.folder / 'run.json'} {error}. Use another run.") from error

    def read_info(self) -> dict[str, Any]:
        """Return run.json as `info` does.

        Raises:
            ValueError: the file cannot be used; the text continues "run.json ...".
        """
        try:
            with open_regular(str(self.folder / "run.json")) as file:
                content = file.read()
            if not content:
                raise ValueError("it is empty")
            info = json.loads(content.decode(**PATHS_AS_THEY_ARE))
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # JSON of ten thousand brackets
            raise ValueError(f"is damaged: {error}") from error
        if fault := _fault_of(info):
            raise ValueError(f"is damaged: {fault}")
        if info["status"] == "running" and not _alive(info):
            info["status"] = "interrupted"
        return info

    def as_dict(self) -> dict[str, Any]:
        """Return run.json and the run's folder, ready for JSON."""
        return {"run": str(self.folder), **self.info()}

    def text(self) -> str:
        """Return what `train` prints of a finished run: metrics, files, the next commands."""
        info = self.info()
        lines = [f"best epoch {info['best_epoch']} of {info['epochs']}, {info['seconds']:.0f} s"]
        for split, metrics in info["metrics"].items():
            lines.append(
                f"{split:<10}  accuracy {metrics['accuracy']:.4f}  "
                f"macro_f1 {metrics['macro_f1']:.4f}  log_loss {metrics['log_loss']:.4f}  "
                f"({metrics['num_images']} images)"
            )
        lines += [f"run         {self.folder}", f"curves      {self.plot('curves')}"]
        lines += [f"report      {self.report}"] * self.report.is_file()
        verbs = ["predict IMAGE --model", *["evaluate"] * ("test" in info["metrics"]), "export"]
        for place, verb in enumerate(verbs):
            lines.append(f"{'' if place else 'next':<12}cnnkit {verb} {self.argument}")
        return "\n".join(lines)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[IO[str]]:
        """Open one of the run's text files; turn what goes wrong into an error that names it."""
        try:
            with path.open(newline="", **WITHOUT_MARK) as file:
                yield file
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, csv.Error) as error:
            raise UsageError(f"{path} is damaged: {error}. Use another run.") from error

    def update(self, **values: Any) -> None:
        """Set keys of run.json; None removes a key."""
        # Read again each time: values of an earlier process, such as the seconds, stay.
        path = self.folder / "run.json"
        info = json.loads(path.read_text(**PATHS_AS_THEY_ARE)) if path.exists() else {}
        info |= values
        write_json(path, {key: value for key, value in info.items() if value is not None})

    @contextmanager
    def recording(self, earlier: float | None = None) -> Iterator[None]:
        """Record the status in run.json: running inside the block, then how it ended.

        Args:
            earlier: seconds that the training took before it was resumed; None if it is new.
        """
        begin = time.time() - (earlier or 0.0)  # so that `seconds` counts all parts
        started = {"started": _timestamp()} if earlier is None else {}
        process = {"pid": os.getpid(), "host": platform.node()}
        self.update(status="running", **started, **process, ended=None, seconds=None, error=None)
        try:
            yield
        except KeyboardInterrupt:
            self.update(status="interrupted", **_end(begin))
            raise
        except BaseException as error:
            # On a full disk this fails too: a run whose process is gone counts as interrupted.
            with suppress(OSError):
                self.update(status="failed", **_end(begin), error=reason_of(error))
            raise
        self.update(status="finished", **_end(begin))


def _fault_of(info: Any) -> str | None:
    """Return what is wrong with the content of a run.json, None if nothing is."""
    if not isinstance(info, dict):
        return "it is not a JSON object"
    for key in ("status", "started"):
        if key not in info:
            return f"it has no {key!r}"
        if not isinstance(info[key], str):
            return f"its {key!r} is {info[key]!r}"
    if info["status"] not in _STATUSES:
        return f"its 'status' is {info['status']!r}, not one of {', '.join(_STATUSES)}"
    pid = info.get("pid", 1)
    if not isinstance(pid, int) or not 0 < pid < 2**31:  # what os.kill takes
        return f"its 'pid' is {info['pid']!r}"
    for key, kind in _KINDS.items():
        if key in info and not isinstance(info[key], kind):
            return f"its {key!r} is {info[key]!r}"
    return None


def _alive(info: Mapping[str, Any]) -> bool:
    # A process on another host cannot be asked; on Windows, kill(pid, 0) would end it.
    if os.name == "nt" or info.get("host") != platform.node() or "pid" not in info:
        return True
    try:
        os.kill(info["pid"], 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def _timestamp() -> str:
    return datetime.now(timezone.utc).isoformat()


def _end(begin: float) -> dict[str, Any]:
    return {"ended": _timestamp(), "seconds": round(time.time() - begin, 2)}

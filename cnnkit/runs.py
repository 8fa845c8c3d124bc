"""A run folder: the names of its files, its status, and which run is the newest."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from cnnkit.errors import UsageError, did_you_mean
from cnnkit.files import PATHS_AS_THEY_ARE, write_json

RUNS_FOLDER = "runs"


@dataclass(frozen=True)
class Run:
    """One run folder. Properties are the paths of its files."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, unique in its runs folder."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """The config with every default filled in."""
        return self.folder / "config.yaml"

    @property
    def classes(self) -> Path:
        """One class a line, in label order."""
        return self.folder / "classes.txt"

    @property
    def split(self) -> Path:
        """CSV path,label,split,sha256 of every image of the run."""
        return self.folder / "split.csv"

    @property
    def history(self) -> Path:
        """CSV of one row an epoch."""
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
        """The best model for `predict`."""
        return self.folder / "model.tflite"

    @property
    def golden(self) -> Path:
        """Pixels and probabilities of held-out images, to prove exports with."""
        return self.folder / "golden.npz"

    @property
    def backup(self) -> Path:
        """What a training needs to go on; gone when it is done."""
        return self.folder / "backup" / "training.npz"

    @property
    def export(self) -> Path:
        """Folder of exported models."""
        return self.folder / "export"

    def plot(self, name: str) -> Path:
        """Return the path of a picture: `plot("curves")`."""
        return self.folder / "plots" / f"{name}.png"

    def evaluation(self, name: str) -> Path:
        """Return the folder of the results on a split or on other data."""
        return self.folder / "evaluation" / name

    def class_names(self) -> tuple[str, ...]:
        """Return the classes in label order."""
        with self._reading(self.classes) as file:
            return tuple(file.read().splitlines())

    def read_split(self) -> list[dict[str, str]]:
        """Return the rows of split.csv."""
        with self._reading(self.split) as file:
            return list(csv.DictReader(file))

    def num_epochs(self) -> int:
        """Return how many rows history.csv has, 0 where there is none."""
        if not self.history.exists():
            return 0
        with self._reading(self.history) as file:
            return sum(1 for _ in csv.DictReader(file))

    def info(self) -> dict[str, Any]:
        """Return run.json; a run whose process is gone without a word counts as interrupted."""
        with self._reading(self.folder / "run.json") as file:
            info = json.load(file)
            if not isinstance(info, dict) or not {"status", "started"} <= set(info):
                raise ValueError("it has no status")
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
        folder = shlex.quote(str(self.folder))
        lines.append(f"next        cnnkit predict IMAGE --model {folder}")
        if "test" in info["metrics"]:
            lines.append(f"            cnnkit evaluate {folder}")
        lines.append(f"            cnnkit export {folder}")
        return "\n".join(lines)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[IO]:
        """Open one of the run's text files; a missing or damaged one is an expected failure."""
        try:
            with path.open(newline="", **PATHS_AS_THEY_ARE) as file:
                yield file
        except OSError as error:
            raise UsageError(f"The run needs {path}, but: {error.strerror}.") from error
        except ValueError as error:
            raise UsageError(f"{path} is damaged: {error}. Take another run.") from error

    def update(self, **values: Any) -> None:
        """Set keys of run.json; None takes a key out."""
        path = self.folder / "run.json"
        info = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        info |= values
        write_json(path, {key: value for key, value in info.items() if value is not None})

    @contextmanager
    def recording(self, earlier: float | None = None) -> Iterator[None]:
        """Keep run.json truthful: running inside, then finished, failed or interrupted.

        Args:
            earlier: seconds of the training before, where it goes on.
        """
        begin = time.time() - (earlier or 0.0)
        started = {"started": _timestamp()} if earlier is None else {}
        process = {"pid": os.getpid(), "host": socket.gethostname()}
        self.update(status="running", **started, **process, ended=None, seconds=None, error=None)
        try:
            yield
        except KeyboardInterrupt:
            self.update(status="interrupted", ended=_timestamp(), seconds=_since(begin))
            raise
        except BaseException as error:
            reason = str(error) or type(error).__name__
            self.update(status="failed", ended=_timestamp(), seconds=_since(begin), error=reason)
            raise
        self.update(status="finished", ended=_timestamp(), seconds=_since(begin))


def create_run(name: str, runs_folder: Path) -> Run:
    """Make a new run folder: `name`, or `name-2`, `name-3`, ... where it exists. Never overwrites.

    Raises:
        UsageError: the name is no folder name, or the folder cannot be made.
    """
    check_folder_name(name)
    number = 1
    while True:
        folder = runs_folder / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if runs_folder.exists() and not runs_folder.is_dir():
                raise UsageError(f"{runs_folder} is a file, so no run can be made in it.") from None
            number += 1
            continue
        except OSError as error:
            raise UsageError(f"{folder} cannot be made: {error.strerror}.") from error
        (folder / "weights").mkdir()
        (folder / "plots").mkdir()
        return Run(folder)


def check_folder_name(name: str) -> None:
    """Refuse what cannot name one folder.

    Raises:
        UsageError: the name is empty, a path, or has characters that some systems refuse.
    """
    if not re.fullmatch(r"[^\\/:*?\"<>|\x00-\x1f]+", name) or name in (".", ".."):
        raise UsageError(f"{name!r} cannot name a folder: use letters, digits, '-', '_' and '.'.")


def find_run(path: str | os.PathLike | None, runs_folder: Path) -> Run:
    """Return the run of that folder, or name in the runs folder; None is the newest finished one.

    Raises:
        UsageError: there is no such run.
    """
    if path is None:
        return newest_run(runs_folder)
    for folder in (Path(path), runs_folder / path):
        if (folder / "run.json").is_file():
            return Run(folder)
    names = [run.name for run in _runs(runs_folder)]
    listed = f" Runs in {runs_folder}: {', '.join(names)}." if names else ""
    raise UsageError(
        f"{path} is not a run folder (it has no run.json).{did_you_mean(str(path), names)}{listed}"
    )


def run_of_file(path: Path) -> Run:
    """Return the run whose folder holds a file, at any depth.

    Raises:
        UsageError: the file lies in no run folder.
    """
    for folder in path.resolve().parents:
        if (folder / "run.json").is_file():
            inside = Path.cwd() in folder.parents
            return Run(folder.relative_to(Path.cwd()) if inside else folder)
    raise UsageError(f"{path} lies in no run folder, so there is no place for its results.")


def newest_run(runs_folder: Path, *, finished: bool = True) -> Run:
    """Return the finished run that began last, or the last one that did not finish.

    Raises:
        UsageError: there is none.
    """
    found = [(run.info(), run) for run in _runs(runs_folder)]
    found = [
        (info["started"], run) for info, run in found if (info["status"] == "finished") == finished
    ]
    if not found and finished:
        raise UsageError(
            f"There is no finished run in {runs_folder}/. Train one (cnnkit train config.yaml), "
            "or name one with --model."
        )
    if not found:
        raise UsageError(f"There is no run in {runs_folder}/ that did not finish.")
    return max(found, key=lambda pair: pair[0])[1]


def _runs(runs_folder: Path) -> list[Run]:
    return [Run(path.parent) for path in sorted(runs_folder.glob("*/run.json"))]


def _alive(info: Mapping[str, Any]) -> bool:
    if os.name == "nt" or info.get("host") != socket.gethostname():
        return True  # cannot be asked from here (on Windows, kill(pid, 0) would stop it)
    try:
        os.kill(info["pid"], 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _timestamp() -> str:
    return datetime.now(timezone.utc).isoformat()


def _since(begin: float) -> float:
    return round(time.time() - begin, 2)

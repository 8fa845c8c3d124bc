"""Find the image files that appear in a folder, each once and only when it is whole.

The folder is listed again and again, which works on network drives too, where systems do not tell
about changes.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from cnnkit.data.sources.folder_walk import image_files
from cnnkit.data.sources.ignored import Ignored
from cnnkit.errors import UsageError
from cnnkit.prediction.output_formats import facts_of
from cnnkit.prediction.predict_images import Prediction
from cnnkit.text import shown

Version = tuple[str, int, int]  # path, size in bytes, time of the last change in ns
_BEGIN = b'{"path": "'  # of each line of answers


class WatchedFolder:
    """The versions of the files of a folder that were not answered yet.

    Args:
        folder: its path.
        seen: versions that need no answer.
        quiet_seconds: a file that has not changed for so long is whole.
        clock: gives the time in seconds.
    """

    def __init__(
        self,
        folder: str,
        seen: set[Version],
        quiet_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._seen = folder, seen
        self._quiet_seconds, self._clock = quiet_seconds, clock
        self._since: dict[Version, float] = {}  # when a version was first found, by our clock
        self._unread: tuple[str, ...] = ()
        self._noted: set[str] = set()

    def new(self) -> Iterator[Version]:
        """Yield what has appeared or changed since, and is whole; it then counts as seen."""
        now, found, ignored = self._clock(), {}, Ignored()
        for path in image_files(self._folder, ignored):
            version = version_of(path)
            if version is not None and version not in self._seen:
                # Not by the time of the file: the clock of a network drive is another one.
                found[version] = self._since.get(version, now)
        self._since, self._unread = found, ignored.unread()
        for version, since in found.items():
            if now - since >= self._quiet_seconds:
                self._seen.add(version)
                yield version

    def notes(self) -> list[str]:
        """Return sentences on files of formats that cannot be read, which were not said before."""
        new = [sentence for sentence in self._unread if sentence not in self._noted]
        self._noted.update(new)
        return new


def version_of(path: str) -> Version | None:
    """Return a file with its size and time, None if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return path, found.st_size, found.st_mtime_ns


def answered(output: Path) -> set[Version]:
    """Return what the answers in a file are about; a last line that is not whole is cut off.

    Raises:
        UsageError: the file has something else.
    """
    versions: set[Version] = set()
    if not output.exists():
        return versions
    with output.open("r+b") as file:
        whole = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n") and _BEGIN.startswith(line[: len(_BEGIN)]):
                break
            try:
                facts = json.loads(line)
                versions.add((facts["path"], facts["size"], facts["mtime_ns"]))
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(
                    f"{shown(str(output))} has no answers of cnnkit watch in line {number}. Choose "
                    "another --output."
                ) from error
            whole += len(line)
        file.truncate(whole)
    return versions


def add_answer(file: TextIO, prediction: Prediction, version: Version, topk: int) -> str:
    """Append the answer about a file, and return its line."""
    facts = {**facts_of(prediction, topk), "size": version[1], "mtime_ns": version[2]}
    line = json.dumps(facts)
    file.write(f"{line}\n")
    file.flush()
    return line


def copy_sorted(prediction: Prediction, folder: Path) -> None:
    """Copy an image that was answered into the folder of its class; nothing is replaced."""
    if prediction.answer is None:
        return
    # A class may be called a/b or .., but is never a path.
    target = folder / prediction.answer.replace("/", "_").replace("\\", "_").replace("..", "_")
    target.mkdir(parents=True, exist_ok=True)
    name = Path(prediction.path)
    number = 1
    while True:
        copy = target / (name.name if number == 1 else f"{name.stem}-{number}{name.suffix}")
        try:
            copy.touch(exist_ok=False)
        except FileExistsError:
            number += 1
            continue
        try:
            shutil.copy2(prediction.path, copy)
        except FileNotFoundError:  # it was moved away since; the next one is not held up
            copy.unlink()
        return

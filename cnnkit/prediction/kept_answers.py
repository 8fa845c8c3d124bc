"""The answers of a prediction that has not ended: `answers.csv.partial` beside `answers.csv`.

A prediction that is interrupted or killed leaves them, and `cnnkit predict --resume` goes on with
the images that they lack. They are JSON lines: first the model that they are of, then an answer
each, with the size and time of its file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cnnkit.errors import UsageError
from cnnkit.prediction.image_sources import is_address
from cnnkit.prediction.predict_images import Prediction
from cnnkit.text import shown

_Place = tuple[int, int]  # offset and length of a line
# Size in bytes and time of the last change in ns; of an image on a network, nothing is known.
_State = tuple[int | None, int | None]
_FIRST = b'{"kept_answers"'


class KeptAnswers:
    """Answers on disk, found by the path of their image.

    Only images that were answered are kept: one that could not be read is tried again.

    Args:
        file: open for reading and writing; it ends with a whole line.
        class_names: of the model, in label order.
        places: of the answers that are in the file.
    """

    def __init__(
        self, file: BinaryIO, class_names: tuple[str, ...], places: dict[str, _Place]
    ) -> None:
        self._file, self._class_names = file, class_names
        self._places = places
        self._one_thread = threading.Lock()  # a file has one place to read and write at
        self._states: dict[str, _State] = {}  # of the files that are being read now

    @property
    def num_answers(self) -> int:
        """How many there are."""
        return len(self._places)

    def find(self, path: str) -> Prediction | None:
        """Return the answer for a file, or None if there is none or the file has changed since."""
        state = _state(path)
        if state is None:
            return None
        place = self._places.get(path)
        if place is not None:
            with self._one_thread:
                self._file.seek(place[0])
                facts = json.loads(self._file.read(place[1]))
            if (facts["size"], facts["mtime_ns"]) == state:
                return _prediction(facts, self._class_names)
        self._states[path] = state
        return None

    def add(self, prediction: Prediction) -> None:
        """Keep an answer, unless it is from here."""
        state = self._states.pop(prediction.path, None)
        if state is None or prediction.probabilities is None:
            return
        facts = {
            "path": prediction.path,
            "size": state[0],
            "mtime_ns": state[1],
            "probabilities": prediction.probabilities.tolist(),
            "distance": prediction.distance,
            "reason": prediction.reason,
        }
        line = _line(facts)
        with self._one_thread:
            self._places[prediction.path] = (self._file.seek(0, os.SEEK_END), len(line))
            self._file.write(line)
            self._file.flush()  # a killed process keeps what it has answered


@contextlib.contextmanager
def kept_answers(
    output: Path,
    model: Path,
    class_names: tuple[str, ...],
    *,
    resume: bool,
    overwrite: bool,
    how: Mapping[str, Any] | None = None,
) -> Iterator[KeptAnswers]:
    """Open the kept answers of an output; they are removed if the block succeeds.

    Args:
        output: the file that the block writes.
        model: the model file or SavedModel folder that answers.
        class_names: of the model, in label order.
        resume: whether to use what is there.
        overwrite: whether to begin again although something is there.
        how: what was said about a model that cnnkit did not write; empty or None for another one.

    Raises:
        UsageError: there are kept answers but neither `resume` nor `overwrite`; or they are of
            another model, or damaged.
    """
    path = partial_path(output)
    facts = {"kept_answers": 1, "model_sha256": _sha256(model), "classes": class_names}
    head = _line({**facts, "how": dict(how)} if how else facts)
    has_head, has_answers = _contents(path)
    if has_answers and not resume and not overwrite:
        raise UsageError(
            f"{shown(str(path))} has the answers of a prediction that was interrupted. Continue it "
            "with --resume, or begin again with --overwrite."
        )
    goes_on = resume and has_head
    path.parent.mkdir(parents=True, exist_ok=True)  # as for the output itself
    with path.open("r+b" if goes_on else "w+b") as file:
        if goes_on:
            places = _places(file, path, head)
        else:
            places = {}
            file.write(head)
        yield KeptAnswers(file, class_names, places)
    path.unlink()


def partial_path(output: Path) -> Path:
    """Return the file beside an output that has the kept answers."""
    return output.with_name(f"{output.name}.partial")


def _contents(path: Path) -> tuple[bool, bool]:
    """Tell whether a file has a whole first line, and more: a killed prediction may have neither.

    Raises:
        UsageError: the file has something else.
    """
    if not path.exists():
        return False, False
    with path.open("rb") as file:
        first, second = file.readline(), file.readline()
    if not _FIRST.startswith(first[: len(_FIRST)]):
        raise UsageError(f"{shown(str(path))} exists and has no kept answers. Move it away.")
    return first.endswith(b"\n"), bool(second)


def _places(file: BinaryIO, path: Path, head: bytes) -> dict[str, _Place]:
    """Return where the answers are; a last line that was not written whole is cut off."""
    again = "Begin again with --overwrite."
    first = file.readline()
    if first != head:
        raise UsageError(
            f"{shown(str(path))} has answers of another model, or of one that was read in another "
            f"way. {again}"
        )
    places, offset = {}, len(first)
    for number, line in enumerate(file, 2):
        if not line.endswith(b"\n"):
            break
        try:
            places[json.loads(line)["path"]] = (offset, len(line))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{shown(str(path))} is damaged in line {number}. {again}") from error
        offset += len(line)
    file.truncate(offset)
    return places


def _prediction(facts: dict[str, Any], class_names: tuple[str, ...]) -> Prediction:
    return Prediction(
        facts["path"],
        class_names,
        np.array(facts["probabilities"], np.float32),
        distance=facts["distance"],
        reason=facts["reason"],
    )


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts).encode("ascii") + b"\n"


def _state(path: str) -> _State | None:
    """Return the size and the time of a file, None if it is not one."""
    if is_address(path):
        return None, None
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return None
    return found.st_size, found.st_mtime_ns


def _sha256(model: Path) -> str:
    files = sorted(each for each in model.rglob("*") if each.is_file()) if model.is_dir() else []
    digest = hashlib.sha256()
    for file in files or [model]:
        digest.update(file.read_bytes())
    return digest.hexdigest()

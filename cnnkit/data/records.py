"""The records that all sources produce: one per image, and one for the source as a whole."""

from __future__ import annotations

import functools
import gc
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from cnnkit.data.file_bytes import ImageFile

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

SPLITS = ("train", "validation", "test")


# With slots, because there may be a hundred thousand of them: they take less memory.
@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image as its source lists it.

    Args:
        path: posix path as in `split.csv`, relative to the source if the image is inside it.
        file: gives the bytes; as text it is the full path.
        label: name of the class.
        split: `train`, `validation` or `test` if the source says so, else None.
        group: images of one group stay in one split; None if the image belongs to no group.
        sha256: of the content, as the source states it; None if it does not.
        weight: how much the image counts in training; None without `data.weight_column`.
    """

    path: str
    file: ImageFile
    label: str
    split: str | None = None
    group: str | None = None
    sha256: str | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Source:
    """The content of one source.

    Args:
        name: what messages call it.
        records: all images, sorted by path.
        notes: sentences about everything that was ignored, converted or assumed.
        empty_classes: (folder, what it contains) of class folders without an image.
        doubt: a sentence if the classes seem to be deeper in the folder; else empty. It is one
            of the notes, too.
        unread: sentences about files in formats that cannot be read. They are notes, too.
    """

    name: str
    records: tuple[ImageRecord, ...]
    notes: tuple[str, ...] = ()
    empty_classes: tuple[tuple[str, str], ...] = ()
    doubt: str = ""
    unread: tuple[str, ...] = ()


def without_collection(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Pause garbage collection while a function runs that makes many small objects and keeps them.

    With 100,000 files, the collector takes as long as the work itself and finds nothing.
    """

    @functools.wraps(function)
    def paused(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            if was_enabled:
                gc.enable()

    return paused


def fingerprint_of(images: Iterable[tuple[str, str]]) -> str:
    """Return a sha256 over (label, sha256 of the content) of all images, in any order."""
    # Labels may come from names of folders with bytes that are not UTF-8, hence the error handler.
    lines = sorted(f"{label}\t{digest}" for label, digest in images)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()

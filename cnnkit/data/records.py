"""Facts about one image or one source leave in the form that all sources share."""

from __future__ import annotations

import functools
import gc
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cnnkit.files import open_regular

Function = TypeVar("Function", bound=Callable)

SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
}
_FOLDER_NAMES = ("train", "validation", "val", "valid", "test")


class ImageFile(Protocol):
    """A file with one image, or a part of a larger file; `pathlib.Path` and `LocalFile` are."""

    def read_bytes(self) -> bytes:
        """Return the encoded image; raises OSError where it cannot be read."""
        ...


class LocalFile(str):
    """The path of a file with one image; a hundred thousand of them take little time and room."""

    __slots__ = ()

    def read_bytes(self) -> bytes:
        """Return the encoded image; raises OSError where it cannot be read."""
        with open_regular(self, buffering=0) as stream:
            return stream.read()


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image as its source lists it.

    Args:
        path: posix path as `split.csv` shows it, relative to the source where it lies inside.
        file: where its bytes are; as text it names the place.
        label: name of the class.
        split: `train`, `validation` or `test` where the source says so, else None.
        group: images of one group stay in one split; None for an image on its own.
        sha256: of the content as the source states it, None where it does not.
    """

    path: str
    file: ImageFile
    label: str
    split: str | None = None
    group: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """What one source holds.

    Args:
        name: how messages call it.
        records: all images, sorted by path.
        notes: sentences about everything that was left aside.
        empty_classes: (folder, what lies in it) of class folders without an image.
    """

    name: str
    records: tuple[ImageRecord, ...]
    notes: tuple[str, ...] = ()
    empty_classes: tuple[tuple[str, str], ...] = ()


def without_collection(function: Function) -> Function:
    """Let a function make many small objects, none of them garbage, without a search for garbage.

    On 100,000 files that search takes as long as the work itself.
    """

    @functools.wraps(function)
    def paused(*args: object, **kwargs: object) -> object:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            if was_enabled:
                gc.enable()

    return paused


def split_from_word(word: str) -> str | None:
    """Return the split a word in a CSV means, in any case; None for an unknown word."""
    return _SPLIT_NAMES.get(word.strip().lower())


def split_from_folder(name: str) -> str | None:
    """Return the split a folder's name means, in any case; None for any other folder."""
    folded = name.lower()
    return _SPLIT_NAMES[folded] if folded in _FOLDER_NAMES else None


def fingerprint_of(images: Iterable[tuple[str, str]]) -> str:
    """Return a sha256 over (label, sha256 of the content) of all images, in any order."""
    lines = sorted(f"{label}\t{digest}" for label, digest in images)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()

"""Find what is wrong with a folder besides its images: links, hidden files, files not used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cnnkit.data.check.fault_kinds import Finding
from cnnkit.data.decoding.foreign_formats import foreign_file
from cnnkit.data.decoding.image_formats import image_extensions, picture_format
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.other_spellings import composed
from cnnkit.data.records import ImageRecord
from cnnkit.data.sources.ignored import is_dead_link, why_hidden
from cnnkit.data.split_words import split_from_folder
from cnnkit.files import why_unreadable

_CHECKPOINTS = ".ipynb_checkpoints"


class FolderWalk:
    """One look at every entry of a folder and its sub-folders, without decoding an image.

    Args:
        root: the folder.

    Attributes:
        findings: what is wrong with the entries.
        files: the place of each file that is not hidden, by its path as the source shows it.
    """

    def __init__(self, root: Path) -> None:
        self.findings: list[Finding] = []
        self.files: dict[str, str] = {}
        self._root = os.path.realpath(root)
        self._seen: set[str] = set()
        self._enter(str(root), "", ())

    def _enter(self, folder: str, prefix: str, above: Sequence[str]) -> None:
        """Look at a folder and all folders below it.

        Recursive, because a loop over a stack would not know in which folders a link is.
        """
        real = os.path.realpath(folder)
        if real in above:
            return self._add("link_loop", prefix[:-1], f"it leads to {os.path.basename(real)}")
        # Two links may lead to one folder, whose faults are reported once.
        if real in self._seen:
            return
        self._seen.add(real)
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            return self._add("unreadable_folder", prefix[:-1] or ".", reason)
        names, folders = self._sort_out(entries, prefix)
        self.findings += names_alike(names, prefix)
        for entry in folders:
            self._enter(entry.path, f"{prefix}{entry.name}/", (*above, real))

    def _sort_out(
        self, entries: Sequence[os.DirEntry[str]], prefix: str
    ) -> tuple[list[str], list[os.DirEntry[str]]]:
        """Record files, hidden entries and links; return the names of the files, and folders."""
        names, folders = [], []
        for entry in entries:
            path = prefix + entry.name
            if why_hidden(entry.name):
                checkpoints = entry.name == _CHECKPOINTS
                self._add("notebook_checkpoints" if checkpoints else "hidden_file", path)
                continue
            if entry.is_symlink() and self._leads_outside(entry.path):
                self._add("link_outside", path, f"it leads to {os.path.realpath(entry.path)}")
            if os.path.isdir(entry.path):  # unlike entry.is_dir, never raises
                folders.append(entry)
            else:
                names.append(entry.name)
                self.files[path] = entry.path
        return names, folders

    def _leads_outside(self, place: str) -> bool:
        inside = self._root.rstrip(os.sep) + os.sep
        real = os.path.realpath(place)
        # With the separator at its end: `photos2` is not inside `photos`.
        return os.path.exists(real) and not (real + os.sep).startswith(inside)

    def _add(self, kind: str, path: str, detail: str = "") -> None:
        self.findings.append(Finding(kind, (path,), detail))

    def records(self) -> list[ImageRecord]:
        """Return the files with the name of an image, for a folder that has no valid classes."""
        return [
            ImageRecord(path, LocalFile(place), *_class_and_split(path))
            for path, place in sorted(self.files.items())
            if _ending(path) in image_extensions()
        ]

    def unused(self, records: Iterable[ImageRecord]) -> Iterator[Finding]:
        """Yield the files and folders that are not used: other files, images in other places.

        Args:
            records: the images that are used.
        """
        used = {record.path for record in records}
        has_splits = any(record.split for record in records)
        other_folders = set()
        for path, place in self.files.items():
            top, _, inner = path.partition("/")
            if path in used:
                continue
            if has_splits and inner and split_from_folder(top) is None:
                other_folders.add(top)
            else:
                yield _unused_file(path, place)
        yield from (Finding("unused_folder", (top,)) for top in sorted(other_folders))


def names_alike(names: Sequence[str], prefix: str = "") -> list[Finding]:
    """Return a finding for names that differ only in case or Unicode form.

    Args:
        names: different names.
        prefix: put in front of each name in the findings.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(composed(name).casefold(), []).append(name)
    findings = []
    for same in alike.values():
        if len(same) > 1:
            in_case = len({composed(name) for name in same}) > 1
            kind = "names_differ_in_case" if in_case else "names_differ_in_unicode"
            spelt = "" if in_case else " and ".join(ascii(name) for name in same)
            findings.append(Finding(kind, tuple(prefix + name for name in same), spelt))
    return findings


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _class_and_split(path: str) -> tuple[str, str | None]:
    """Return the class and the split that the folders of a path name; "" and None if none do."""
    folders = path.split("/")[:-1]
    split = split_from_folder(folders[0]) if len(folders) > 1 else None
    return (folders[1] if split else folders[0]) if folders else "", split


def _unused_file(path: str, place: str) -> Finding:
    if is_dead_link(place):
        kind, reason = why_unreadable(place) or ("broken_link", "")
        return Finding(kind, (path,), reason)
    if _ending(path) in image_extensions():
        return Finding("unused_image", (path,), "it is next to the class folders")
    if foreign := foreign_file(place):
        return Finding("unread_file", (path,), foreign.sentence())
    if content := _picture_kind(place):
        return Finding("unused_image", (path,), f"{content} by its content")
    return Finding("other_file", (path,))


def _picture_kind(place: str) -> str | None:
    """Return the type of a file that is an image by its content, whatever its name is."""
    if not os.path.isfile(place):
        return None
    return picture_format(place)

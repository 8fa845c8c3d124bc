"""Find the files that a manifest lists, even if its paths were written for another system."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cnnkit.data.decoding.image_formats import image_extensions
from cnnkit.data.image_file import ImageFile, LocalFile
from cnnkit.data.sources.tfrecord import record_at
from cnnkit.data.spelling import PathSpelling
from cnnkit.files import why_unreadable
from cnnkit.text import count_of, shown

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class ManifestPaths:
    """The paths of one manifest.

    Args:
        manifest: the file; its paths are relative to its folder.
    """

    def __init__(self, manifest: Path) -> None:
        self.folder = os.path.abspath(manifest.parent)
        self._inside = self.folder.rstrip(os.sep) + os.sep
        self._spelling = PathSpelling()
        self._images: dict[str, dict[str, str]] = {}  # folder -> name without ending -> name
        self._num_backslashes = 0
        self._num_respelt = 0

    def find(self, path: str) -> tuple[str, ImageFile | None]:
        r"""Return the absolute path and its image; None if there is no such image.

        A file name may begin or end with blanks. A path that does not exist is tried with `/` for
        `\`, and with accents spelt differently.
        """
        place, file = self._exact(path)
        if file is None and "\\" in path and os.sep != "\\":
            slashed = self._exact(path.replace("\\", "/"))
            if slashed[1]:
                self._num_backslashes += 1
                return slashed
        if file is None and (respelt := self._spelling.existing(place)):
            file = _image_at(respelt)
            if file:
                self._num_respelt += 1
                return respelt, file
        return place, file

    def _exact(self, path: str) -> tuple[str, ImageFile | None]:
        for text in (path, path.strip()):
            place = os.path.normpath(os.path.join(self.folder, text))
            if file := _image_at(place):
                return place, file
        return place, None

    def shown(self, place: str) -> str:
        """Return a path relative to the manifest's folder if it is inside it."""
        return place.removeprefix(self._inside).replace(os.sep, "/")

    def why_not(self, path: str, place: str) -> tuple[str, bool]:
        """Return why a path leads to no image, and whether the file seems to be lost.

        Args:
            path: as the manifest has it.
            place: where it was looked for.
        """
        looked = f" (looked for {shown(place)})"
        if os.path.lexists(place):
            _, reason = why_unreadable(place) or ("", "it is no image")
            return f"{reason.removeprefix('it ')}{looked}", False
        if os.sep != "\\" and _DRIVE.match(path.strip()):
            return "is a path of a Windows computer; write it relative to this file", False
        if named := self._with_ending(place):
            return f"does not exist, but {shown(named)} does: write the ending as well", False
        return f"does not exist{looked}", True

    def _with_ending(self, place: str) -> str | None:
        """Return the name of an image that has this name and an ending."""
        folder, name = os.path.split(place)
        if folder not in self._images:
            names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            stems = (os.path.splitext(each) for each in names)
            self._images[folder] = {
                stem: stem + ending
                for stem, ending in stems
                if ending.lower() in image_extensions()
            }
        return self._images[folder].get(name)

    def notes(self) -> tuple[str, ...]:
        r"""Return sentences on the paths that were read differently from how they are written."""
        notes = []
        if self._num_backslashes:
            number = count_of(self._num_backslashes, "path")
            notes.append(f"Read with / instead of \\: {number}.")
        if self._num_respelt:
            number = count_of(self._num_respelt, "path")
            notes.append(f"Found although the accents are spelt differently on disk: {number}.")
        return tuple(notes)


def _image_at(place: str) -> ImageFile | None:
    return LocalFile(place) if os.path.isfile(place) else record_at(place)

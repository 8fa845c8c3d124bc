"""Find the files that a manifest lists, even if its paths were written for another system."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from cnnkit.data.decoding.image_formats import image_extensions
from cnnkit.data.file_bytes import ImageFile, LocalFile
from cnnkit.data.other_spellings import PathSpelling, composed
from cnnkit.data.sources.tfrecord import record_at
from cnnkit.files import why_unreadable
from cnnkit.text import count_of, is_web_address, shown

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_FILE = "file://"

# How a path was read, in the order in which it is reported.
_SLASHES = "Read with / instead of \\"
_DECODED = "Read with the characters that %20 and the like stand for"
_ACCENTS = "Found although the accents are spelt differently on disk"
_CASE = "Found although upper and lower case differ on disk"


class ManifestPaths:
    """The paths of one manifest.

    Args:
        manifest: the file; its paths are relative to its folder.
    """

    def __init__(self, manifest: Path) -> None:
        self.folder = os.path.abspath(manifest.parent)
        self._inside = self.folder.rstrip(os.sep) + os.sep
        self._spelling = PathSpelling()
        self._images: dict[str, dict[str, str]] = {}  # folder -> name without extension -> name
        self._found: Counter[str] = Counter()

    def find(self, path: str) -> tuple[str, ImageFile | None]:
        r"""Return the absolute path and its image; None if there is no such image.

        A file name may begin or end with blanks. A path that does not exist is tried with `/` for
        `\`, without the `%20` of web addresses, and with accents, upper and lower case spelt
        differently.
        """
        readings = list(_readings(path))
        for notes, written in readings:
            place, file = self._exact(written)
            if file is not None:
                self._found.update(notes)
                return place, file
        for notes, written in readings:
            place = self._exact(written)[0]
            # Only now, because this lists the folders on the way.
            respelt = self._spelling.existing(place)
            file = _image_at(respelt) if respelt else None
            if respelt and file is not None:
                same_case = composed(respelt) == composed(place)
                self._found.update([*notes, _ACCENTS if same_case else _CASE])
                return respelt, file
        return self._exact(path)

    def _exact(self, path: str) -> tuple[str, ImageFile | None]:
        for text in (path, path.strip()):
            # Normalised, so that `a/../b.jpg` and `b.jpg` are one image.
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
        if is_web_address(path):
            return "is a web address; download the image, and write the path of the file", False
        looked = f" (looked for {shown(place)})"
        if os.path.lexists(place):
            _, reason = why_unreadable(place) or ("", "it is no image")
            return f"{reason.removeprefix('it ')}{looked}", False
        if os.sep != "\\" and _DRIVE.match(path.strip()):
            return "is a path of a Windows computer; write it relative to this file", False
        if named := self._with_ending(place):
            return f"does not exist, but {shown(named)} does: write the extension as well", False
        return f"does not exist{looked}", True

    def _with_ending(self, place: str) -> str | None:
        """Return the name of an image that has this name and an extension."""
        folder, name = os.path.split(place)
        if folder not in self._images:
            names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            stems = (os.path.splitext(each) for each in names)
            self._images[folder] = {
                stem: stem + extension
                for stem, extension in stems
                if extension.lower() in image_extensions()
            }
        return self._images[folder].get(name)

    def notes(self) -> tuple[str, ...]:
        r"""Return sentences on the paths that were read differently from how they are written."""
        order = (_SLASHES, _DECODED, _ACCENTS, _CASE)
        counts = [(note, self._found[note]) for note in order if self._found[note]]
        return tuple(f"{note}: {count_of(number, 'path')}." for note, number in counts)


def _readings(path: str) -> Iterator[tuple[list[str], str]]:
    """Yield what a path may mean, from the likeliest on, with the notes about it."""
    # As it is written, first: no other reading may hide a file that exists.
    yield [], path
    slashed = path.replace("\\", "/")
    has_backslash = slashed != path and os.sep != "\\"
    if has_backslash:
        yield [_SLASHES], slashed
    if "%" in path or path.startswith(_FILE):
        notes = [_SLASHES, _DECODED] if has_backslash else [_DECODED]
        yield notes, unquote((slashed if has_backslash else path).strip().removeprefix(_FILE))


def _image_at(place: str) -> ImageFile | None:
    return LocalFile(place) if os.path.isfile(place) else record_at(place)

"""Collect the files and folders that are not used, each with the reason, and put it into words."""

from __future__ import annotations

import os
import re

from cnnkit.data.decoding.foreign_formats import ForeignFormat, foreign_file
from cnnkit.text import count_of, first_few

# What systems, network drives and photo managers put between the photos of people, in lower case:
# thumbnails of every photo, deleted photos, backups. Their names do not begin with a dot.
_SYSTEM_NAMES = frozenset(
    {
        "__macosx", "icon\r", "network trash folder", "temporary items",  # macOS
        "$recycle.bin", "recycler", "recycled", "system volume information",  # Windows
        "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini",
        "lost+found", "__pycache__",  # Linux, Python
        "@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@database",  # Synology
        "@recycle", "@recently-snapshot", "@transcode", "@__thumb", "@upload_cache",  # QNAP
        "~snapshot", "picasa.ini", "zbthumbnail.info",  # NetApp, photo managers
    }
)  # fmt: skip
# Synology's thumbnails that were copied out of their folder, and files that Windows found again.
_SYSTEM_PATTERN = r"syno(file|photo|index|video)_.*|found\.[0-9]{3}"

HIDDEN = "hidden file or folder"
SYSTEM = "file or folder that a computer or a network drive keeps for itself"
NO_IMAGE = "file without an image extension"
NO_EXTENSION = "file without an extension such as .jpg"
NEXT_TO = "file next to the class folders"
OTHER_FOLDER = "folder next to the train, validation and test folders"
DEAD = "link that leads nowhere"
SEEN = "link to a folder that was already read"
_PLURALS = {
    HIDDEN: "hidden files or folders",
    SYSTEM: "files or folders that a computer or a network drive keeps for itself",
    NO_IMAGE: "files without an image extension",
    NO_EXTENSION: "files without an extension such as .jpg",
    NEXT_TO: "files next to the class folders",
    OTHER_FOLDER: "folders next to the train, validation and test folders",
    DEAD: "links that lead nowhere",
    SEEN: "links to folders that were already read",
}


def why_hidden(name: str) -> str | None:
    """Return why a file or folder is ignored because of its name; else None.

    >>> why_hidden(".git"), why_hidden("cat"), why_hidden("@eaDir") == SYSTEM
    ('hidden file or folder', None, True)
    """
    if name.startswith("."):
        return HIDDEN
    return SYSTEM if is_system(name) else None


def is_system(name: str) -> bool:
    """Tell whether a system or a program keeps a file or folder of this name for itself."""
    name = name.lower()
    return name in _SYSTEM_NAMES or re.fullmatch(_SYSTEM_PATTERN, name) is not None


def is_dead_link(path: str) -> bool:
    """Tell whether a path is a link that leads nowhere, or to itself."""
    return os.path.islink(path) and not os.path.exists(path)


class Ignored:
    """Files and folders that are not used, by reason."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[str]] = {}
        self._foreign: dict[ForeignFormat, list[str]] = {}

    def add(self, reason: str, path: str) -> None:
        """Remember a file or folder, and why it is not used."""
        self._by_reason.setdefault(reason, []).append(path)

    def add_file(self, reason: str, place: str, path: str) -> None:
        """Remember a file; if it is a link that leads nowhere, this is the reason.

        Args:
            reason: why a real file would not be used.
            place: its full path.
            path: what messages call it.
        """
        self.add(DEAD if is_dead_link(place) else reason, path)

    def add_no_image(self, place: str, path: str) -> None:
        """Remember a file whose name does not end like that of an image, and its format."""
        if foreign := foreign_file(place):
            self._foreign.setdefault(foreign, []).append(path)
            return
        has_extension = os.path.splitext(path)[1] != ""
        self.add_file(NO_IMAGE if has_extension else NO_EXTENSION, place, path)

    def notes(self) -> tuple[str, ...]:
        """Return one sentence per reason: how many, and the first few names."""
        return (
            *self.unread(),
            *(
                f"Ignored: {count_of(len(paths), reason, _PLURALS[reason])} "
                f"({first_few(sorted(paths))})."
                for reason, paths in sorted(self._by_reason.items())
            ),
        )

    def rows(self) -> list[tuple[str, str]]:
        """Return (path, why it is ignored) of each file and folder, sorted by path."""
        foreign = ((path, each.name) for each, paths in self._foreign.items() for path in paths)
        others = ((path, reason) for reason, paths in self._by_reason.items() for path in paths)
        return sorted([*foreign, *others])

    def unread(self) -> tuple[str, ...]:
        """Return the notes about pictures and documents in formats that cannot be read."""
        return tuple(sorted(each.note(paths) for each, paths in self._foreign.items()))

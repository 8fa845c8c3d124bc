"""Find the images that a user names, and read them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence

from numpy.typing import NDArray

from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.sources.folder_walk import image_files
from cnnkit.data.sources.ignored import SYSTEM, Ignored, is_system
from cnnkit.errors import ImageError
from cnnkit.text import is_web_address

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")


class NoImages(str):
    """A folder, glob or archive that gives no image. Its prediction has the reason as its error."""

    reason: str

    def __new__(cls, pattern: str, reason: str) -> NoImages:
        """Return the pattern, with the attribute `reason`."""
        made = super().__new__(cls, pattern)
        made.reason = reason
        return made


def find_images(patterns: Iterable[str], ignored: Ignored | None = None) -> Iterator[str]:
    """Yield the image files for each pattern: a file itself, a folder's images, a glob's matches.

    A pattern that gives no image is yielded unchanged: its prediction then says why.

    Args:
        patterns: paths of files and folders, and globs.
        ignored: gets the files and folders inside the given folders that are not images.
    """
    ignored = Ignored() if ignored is None else ignored
    for pattern in patterns:
        if os.path.isdir(pattern):
            yield from image_files(pattern, ignored) or [
                NoImages(pattern, "the folder contains no images")
            ]
        # `a[1].jpg` may be the name of a file, and the `?` of a web address is no pattern.
        elif glob.has_magic(pattern) and not (os.path.lexists(pattern) or is_web_address(pattern)):
            literal = pattern.replace("[", "[[]")  # of a folder such as `photos [2024]`
            yield from (
                _matches(pattern, ignored)
                or _matches(literal, ignored)
                or [NoImages(pattern, "no file matches this pattern")]
            )
        else:
            yield pattern


def _matches(pattern: str, ignored: Ignored) -> list[str]:
    """Return what a glob matches, sorted, because its own order is that of the file system.

    A glob matches no hidden files, so it skips those of the system as well, unless it names them.
    """
    found = []
    named = set(pattern.split(os.sep))
    for path in sorted(glob.iglob(pattern, recursive=True)):
        hidden = [part for part in path.split(os.sep) if part not in named and is_system(part)]
        if hidden:
            ignored.add(SYSTEM, path)
        else:
            found.append(path)
    return found


def is_archive(path: str) -> bool:
    """Tell whether a path is a file that is named like a zip or tar archive."""
    return path.lower().endswith(ARCHIVES) and os.path.isfile(path)


def is_one_image(images: Sequence[str | bytes]) -> bool:
    """Tell whether a user names exactly one image file, which `predict` answers by all cores."""
    if len(images) != 1:
        return False
    only = images[0]
    return isinstance(only, bytes) or (os.path.isfile(only) and not is_archive(only))


def name_of(image: object) -> str:
    """Return the name of an image in answers: its path, or `-` for bytes."""
    return "-" if isinstance(image, bytes) else str(image)


def pixels_of(image: str | ImageFile | bytes, settings: PixelSettings) -> NDArray:
    """Return the uint8 pixels (height, width, channels) of an image that `find_images` gave.

    Raises:
        ImageError: it cannot be read, or there is none.
    """
    if isinstance(image, NoImages):
        raise ImageError(image.reason, kind="unreadable_file")
    return read_pixels(image, settings)

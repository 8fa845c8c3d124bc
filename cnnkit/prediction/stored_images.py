"""Images in object stores and other places that fsspec reads: s3://, gs://, memory://, file://, ...

Nothing is written to disk. Credentials, addresses of servers, timeouts and new attempts are those
of the libraries behind fsspec, with their environment variables and files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

from cnnkit.data.sources.folder_walk import is_image, why_left_out
from cnnkit.data.sources.ignored import Ignored
from cnnkit.errors import ImageError, reason_of
from cnnkit.prediction.find_images import NoImages
from cnnkit.text import size_text

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MOST_BYTES = 2**29  # of one image


@dataclass(frozen=True)
class StoredImage:
    """An image file in a file system of fsspec.

    Args:
        url: its address, with the name of the file system before `://`.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def read_bytes(self) -> bytes:
        """Return the encoded image.

        Raises:
            ImageError: it cannot be read, or it is too large.
        """
        system, path = _place(self.url)
        with _explained():
            size = system.size(path)  # known without asking if the folder was listed
            if size is not None and size > MOST_BYTES:
                reason = f"it has {size_text(size)}, which no image file has"
                raise ImageError(reason, kind="too_large")
            return system.cat_file(path)

    def fetch(self, stopped: Event) -> bytes:
        """Return the encoded image, as `read_bytes`; it cannot be stopped."""
        return self.read_bytes()


def find_stored_images(pattern: str, ignored: Ignored) -> Iterator[StoredImage | NoImages]:
    """Yield the image files for a pattern: a file, a folder's images, a glob's matches.

    Args:
        pattern: an address of fsspec.
        ignored: gets the files in folders that are not images.
    """
    try:
        found = _found(pattern, ignored)
    except ImageError as error:
        found = [NoImages(pattern, str(error))]
    yield from found


def _found(pattern: str, ignored: Ignored) -> list[Any]:
    system, path = _place(pattern)
    with _explained():
        if "*" in path or ("?" in path or "[" in path) and not system.exists(path):
            paths = sorted(system.glob(path))
            kept = _kept(paths, set(path.split("/")), ignored, only_images=False)
            none = "no file matches this pattern"
        elif pattern.endswith("/") or (not is_image(path) and system.isdir(path)):
            # Names alone, as for a folder on disk: a million of them are 100 MB.
            kept = _kept(sorted(system.find(path)), set(path.split("/")), ignored)
            none = "the folder contains no images"
        else:
            return [StoredImage(pattern)]
        images = [StoredImage(system.unstrip_protocol(each)) for each in kept]
    return images or [NoImages(pattern, none)]


def _kept(
    paths: list[str], named: set[str], ignored: Ignored, *, only_images: bool = True
) -> Iterator[str]:
    """Yield the paths that are read; parts that the user has named may be hidden."""
    for path in paths:
        *folders, name = path.split("/")
        parts = [folder for folder in folders if folder not in named] + [name]
        reason = why_left_out(parts, only_images=only_images)
        if reason is None:
            yield path
        else:
            ignored.add(reason, path)


def _place(url: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of an address, and the path in it.

    Raises:
        ImageError: it cannot be used.
    """
    if "::" in url:
        raise ImageError(
            "addresses inside other addresses (::) are not read", kind="unreadable_file"
        )
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        reason = 'such addresses need fsspec: pip install "cnnkit[remote]"'
        raise ImageError(reason, kind="unreadable_file") from error
    with _explained():
        return url_to_fs(url)


@contextmanager
def _explained() -> Iterator[None]:
    """Raise an ImageError for whatever a library behind fsspec raises."""
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError("there is no such file", kind="unreadable_file") from error
    # Each file system has errors of its own, for credentials and names as well as for networks.
    except Exception as error:
        raise ImageError(f"it cannot be read: {reason_of(error)}", kind="unreachable") from error

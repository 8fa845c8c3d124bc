"""The images in a zip or tar archive, one after the other, without unpacking it to disk.

Nothing is written, so hostile names in an archive are only names. A member that cannot be
unpacked, or unpacks to more than an image file has, becomes an answer with an error.
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cnnkit.data.sources.folder_walk import why_left_out
from cnnkit.data.sources.ignored import Ignored
from cnnkit.prediction.find_images import NoImages, is_archive
from cnnkit.text import count_of, size_text

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it reads no .xz either
    _LZMA_ERRORS: tuple[type[Exception], ...] = ()
else:
    _LZMA_ERRORS = (LZMAError,)
_MOST_BYTES = 2**29  # of one image file, unpacked
_SAYS_UTF8 = 0x800  # a bit of the flags of a zip archive's member
# What the standard library raises for damage, encryption and unknown compression.
_DAMAGES = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, *_LZMA_ERRORS),
    *(OSError, EOFError, ValueError, RuntimeError),
)
_Member = tuple[str, int, Callable[[], bytes]]  # name, size in bytes, its content


@dataclass(frozen=True)
class ArchivedImage:
    """An image file from an archive, called `photos.zip/cat/1.jpg`."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name

    def read_bytes(self) -> bytes:
        """Return the encoded image."""
        return self.content


def with_archives(paths: Iterable[str], ignored: Ignored) -> Iterator[Any]:
    """Yield paths, and in place of each zip or tar archive the images in it.

    Args:
        paths: from `find_images`.
        ignored: gets the files in archives that are not images.
    """
    for path in paths:
        if is_archive(path):
            yield from _images(path, ignored)
        else:
            yield path


def _images(path: str, ignored: Ignored) -> Iterator[ArchivedImage | NoImages]:
    number = 0
    members = _zip_members if zipfile.is_zipfile(path) else _tar_members
    try:
        for name, size, read in members(path):
            whole = f"{path}/{name.removeprefix('./')}"
            if (reason := why_left_out(name.split("/"))) is not None:
                ignored.add(reason, whole)
            else:
                number += 1
                yield _image(whole, size, read)
    except _DAMAGES as error:
        after = f" after {count_of(number, 'image')}" if number else ""
        yield NoImages(path, f"the archive is damaged{after}: {_reason(error)}")
        return
    if not number:
        yield NoImages(path, "the archive contains no images")


def _image(name: str, size: int, read: Callable[[], bytes]) -> ArchivedImage | NoImages:
    if size > _MOST_BYTES:
        return NoImages(name, f"it unpacks to {size_text(size)}, which no image file has")
    try:
        return ArchivedImage(name, read())
    except _DAMAGES as error:
        return NoImages(name, f"it cannot be unpacked: {_reason(error)}")


def _zip_members(path: str) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                # `read` gives at most the stated size, so a false one cannot fill the memory.
                yield _zip_name(info), info.file_size, lambda info=info: archive.read(info)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a member; macOS and some `zip` write UTF-8 without saying so."""
    if info.flag_bits & _SAYS_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _tar_members(path: str) -> Iterator[_Member]:
    with tarfile.open(path) as archive:
        for info in archive:  # in their order, because a compressed archive cannot go back
            if file := archive.extractfile(info) if info.isreg() else None:
                yield info.name, info.size, file.read
            elif not info.isdir():
                yield info.name, 0, _no_file
            archive.members = []  # otherwise it remembers all members
        # tarfile takes half a header for the end; the end is a block of zeros.
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise EOFError("unexpected end of data")
        while archive.fileobj.read(2**20):  # gzip compares its checksum at the very end
            pass


def _no_file() -> bytes:
    raise ValueError("it is a link or a device; pack the file itself")


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

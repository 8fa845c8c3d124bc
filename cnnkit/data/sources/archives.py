"""A zip or tar archive enters; its files in a folder leave, and nothing outside of it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from cnnkit.data.reading import Progress
from cnnkit.errors import DataError

MAX_ENTRIES = 2_000_000
# Photographs hardly shrink in an archive, drawings by some tens; a bomb unpacks to far more.
_MAX_RATIO = 200
_ALWAYS_ALLOWED_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 18
_MAX_HEADER_BYTES = 1 << 20
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a way of packing that zipfile does not know
    OSError,
)


class _UnsafeError(Exception):
    """What must not be unpacked; the text is the reason."""


@dataclass(frozen=True)
class _Member:
    """One entry of an archive that is a file; `open` gives its content."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path,
    folder: Path,
    *,
    place: Callable[[str], str | None] = lambda name: name,
    progress: Progress | None = None,
) -> None:
    """Write the files of an archive below a folder, after all names and sizes are checked.

    Args:
        archive: zip, tar, tar.gz, tar.bz2 or tar.xz, known by its content.
        folder: which exists.
        place: gives the path below `folder` for a file of the archive; None leaves the file out.
        progress: called with (bytes written, bytes in all).

    Raises:
        DataError: the archive is damaged, encrypted, too large, holds links or devices, or names
            that lead out of the folder or that are one file on some systems.
    """
    with _chosen(archive, place) as chosen:
        _write(chosen, folder, progress or (lambda done, total: None))


def read_files(archive: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of some files of an archive, in the archive's order.

    Raises:
        DataError: as `unpack`.
    """
    with _chosen(archive, lambda name: name if name in names else None) as chosen:
        for name, member in chosen:
            yield name, b"".join(_chunks(member))


@contextmanager
def _chosen(
    archive: Path, place: Callable[[str], str | None]
) -> Iterator[list[tuple[str, _Member]]]:
    """Give the files to unpack, each with its path, once all of the archive is looked at."""
    try:
        with _opened(archive) as members:
            yield _checked(archive, members, place)
    except _UnsafeError as error:
        raise DataError(f"{archive} is not unpacked: {error}.") from error


def _checked(
    archive: Path, members: Iterator[_Member], place: Callable[[str], str | None]
) -> list[tuple[str, _Member]]:
    allowed = max(_ALWAYS_ALLOWED_BYTES, _MAX_RATIO * archive.stat().st_size)
    chosen, total = [], 0
    for member in members:
        total += member.size
        if total > allowed:
            raise _UnsafeError(
                f"it has {archive.stat().st_size:,} bytes and would unpack to more than "
                f"{allowed:,}; it may be a bomb. If you trust it, unpack it yourself"
            )
        name = _safe_name(member.name)
        if not name:
            raise _UnsafeError("it holds a file without a name")
        path = place(name)
        if path is not None:
            chosen.append((path, member))
    if not chosen:
        raise _UnsafeError("it holds none of the files that are looked for")
    _check_one_file_each(chosen)
    return chosen


def _safe_name(name: str) -> str:
    """Return a name with `/` between its parts, which stays inside any folder.

    Raises:
        _UnsafeError: it does not.
    """
    parts = re.split(r"[/\\]", name)
    outside = name.startswith(("/", "\\")) or re.match("[A-Za-z]:", name) or ".." in parts
    if outside or "\0" in name:
        raise _UnsafeError(f"{name!r} in it leads out of the folder")
    return "/".join(part for part in parts if part not in ("", "."))


def _check_one_file_each(chosen: list[tuple[str, _Member]]) -> None:
    """Refuse two files that are one on Windows or macOS, and a file where a folder must be."""
    names: dict[str, str] = {}
    for count, (path, _) in enumerate(chosen, start=1):
        other = names.setdefault(_folded(path), path)
        if len(names) < count:
            how = (
                "twice" if other == path else f"beside {other!r}, which is the same on some systems"
            )
            raise _UnsafeError(f"it holds {path!r} {how}")
    for path, _ in chosen:
        parts = _folded(path).split("/")
        for length in range(1, len(parts)):
            blocking = names.get("/".join(parts[:length]))
            if blocking:
                raise _UnsafeError(f"{blocking!r} in it is a file, and {path!r} needs a folder")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _write(chosen: list[tuple[str, _Member]], folder: Path, progress: Progress) -> None:
    total = sum(member.size for _, member in chosen)
    free = shutil.disk_usage(folder).free
    if total > free:
        raise _UnsafeError(f"it needs {total:,} bytes, and {folder.parent} has room for {free:,}")
    done = 0
    for path, member in chosen:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as output:
            for chunk in _chunks(member):
                done += len(chunk)
                output.write(chunk)
        progress(done, total)


def _chunks(member: _Member) -> Iterator[bytes]:
    """Read a file of an archive, at most as much as its header said."""
    left = member.size
    with _reading(f"{member.name!r} in it"), member.open() as stream:
        while left > 0:
            chunk = stream.read(min(_CHUNK_BYTES, left))
            if not chunk:
                raise EOFError("it ends too early")
            left -= len(chunk)
            yield chunk
        if stream.read(1):  # to the end, where zip checks the sum
            raise EOFError("it is longer than its header says")


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Say what of the archive is damaged."""
    try:
        yield
    except _DAMAGE as error:
        raise _UnsafeError(f"{what} cannot be read ({error})") from error


# --- the two kinds


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Member]]:
    """Open an archive of any kind and give its files one after another."""
    with ExitStack() as stack:
        try:
            if zipfile.is_zipfile(archive):
                members = _zip_members(stack.enter_context(zipfile.ZipFile(archive)))
            else:
                members = _tar_members(_open_tar(archive, stack))
        except _DAMAGE as error:
            reason = (
                getattr(error, "strerror", None) or "it is no zip or tar archive, or is damaged"
            )
            raise DataError(f"{archive} cannot be unpacked: {reason}.") from error
        yield members


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for count, info in enumerate(opened.infolist(), start=1):
        name = info.orig_filename  # `filename` ends at a NUL
        _check_entry(count, name)
        if info.is_dir():
            continue
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _UnsafeError(f"{name!r} in it is a link or a device, not a file")
        if info.flag_bits & 1:
            raise _UnsafeError(f"{name!r} in it is encrypted. Unpack it yourself")
        yield _Member(name, info.file_size, partial(opened.open, info))


class _SmallReads:
    """A stream for tarfile, which reads a header of any size into memory in one piece."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.tell, self.seek = stream.tell, stream.seek

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._stream.read(size)


def _open_tar(archive: Path, stack: ExitStack) -> tarfile.TarFile:
    for opener in (open, gzip.open, bz2.open, lzma.open):
        stream = stack.enter_context(opener(archive, "rb"))
        try:
            return tarfile.TarFile(fileobj=_SmallReads(stream))
        except _DAMAGE:  # packed in another way, which the next one reads
            stream.close()
    raise tarfile.ReadError


def _tar_members(opened: tarfile.TarFile) -> Iterator[_Member]:
    with _reading("a header in it"):
        for count, info in enumerate(opened, start=1):
            _check_entry(count, info.name)
            if info.isdir():
                continue
            if not info.isreg():
                raise _UnsafeError(f"{info.name!r} in it is a link or a device, not a file")
            yield _Member(info.name, info.size, partial(opened.extractfile, info))
        opened.fileobj.seek(opened.offset)
        if not opened.fileobj.read(tarfile.BLOCKSIZE):  # where tarfile itself is content
            raise EOFError("it ends too early")


def _check_entry(count: int, name: str) -> None:
    if count > MAX_ENTRIES:
        raise _UnsafeError(f"it holds more than {MAX_ENTRIES:,} files and folders")
    _safe_name(name)

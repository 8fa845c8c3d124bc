"""Read the files of a zip or tar archive whose sha256 has been checked.

The archives of the known sets are pinned by their sha256, so their content is known: no damage, no
hostile names and no surprising sizes are looked for here. Do not use this for any other archive.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from cnnkit.data.file_contents import Progress


def read_archive(
    archive: Path, wanted: Callable[[str], bool], progress: Progress | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of some files of an archive, in the archive's order.

    Args:
        archive: zip, tar, tar.gz, tar.bz2 or tar.xz, recognised by its content.
        wanted: called with the name of each file in the archive.
        progress: called with (bytes of the archive read, its size) after each file.
    """
    size = archive.stat().st_size
    with archive.open("rb") as stream:
        read_all = _read_zip if zipfile.is_zipfile(stream) else _read_tar
        stream.seek(0)
        for name, content in read_all(stream, wanted):
            yield name, content
            if progress is not None:
                # The place in the archive, because the size of what is wanted is not known.
                progress(stream.tell(), size)


def _read_zip(stream: BinaryIO, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(stream) as opened:
        for info in opened.infolist():
            if not info.is_dir() and wanted(info.filename):
                yield info.filename, opened.read(info)


def _read_tar(stream: BinaryIO, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=stream) as opened:
        for info in opened:
            file = opened.extractfile(info) if info.isreg() and wanted(info.name) else None
            if file is not None:
                yield info.name, file.read()

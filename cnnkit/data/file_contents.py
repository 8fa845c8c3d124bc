"""Hash the contents of many image files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing

from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.parallel import in_threads
from cnnkit.errors import ImageError

Progress = Callable[[int, int], None]

_BATCH_FILES = 256


def hash_files(
    files: Sequence[ImageFile], progress: Progress | None = None
) -> tuple[list[str | None], dict[int, str]]:
    """Hash files in threads.

    Args:
        files: the files to read.
        progress: called now and then with (number of files hashed, number of all files).

    Returns:
        The sha256 of each file in order, None for a file that cannot be read, and the reason for
        each such position.
    """
    hashes: list[str | None] = []
    reasons: dict[int, str] = {}
    with closing(in_threads(_hash, files, _BATCH_FILES)) as batches:
        for batch in batches:
            for digest, reason in batch:
                if reason is not None:
                    reasons[len(hashes)] = reason
                hashes.append(digest)
            if progress is not None:
                progress(len(hashes), len(files))
    return hashes, reasons


def _hash(position: int, file: ImageFile) -> tuple[str | None, str | None]:
    try:
        return hashlib.sha256(read_file(file)).hexdigest(), None
    except ImageError as error:
        return None, str(error)

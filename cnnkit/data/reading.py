"""Image files enter; the sha256 of each one's content, or why it cannot be read, leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing

from cnnkit.data.parallel import in_threads
from cnnkit.data.records import ImageFile
from cnnkit.files import is_path, why_unreadable

Progress = Callable[[int, int], None]

_BATCH_FILES = 256


def hash_files(
    files: Sequence[ImageFile], progress: Progress | None = None
) -> tuple[list[str | None], dict[int, str]]:
    """Hash files in threads.

    Args:
        files: what to read.
        progress: called with (files hashed, files in all), not for each single file.

    Returns:
        The sha256 of each file in order, None where it could not be read, and the reason for each
        such position.
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


def read_file(file: ImageFile) -> tuple[bytes | None, str | None]:
    """Return the bytes of a file, or None and the reason why it cannot be read."""
    try:
        return file.read_bytes(), None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        return None, _reason(file, error)


def _reason(file: ImageFile, error: OSError | ValueError) -> str:
    """Return the true reason where a path leads to no regular file, else that of the error."""
    found = why_unreadable(file) if is_path(file) else None
    return found[1] if found else f"it cannot be opened: {getattr(error, 'strerror', 0) or error}"


def _hash(position: int, file: ImageFile) -> tuple[str | None, str | None]:
    data, reason = read_file(file)
    return (None, reason) if data is None else (hashlib.sha256(data).hexdigest(), None)

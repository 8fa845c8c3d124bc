"""Image files enter; the sha256 of each one's content, or why it cannot be read, leaves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_CHUNK_BYTES = 1 << 20


Progress = Callable[[int, int], None]


def hash_files(
    files: Sequence[Path], progress: Progress | None = None
) -> tuple[list[str | None], dict[int, str]]:
    """Hash files in threads.

    Args:
        files: what to read.
        progress: called with (files hashed, files in all).

    Returns:
        The sha256 of each file in order, None where it could not be read, and the reason for each
        such position.
    """
    hashes: list[str | None] = []
    reasons: dict[int, str] = {}
    with ThreadPoolExecutor(_num_threads()) as pool:
        for position, (digest, reason) in enumerate(pool.map(_hash, files, chunksize=64)):
            hashes.append(digest)
            if reason is not None:
                reasons[position] = reason
            if progress is not None:
                progress(position + 1, len(files))
    return hashes, reasons


def _num_threads() -> int:
    return min(8, os.cpu_count() or 1)


def _hash(file: Path) -> tuple[str | None, str | None]:
    digest = hashlib.sha256()
    try:
        with open(file, "rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        return None, f"it cannot be opened: {error.strerror or error}"
    return digest.hexdigest(), None

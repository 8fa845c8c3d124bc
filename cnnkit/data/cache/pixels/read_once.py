"""Read image files once: hash each of them, and decode those with a new content."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnkit.data.decoding.sample_kinds import sample_kind
from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.parallel import in_threads
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError

# Several batches wait for each thread, see data/parallel.py, and all their pixels are in memory.
_BATCH_BYTES, _BATCH_FILES = 2 << 20, 256


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One file after reading. If its content is not new, it has neither pixels nor a reason.

    Args:
        content: its sha256; None if it cannot be read.
        pixels: uint8 (height, width, channels).
        crc32: of the pixels.
        reason: why it cannot be read or decoded; empty if it can.
        kind: see `sample_kind`.
    """

    content: bytes | None
    pixels: np.ndarray | None = None
    crc32: int = 0
    reason: str = ""
    kind: str = ""


def read_files(
    files: Sequence[ImageFile], settings: PixelSettings, is_known: Callable[[bytes], bool]
) -> Generator[list[ReadFile], None, None]:
    """Read each file once, in threads, and yield the results in order, some at a time.

    Args:
        files: what to read.
        settings: how files become pixels.
        is_known: whether the pixels of a sha256 exist already. If several files have the same
            content, one of them is decoded.
    """
    decoder_of: dict[bytes, int] = {}

    def read(position: int, file: ImageFile) -> ReadFile:
        try:
            data = read_file(file)
        except ImageError as error:
            return ReadFile(None, reason=str(error))
        content = hashlib.sha256(data).digest()
        # setdefault is atomic among threads: the first file of a content is the one to decode.
        if is_known(content) or decoder_of.setdefault(content, position) != position:
            return ReadFile(content, kind=sample_kind(data))
        try:
            pixels = read_pixels(data, settings)
        except ImageError as error:
            return ReadFile(content, reason=str(error))
        return ReadFile(content, pixels, zlib.crc32(pixels.data), kind=sample_kind(data))

    room = _BATCH_BYTES // int(np.prod(settings.shape))
    return in_threads(read, files, min(_BATCH_FILES, room))

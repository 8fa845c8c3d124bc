"""Image files enter; each one's content hash and, where it is new, its pixels leave. Read once."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnkit.data.parallel import in_threads
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.reading import read_file
from cnnkit.data.records import ImageFile
from cnnkit.errors import ImageError

_BATCH_BYTES, _BATCH_FILES = 2 << 20, 256


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What became of one file. It has neither pixels nor a reason where its content is not new.

    Args:
        content: its sha256; None where it cannot be read.
        pixels: uint8 (height, width, channels).
        crc32: of the pixels.
        reason: why it cannot be read or decoded.
    """

    content: bytes | None
    pixels: np.ndarray | None = None
    crc32: int = 0
    reason: str | None = None


def read_files(
    files: Sequence[ImageFile], settings: PixelSettings, is_known: Callable[[bytes], bool]
) -> Iterator[list[ReadFile]]:
    """Read each file once, in threads; yield what came in order, some at a time.

    Args:
        files: what to read.
        settings: how to decode.
        is_known: tells of a sha256 whether its pixels are there already. Of several files with one
            content, one is decoded.
    """
    decoder_of: dict[bytes, int] = {}

    def read(position: int, file: ImageFile) -> ReadFile:
        try:
            data = read_file(file)
        except ImageError as error:
            return ReadFile(None, reason=str(error))
        content = hashlib.sha256(data).digest()
        # setdefault is one step for all threads: the first file of a content gets it.
        if is_known(content) or decoder_of.setdefault(content, position) != position:
            return ReadFile(content)
        try:
            pixels = read_pixels(data, settings)
        except ImageError as error:
            return ReadFile(content, reason=str(error))
        return ReadFile(content, pixels, zlib.crc32(pixels))

    room = _BATCH_BYTES // int(np.prod(settings.shape))
    return in_threads(read, files, min(_BATCH_FILES, room))

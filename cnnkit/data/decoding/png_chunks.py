"""Read the chunks of a PNG: leave out those that are not needed for its pixels, and find one."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES, _CRC_BYTES = 8, 4
_NOT_PIXELS = frozenset({b"iCCP", b"tEXt", b"zTXt", b"iTXt"})
# Texts in which programs write the orientation of the picture.
_WITH_ORIENTATION = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"exif\0")
_MOST_BYTES = 1_000_000  # of such a text; larger ones hold pictures and edits, Pillow refuses them


def without_metadata(data: bytes) -> bytes:
    """Return a PNG without its colour profile and its texts, except those with an orientation.

    Pillow decompresses them as it opens the file, and refuses large ones or those with an error.

    Args:
        data: a PNG file, which may be damaged.
    """
    kept, start = [], 0
    for kind, begin, end in _chunks(data):
        if kind in _NOT_PIXELS and not _has_orientation(data, kind, begin, end):
            kept.append(data[start:begin])
            start = end
    return b"".join([*kept, data[start:]]) if kept else data


def is_for_iphone(data: bytes) -> bool:
    """Tell whether Xcode has changed a PNG for the iPhone, so that it is none any more."""
    return data[12:16] == b"CgBI"


def find_chunk(data: bytes, wanted: bytes) -> bytes | None:
    """Return the content of the first chunk of a type before the pixels; None if there is none."""
    for kind, begin, end in _chunks(data):
        if kind == wanted:
            return data[begin + _HEADER_BYTES : end - _CRC_BYTES]
        if kind == b"IDAT":
            return None
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, first byte, byte after the last) of each whole chunk."""
    begin = len(PNG_MAGIC)
    while begin + _HEADER_BYTES + _CRC_BYTES <= len(data):
        length = int.from_bytes(data[begin : begin + 4], "big")
        end = begin + _HEADER_BYTES + length + _CRC_BYTES
        if end > len(data):
            return
        yield data[begin + 4 : begin + _HEADER_BYTES], begin, end
        begin = end


def _has_orientation(data: bytes, kind: bytes, begin: int, end: int) -> bool:
    if kind == b"iCCP":
        return False
    content = data[begin + _HEADER_BYTES : end - _CRC_BYTES]
    keyword = next((name for name in _WITH_ORIENTATION if content.startswith(name)), None)
    if keyword is None:
        return False
    return _unpacked_size(kind, content[len(keyword) :]) <= _MOST_BYTES


def _unpacked_size(kind: bytes, content: bytes) -> int:
    """Return the size of a text when it is decompressed, or a little more than what is allowed."""
    if kind == b"tEXt" or (kind == b"iTXt" and content[:1] == b"\0"):
        return len(content)
    # zTXt: a method, then the data. iTXt: a flag, a method, language and keyword ending in zeros.
    packed = content[1:] if kind == b"zTXt" else content[2:].split(b"\0", 2)[-1]
    return len(_decompressed(packed))


def _decompressed(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _MOST_BYTES + 1)
    except zlib.error:
        return b""

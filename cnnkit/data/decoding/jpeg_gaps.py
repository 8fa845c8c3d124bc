"""Find JPEG files whose samples are not all there: zeros stand in their place, or they end early.

An interrupted download, a damaged memory card and programs that repair such files leave them.
Decoders fill the rest of the picture with grey and do not complain.
"""

from __future__ import annotations

import io

from PIL import Image

from cnnkit.data.decoding.image_formats import decoding
from cnnkit.errors import ImageError

_ZEROS = bytes(64)  # one block of a picture can never have so many
_MAYBE_SAMPLES = 8  # zeros that may be the end of the picture before them
# Samples of some other picture: neither zeros nor a marker, which would begin with 0xFF.
_FILLER = b"\x55"
_MORE = 4096
_START_OF_FRAME, _HUFFMAN_TABLES, _START_OF_SCAN = (0xC0, 0xC1), 0xC4, 0xDA
_END = b"\xff\xd9"
_END_OF_BLOCK = 0
_SMALL = (8, 8)  # decoded at an eighth


def check_no_zeros(data: bytes) -> None:
    """Refuse a JPEG in which zeros are decoded as a part of the picture.

    Zeros after the picture are no fault, and neither are zeros that may be flat colour.

    Raises:
        ImageError: there are such zeros.
    """
    if _ZEROS not in data:
        return
    start = _first_scan(data, may_be_flat=False)
    end = -1 if start is None else data.find(_END, start)
    first = -1 if start is None else data.find(_ZEROS, start, len(data) if end < 0 else end)
    if first < 0:
        return
    number = len(data) - first - len(data[first:].lstrip(b"\0"))
    begin, stop = first + _MAYBE_SAMPLES, first + number
    filled = data[:begin] + _FILLER * (stop - begin) + data[stop:]
    # If other bytes in their place give another picture, the zeros were decoded.
    if _small_picture(filled) != _small_picture(data):
        raise ImageError(
            f"a part of the picture is missing: {number:,} bytes from byte {first:,} on "
            f"are zeros, of {len(data):,} bytes in all",
            kind="damaged",
        )


def ends_early(data: bytes) -> bool:
    """Tell whether the samples of a JPEG end before the picture is complete.

    More samples after them change nothing in a complete picture.
    """
    start = _first_scan(data)
    end = -1 if start is None else data.find(_END, start)
    if end < 0:
        return False
    return _small_picture(data[:end] + _FILLER * _MORE + _END) != _small_picture(data)


def _first_scan(data: bytes, *, may_be_flat: bool = True) -> int | None:
    """Return where the samples of a JPEG that is not progressive begin; None for other files.

    Args:
        data: of the file.
        may_be_flat: if false, None also for files in which many zeros may be many flat blocks: the
            first symbol of a Huffman table is written as zeros, and it is the end of a block.
    """
    position, is_baseline = 2, False
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        content = data[position + 4 : position + 2 + length]
        if marker in _START_OF_FRAME:
            is_baseline = True
        elif marker == _HUFFMAN_TABLES and not may_be_flat and _writes_flat_as_zeros(content):
            return None
        elif marker == _START_OF_SCAN:
            return position + 2 + length if is_baseline else None
        position += 2 + length
    return None


def _writes_flat_as_zeros(content: bytes) -> bool:
    """Tell whether the first symbol of a table for details of luminance is the end of a block."""
    position = 0
    while position + 17 < len(content):
        # A table is a byte for its kind (0x10 is that for details of luminance), how many symbols
        # have each of 16 lengths, and the symbols. The code of the first one is all zeros.
        if content[position] == 0x10 and content[position + 17] == _END_OF_BLOCK:
            return True
        position += 17 + sum(content[position + 1 : position + 17])
    return False


def _small_picture(data: bytes) -> bytes | None:
    """Return the pixels at an eighth of the size; None if they cannot be decoded."""
    try:
        with decoding(data), Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            # Grey and small, which is fast; every block of the picture still counts.
            image.draft("L", _SMALL)
            return image.tobytes()
    except ImageError:
        return None

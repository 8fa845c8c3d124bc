"""Make TIFF files with unusual samples readable: grey levels or colours of 3 to 15 bits."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from cnnkit.errors import ImageError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_ROWS, STRIP_BYTES = 273, 274, 277, 278, 279
MAX_SAMPLE, PLANAR, PREDICTOR, COLOUR_MAP = 281, 284, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS = 322, 323, 324
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339

_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SHORT, _LONG = 3, 4
_CODES = {1: "B", _SHORT: "H", _LONG: "I", 16: "Q"}
_USUAL_BITS = {1, 2, 4, 8, 16, 32, 64}  # of grey levels, which Pillow reads
_GREY, _COLOURS = (0, 1), 2  # of PHOTOMETRIC; 0 is WhiteIsZero
_YCBCR = 6  # of PHOTOMETRIC
_SEPARATE = 2  # of PLANAR: each channel has strips of its own
# Their samples are bytes, one after the other, once they are unpacked: none, LZW, Deflate,
# PackBits, Zstandard.
_BYTE_COMPRESSIONS = {1, 5, 8, 32946, 32773, 50000}
# How many bytes can at most come from one byte: LZW, Deflate, PackBits.
_LARGEST_RATIOS = {5: 2731, 8: 1032, 32946: 1032, 32773: 64}
_BLOCK_SAMPLES = 1 << 20
# A damaged header may claim any number of tags.
_MOST_TAGS = 4096


class _Entry(NamedTuple):
    """One tag: its number, and where its value is."""

    tag: int
    position: int  # of the entry in the file
    value: int  # the first, if there are several
    num_values: int


class TiffHeader:
    """The tags of the first picture in a TIFF or BigTIFF.

    Args:
        data: the bytes of the file.

    Raises:
        struct.error: the file is damaged.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.num_bytes = len(data)
        self.order = "<" if data[:2] == b"II" else ">"
        self._is_big = self._number("H", 2) == 43
        self._wide, self._size = ("Q", 20) if self._is_big else ("I", 12)
        self._entries = {entry.tag: entry for entry in self._read_entries()}

    def _number(self, code: str, position: int) -> int:
        return int(struct.unpack_from(self.order + code, self._data, position)[0])

    def _read_entries(self) -> Iterator[_Entry]:
        for position in self._positions():
            tag, kind = self._number("H", position), self._number("H", position + 2)
            if kind in _CODES:
                yield self._entry(tag, kind, position)

    def _positions(self) -> range:
        """Return where the tags are."""
        start = self._number(self._wide, 8 if self._is_big else 4)
        number = self._number("Q" if self._is_big else "H", start)
        first = start + (8 if self._is_big else 2)
        return range(first, first + min(number, _MOST_TAGS) * self._size, self._size)

    def _entry(self, tag: int, kind: int, position: int) -> _Entry:
        count = self._number(self._wide, position + 4)
        place = position + (12 if self._is_big else 8)
        # A value that fits is in the entry itself; the place of a longer one is there instead.
        if count * struct.calcsize(_CODES[kind]) > struct.calcsize(self._wide):
            place = self._number(self._wide, place)
        return _Entry(tag, position, self._number(_CODES[kind], place), count)

    def get(self, tag: int, default: int) -> int:
        """Return the first value of a tag that holds whole numbers."""
        return self._entries[tag].value if tag in self._entries else default

    def count(self, tag: int) -> int:
        """Return how many values a tag has."""
        return self._entries[tag].num_values if tag in self._entries else 0

    def changed(self, values: Mapping[int, int]) -> bytes:
        """Return the file with one new value for each of some tags, except those it lacks."""
        changed = bytearray(self._data)
        for tag, value in values.items():
            if tag in self._entries:
                kind = _SHORT if value < 1 << 16 else _LONG
                layout = self.order + "H" + self._wide + _CODES[kind]
                parts = struct.pack(layout, kind, 1, value).ljust(self._size - 2, b"\0")
                position = self._entries[tag].position
                changed[position + 2 : position + self._size] = parts
        return bytes(changed)

    def with_tag(self, tag: int, value: int) -> bytes:
        """Return the file with a tag that it lacks; its tags are written again at the end."""
        positions = self._positions()
        entries = [self._data[place : place + self._size] for place in positions]
        added = struct.pack(self.order + "HH" + self._wide + "H", tag, _SHORT, 1, value)
        entries.append(added.ljust(self._size, b"\0"))
        # The format wants tags in ascending order, at an even position.
        entries.sort(key=lambda entry: struct.unpack_from(self.order + "H", entry))
        number = struct.pack(self.order + ("Q" if self._is_big else "H"), len(entries))
        changed = bytearray(self._data + b"\0" * (len(self._data) % 2))
        struct.pack_into(self.order + self._wide, changed, 8 if self._is_big else 4, len(changed))
        next_picture = self._data[positions.stop :][: struct.calcsize(self._wide)]
        return bytes(changed + number + b"".join(entries) + next_picture)


def tiff_header(data: bytes) -> TiffHeader | None:
    """Return the tags of a TIFF; None for a file that is none, or damaged beyond its header."""
    if data[:4] not in _MAGICS:
        return None
    try:
        return TiffHeader(data)
    except struct.error:
        return None


def check_parts(header: TiffHeader) -> None:
    """Refuse a picture whose header lists fewer strips or tiles than it has, or too many pixels.

    Pillow would show the missing ones black, without an error, and libtiff would take seconds and
    gigabytes before it finds that a small file does not hold the pixels.

    Raises:
        ImageError: some are missing.
    """
    width, height = header.get(WIDTH, 0), header.get(HEIGHT, 0)
    if listed := header.count(TILE_OFFSETS):
        parts = "tiles"
        across = _num_parts(width, header.get(TILE_WIDTH, 0))
        needed = across * _num_parts(height, header.get(TILE_HEIGHT, 0))
    else:
        parts, listed = "strips", header.count(STRIP_OFFSETS)
        needed = _num_parts(height, header.get(STRIP_ROWS, 0))
    if header.get(PLANAR, 1) == _SEPARATE:
        needed *= header.get(SAMPLES, 1)
    if 0 < listed < needed:
        reason = f"it is incomplete: its header lists {listed:,} of {needed:,} {parts}"
        raise ImageError(reason, kind="truncated")
    most = header.num_bytes * _LARGEST_RATIOS.get(header.get(COMPRESSION, 1), math.inf)
    # The two colour channels of YCbCr may be smaller than the picture.
    samples = 1 if header.get(PHOTOMETRIC, 1) == _YCBCR else header.get(SAMPLES, 1)
    if width * height * samples * header.get(BITS, 1) > 8 * most:
        reason = f"{header.num_bytes:,} bytes cannot hold {width:,} x {height:,} pixels"
        raise ImageError(f"the file is cut off or damaged: {reason}", kind="truncated")


def _num_parts(side: int, side_of_part: int) -> int:
    return -(-side // side_of_part) if side_of_part else 1


def is_inverted(header: TiffHeader) -> bool:
    """Tell whether Pillow would not invert grey levels of 16 bits whose white is zero."""
    return header.get(PHOTOMETRIC, 1) == 0 and header.get(BITS, 1) == 16


def is_unusual(header: TiffHeader) -> bool:
    """Tell whether `with_sixteen_bits` reads the samples, and Pillow would not or not rightly."""
    kind, bits = header.get(PHOTOMETRIC, 1), header.get(BITS, 1)
    samples = 3 if kind == _COLOURS else 1
    is_plain = (
        kind in (*_GREY, _COLOURS)
        and header.get(SAMPLES, 1) == samples
        and header.count(EXTRA_SAMPLES) == 0
        and header.get(SAMPLE_FORMAT, 1) == 1
        and (samples == 1 or header.get(PLANAR, 1) == 1)
        and header.get(COMPRESSION, 1) in _BYTE_COMPRESSIONS
        and header.get(PREDICTOR, 1) == 1
    )
    is_usual = bits in _USUAL_BITS and not (samples == 3 and bits < 8)
    return is_plain and bits < 16 and not is_usual


def with_sixteen_bits(header: TiffHeader) -> bytes:
    """Return a TIFF with the same samples in 16 bits each, black at 0, which states their range.

    Args:
        header: of a file for which `is_unusual` is true.

    Raises:
        ImageError: the picture is too large.
    """
    width, height, bits = header.get(WIDTH, 0), header.get(HEIGHT, 0), header.get(BITS, 1)
    samples = header.get(SAMPLES, 1)
    row_bytes = -(-width * samples * bits // 8)
    limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    if limit and max(width, row_bytes) * height > limit:
        raise ImageError(
            f"the picture is too large: its header claims {width:,} x {height:,} pixels of "
            f"{samples * bits} bits, and at most {limit:,} bytes of such pixels are read; save it "
            "with 8 or 16 bits per channel, or smaller",
            kind="too_large",
        )
    rows = _packed_rows(header, row_bytes, samples * bits)
    values = np.empty((height, width * samples), "<u2")
    step = max(1, _BLOCK_SAMPLES // (width * samples))
    for start in range(0, height, step):
        values[start : start + step] = _unpacked(rows[start : start + step], bits, width * samples)
    highest = (1 << bits) - 1
    if header.get(PHOTOMETRIC, 1) == 0:
        values = (highest - values).astype("<u2")
    if bits < 8:  # few enough for a scale of their own
        values = np.rint(values * (65535 / highest)).astype("<u2")
        highest = 65535
    return _plain_tiff(values, width, samples, highest, header.get(ORIENTATION, 1))


def _packed_rows(header: TiffHeader, row_bytes: int, pixel_bits: int) -> np.ndarray:
    """Return the packed samples, uint8 (height, bytes of a row), by reading them as a grey picture.

    So Pillow and libtiff do what they do for any TIFF: strips, tiles, compression, bit order.
    """
    changes = {WIDTH: row_bytes, BITS: 8, PHOTOMETRIC: 1, SAMPLES: 1, SAMPLE_FORMAT: 1}
    if tile_width := header.get(TILE_WIDTH, 0):
        changes[TILE_WIDTH] = tile_width * pixel_bits // 8
    changes[ORIENTATION] = 1  # Pillow would turn some pictures at once
    with Image.open(io.BytesIO(header.changed(changes)), formats=("TIFF",)) as image:
        return np.asarray(image)


def _unpacked(rows: np.ndarray, bits: int, num_samples: int) -> np.ndarray:
    """Return uint16 (rows, samples) of numbers without gaps between them, high bit first.

    Eight samples take as many bytes as a sample has bits, and each lies within three bytes.
    """
    groups = -(-num_samples // 8)
    padded = np.zeros((len(rows), groups * bits + 2), np.uint32)
    padded[:, : rows.shape[1]] = rows
    values = np.empty((len(rows), groups, 8), "<u2")
    for place in range(8):
        byte, skipped = divmod(place * bits, 8)
        high, middle, low = (padded[:, byte + more :: bits][:, :groups] for more in range(3))
        three = high << 16 | middle << 8 | low
        values[:, :, place] = three >> (24 - skipped - bits) & ((1 << bits) - 1)
    return values.reshape(len(rows), -1)[:, :num_samples]


def _plain_tiff(
    values: np.ndarray, width: int, samples: int, highest: int, orientation: int
) -> bytes:
    tags = {
        WIDTH: width, HEIGHT: len(values), BITS: 16, COMPRESSION: 1,
        PHOTOMETRIC: _COLOURS if samples == 3 else 1, STRIP_OFFSETS: 0, ORIENTATION: orientation,
        SAMPLES: samples, STRIP_ROWS: len(values), STRIP_BYTES: values.nbytes, MAX_SAMPLE: highest,
    }  # fmt: skip
    # The header, the number of tags, the tags, and a zero for "no other picture".
    end = 8 + 2 + 12 * len(tags) + 4
    tags[STRIP_OFFSETS] = end
    body = b"".join(struct.pack("<HHII", tag, _LONG, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    return head + body + struct.pack("<I", 0) + values.tobytes()

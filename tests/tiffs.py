"""TIFF files of any bit depth, which no library writes."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def tiff(values, bits, *, order="<", white_is_zero=False, deflate=False, tile=0, more=()):
    """Return a TIFF of (height, width) or (height, width, 3) whole numbers."""
    height, width = values.shape[:2]
    samples = 1 if values.ndim == 2 else 3
    rows = values.reshape(height, -1)
    if tile:
        blocks = [rows[y : y + tile, x : x + tile] for y in (0, tile) for x in (0, tile)]
    else:
        blocks = [rows]
    packed = [packed_bits(block, bits, order) for block in blocks]
    if deflate:
        packed = [zlib.compress(block) for block in packed]
    photometric = 2 if samples == 3 else 0 if white_is_zero else 1
    tags = [(256, width), (257, height), (258, bits), (259, 8 if deflate else 1)]
    tags += [(262, photometric), (277, samples)]
    if tile:
        tags += [(322, tile), (323, tile), (324, None), (325, None)]
    else:
        tags += [(273, None), (278, height), (279, None)]
    tags = sorted([*tags, *more])
    start = 8 + 2 + 12 * len(tags) + 4
    offsets = [start + sum(map(len, packed[:i])) for i in range(len(packed))]
    lists = start + sum(map(len, packed))
    body, extra = b"", b""
    for tag, value in tags:
        values_of = {273: offsets, 324: offsets, 279: map(len, packed), 325: map(len, packed)}
        numbers = list(values_of[tag]) if value is None else [value]
        content = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            content, extra = struct.pack(f"{order}I", lists + len(extra)), extra + content
        body += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + content
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return head + body + struct.pack(f"{order}I", 0) + b"".join(packed) + extra


def packed_bits(rows, bits, order):
    if bits == 16:
        return rows.astype(f"{order}u2").tobytes()
    single = (rows[..., None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def ramp(bits, height=32, width=32, channels=None):
    """Return numbers from black to white of a depth, and the levels of 8 bits that they are."""
    shape = (height, width) if channels is None else (height, width, channels)
    highest = (1 << bits) - 1
    values = np.linspace(0, highest, int(np.prod(shape))).round().astype(np.int64).reshape(shape)
    values[0, 0], values[-1, -1] = 0, highest
    return values, np.floor(values * 255 / highest + 0.5).astype(int)


TWELVE, LEVELS = ramp(12, 8, 64)

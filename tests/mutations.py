"""Damage bytes at random, as disks, transfers and hostile people do."""

from __future__ import annotations

import re
import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_EXTREMES = (0, 1, 2, 3, 7, 12, 16, 32, 127, 128, 255, 256, 4095, 32767, 32768, 65535, 65536,
             16_777_215, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)  # fmt: skip
_NUMBERS = (b"0", b"-1", b"1", b"3", b"65535", b"65536", b"99999", b"4294967295", b"1e9", b"nan")


def mutated(content, others, random):
    """Return a copy of the content with one to three kinds of damage.

    Args:
        content: bytes.
        others: contents of other files, of which parts are taken.
        random: where all choices come from.
    """
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
        random.choice(_KINDS)(data, others, random)
    if data.startswith(_PNG) and random.random() < 0.6:
        _mend_checksums(data)
    return bytes(data)


def _place(data, random):
    """Return a position: often in the header."""
    if not data:
        return 0
    end = len(data)
    return random.randrange(min(end, random.choice((16, 64, 128, 512, end, end))))


def _span(data, random):
    start = _place(data, random)
    return start, start + random.choice((1, 2, 4, 8, random.randrange(1, 64), len(data) // 4))


def _flip(data, others, random):
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        if data:
            data[_place(data, random)] ^= 1 << random.randrange(8)


def _byte(data, others, random):
    for _ in range(random.choice((1, 2, 8))):
        if data:
            data[_place(data, random)] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))


def _truncate(data, others, random):
    del data[_place(data, random) :]


def _insert(data, others, random):
    start = _place(data, random)
    data[start:start] = random.randbytes(random.choice((1, 2, 4, 16, 300)))


def _remove(data, others, random):
    start, end = _span(data, random)
    del data[start:end]


def _repeat(data, others, random):
    start, end = _span(data, random)
    data[end:end] = data[start:end] * random.choice((1, 2, 50))


def _fill(data, others, random):
    start, end = _span(data, random)
    data[start:end] = random.choice((b"\0", b"\xff")) * len(data[start:end])


def _number(data, others, random):
    """Write an extreme number over whatever is there: a size, an offset, a count."""
    code = random.choice(("<H", ">H", "<I", ">I", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(code)
    start = _place(data, random)
    if random.random() < 0.7:
        start -= start % min(size, 4)
    value = min(random.choice(_EXTREMES), 256**size - 1)
    data[start : start + size] = struct.pack(code, value)[: len(data) - start]


def _digits(data, others, random):
    """Write another number over one in digits, as text formats have them."""
    numbers = list(re.finditer(rb"\d+", bytes(data[:4096])))
    if numbers:
        chosen = random.choice(numbers)
        data[chosen.start() : chosen.end()] = random.choice(_NUMBERS)


def _splice(data, others, random):
    """Continue as another file: from the same place, or from anywhere."""
    other = random.choice(others)
    start = _place(data, random)
    data[start:] = other[start if random.random() < 0.5 else _place(other, random) :]


def _embed(data, others, random):
    other = random.choice(others)
    start = _place(data, random)
    data[start:start] = other[:2000]


_KINDS = (_flip, _flip, _byte, _byte, _truncate, _insert, _remove, _repeat, _fill, _number,
          _number, _number, _digits, _splice, _embed)  # fmt: skip


def _mend_checksums(data):
    """Give the chunks of a PNG the checksums of their content: else no more is read of them."""
    begin = len(_PNG)
    while begin + 12 <= len(data):
        end = begin + 8 + int.from_bytes(data[begin : begin + 4], "big")
        if end + 4 > len(data):
            return
        data[end : end + 4] = zlib.crc32(data[begin + 4 : end]).to_bytes(4, "big")
        begin = end + 4

"""Read a list of paths from standard input, in the encoding that its first bytes show."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from cnnkit.errors import UsageError
from cnnkit.files import text_encoding

_HEAD_BYTES = 4  # the longest byte order mark
_MARKS_BEGIN = b"\xff\xfe\0"  # the first bytes of those that may contain the end of a path
_CHUNK_BYTES = 1 << 16


def paths_in(stream: BinaryIO, *, null: bool = False) -> Iterator[str]:
    """Yield the paths of a list as they arrive, so that each is used before the next is written.

    The list is in UTF-8, or in what its byte order mark says; UTF-16 is also recognised without
    one, if the first character is ASCII. Bytes that are not UTF-8 stay as they are.

    Args:
        stream: the list.
        null: whether paths end with a NUL byte, not with a newline.

    Raises:
        UsageError: paths in lines have NUL bytes.
    """
    head = _head(stream, b"\0" if null else b"\n")
    encoding = _encoding_of(head, null=null)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    text, chunk = "", head
    while True:
        text += decoder.decode(chunk, final=not chunk)
        *whole, text = text.split("\0" if null else "\n")
        yield from _paths(whole if chunk else [*whole, text], null=null)
        if not chunk:
            return
        chunk = _read(stream)


def _paths(lines: list[str], *, null: bool) -> Iterator[str]:
    for line in lines:
        path = line if null else line.rstrip("\r")
        if "\0" in path:
            raise UsageError(
                "The list of paths on standard input has NUL bytes. If its paths end with them, as "
                "those of find -print0 do, add -0. If it is UTF-16, save it as UTF-8."
            )
        if path:
            yield path


def _head(stream: BinaryIO, end: bytes) -> bytes:
    """Return the first bytes: enough to recognise the encoding, unless a path ends before."""
    head = b""
    while len(head) < _HEAD_BYTES and (chunk := _read(stream)):
        head += chunk
        if end in head and head[0] not in _MARKS_BEGIN:
            break
    return head


def _read(stream: BinaryIO) -> bytes:
    """Return what has arrived, without waiting for more."""
    # Not through the buffer: a thread that waits in it keeps Python from ending after Ctrl-C.
    raw = getattr(stream, "raw", None)
    return raw.read(_CHUNK_BYTES) if raw is not None else stream.read1(_CHUNK_BYTES)  # type: ignore[attr-defined]


def _encoding_of(head: bytes, *, null: bool) -> str:
    """Return the encoding of a list; the decoders of Python skip a byte order mark."""
    encoding = text_encoding(head)
    if encoding == "utf-8-sig" and not null and len(head) > 1 and (head[0] == 0) != (head[1] == 0):
        # No mark, and half of the first character is zero: an English letter in UTF-16.
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    return encoding

"""Make the standard streams safe to write to: closed, without a reader, or in a small encoding.

Progress on standard error must never end the work that it reports. A result on standard output may
lose characters to escapes, but must not raise an error because the encoding lacks a character.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import select
import sys
from typing import Any, TextIO

# What a write raises when nobody can read any more: a reader that ended, a terminal that closed.
_READER_IS_GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ECONNRESET, errno.ENXIO})
_ERRORS = "cnnkit_unchanged_or_escaped"


class _LastingFile(io.FileIO):
    """An open descriptor. After the first failure, what is written to it is dropped.

    A reader that is gone is no error. Another failure, such as a full disk, is raised once.

    Args:
        descriptor: 1 or 2; it is not closed with this object.
        raises: whether other failures are raised at all.
    """

    def __init__(self, descriptor: int, *, raises: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._raises = raises
        self.is_lost = False

    def write(self, data: Any) -> int:
        """Write some of the bytes, and return how many; all of them if they are dropped."""
        while not self.is_lost:
            try:
                written = super().write(data)
            except OSError as error:
                self.is_lost = True
                if self._raises and error.errno not in _READER_IS_GONE:
                    raise
            else:
                if written is not None:
                    return written
                # The parent made the pipe non-blocking, and it is full: wait as others would.
                select.select([], [self.fileno()], [])
        return memoryview(data).nbytes


def guard_streams() -> None:
    """Let the standard streams of this process last as long as the process.

    - A closed one is opened on the null device, so that no data file gets its number.
    - If the reader goes away, the rest is dropped. A full disk is an error on stdout only.
    - A character that the encoding lacks is escaped. Bytes of a file name that are not text in
      any encoding stay as they are.

    Streams that another program has put in their place, such as a test runner, only get the last.
    """
    for descriptor in (0, 1, 2):
        _open_if_closed(descriptor)
    sys.stdout = _guarded(sys.stdout, 1, raises=True)
    sys.stderr = _guarded(sys.stderr, 2, raises=False)


def is_stdout_closed() -> bool:
    """Return whether the process was started without standard output."""
    return sys.stdout is None or sys.__stdout__ is None


def is_stdout_lost() -> bool:
    """Return whether nothing more can be written to standard output.

    Its reader is gone, as in `cnnkit predict ... | head`, or the disk is full.
    """
    return getattr(_raw(sys.stdout), "is_lost", False)


def json_text(value: Any, stream: TextIO, *, indent: int | None = None) -> str:
    """Return a value as JSON, with escapes if the stream is not in UTF-8, or some text is not.

    >>> import io
    >>> json_text("é", io.TextIOWrapper(io.BytesIO(), "cp1252"))
    '"\\\\u00e9"'
    """
    text = json.dumps(value, indent=indent, ensure_ascii=not _is_utf8(stream))
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name
        return json.dumps(value, indent=indent)
    return text


def _is_utf8(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name == "utf-8"


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null == descriptor:
            os.set_inheritable(null, True)  # so that programs that we start have it too
        else:
            os.dup2(null, descriptor)
            os.close(null)


def _guarded(stream: TextIO | None, descriptor: int, *, raises: bool) -> TextIO:
    """Return a stream that writes to the same place and in the same encoding, but lasts."""
    encoding, line_buffering = "utf-8", True
    if isinstance(stream, io.TextIOWrapper):
        encoding, line_buffering = stream.encoding, stream.line_buffering
        # On Windows the raw stream of a console is of another type, and needs no guard.
        if type(_raw(stream)) is not io.FileIO or stream.fileno() != descriptor:
            stream.reconfigure(errors=_ERRORS)
            return stream
        stream.flush()
    elif stream is not None:
        return stream
    raw = _LastingFile(descriptor, raises=raises)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors=_ERRORS, line_buffering=line_buffering
    )


def _raw(stream: Any) -> Any:
    """Return the stream of bytes under a text stream that does not buffer."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def _unchanged_or_escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""Return the bytes of one character that cannot be encoded: its own, or an escape like \u82f9.

    Python reads a byte 0xE9 of a file name that is not UTF-8 as the character U+DCE9.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return character.encode("ascii", "backslashreplace").decode("ascii"), error.start + 1


codecs.register_error(_ERRORS, _unchanged_or_escaped)

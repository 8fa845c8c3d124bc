"""Lists of paths on standard input, in the encodings in which programs write them."""

from __future__ import annotations

import io
import os

import pytest

from cnnkit.cli.path_list import paths_in
from cnnkit.errors import UsageError

_PATHS = ["cat/0.png", "an owl.png", "苹果/é.png"]
_ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "utf-32-le": b"\xff\xfe\0\0",
    "utf-32-be": b"\0\0\xfe\xff",
}


class _Slow(io.BytesIO):
    """A stream from which one byte arrives at a time."""

    def read1(self, size=-1):
        return super().read1(min(size, 1))


@pytest.mark.parametrize("stream", [io.BytesIO, _Slow])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
@pytest.mark.parametrize("encoding", _ENCODINGS)
def test_every_unicode_encoding_gives_the_same_paths(encoding, end, stream):
    for last in (end, ""):
        text = end.join(_PATHS) + last
        content = _ENCODINGS[encoding] + text.encode(encoding)
        assert list(paths_in(stream(content), null=end == "\0")) == _PATHS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_recognised(encoding):
    assert list(paths_in(io.BytesIO("\n".join(_PATHS).encode(encoding)))) == _PATHS


@pytest.mark.parametrize(
    ("content", "paths"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b"\xff\xfe", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"\n\r\na\n\n", ["a"]),
        (b"b\xe9.png\n", [os.fsdecode(b"b\xe9.png")]),
        (b"a\rb\n", ["a\rb"]),  # a file name may have it
        (b"a\nb \n", ["a", "b "]),
    ],
)
def test_short_and_odd_lists(content, paths):
    assert list(paths_in(io.BytesIO(content))) == paths


def test_nul_bytes_in_lines_are_named():
    with pytest.raises(UsageError, match=r"has NUL bytes.*add -0.*save it as UTF-8"):
        list(paths_in(io.BytesIO(b"a.png\0b.png\0")))
    lines = paths_in(io.BytesIO("苹.png\n".encode("utf-16-le")))  # no mark, and no ASCII at first
    with pytest.raises(UsageError, match="has NUL bytes"):
        list(lines)


def test_a_path_is_given_before_the_next_one_arrives():
    class Arriving(io.BytesIO):
        read = 0

        def read1(self, size=-1):
            type(self).read += 1
            return self.readline()

    paths = paths_in(Arriving(b"a\nb\nc\n"))
    assert next(paths) == "a"
    assert Arriving.read == 1

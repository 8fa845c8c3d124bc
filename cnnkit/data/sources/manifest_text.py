"""Read the text of a CSV or JSONL manifest, in the encoding that it has."""

from __future__ import annotations

import codecs
from pathlib import Path

from cnnkit.errors import DataError
from cnnkit.files import PATHS_AS_THEY_ARE

# Windows programs write these marks. That of UTF-32 begins like that of UTF-16, so it is first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class ManifestText:
    """The text of a manifest: UTF-8 or UTF-16, except for file names, which may have any bytes.

    Args:
        manifest: the file.

    Attributes:
        text: all of it, without a byte order mark.
        wrong_byte: the position of the first byte that is not UTF-8; None if there is none.

    Raises:
        DataError: the file cannot be read.
    """

    def __init__(self, manifest: Path) -> None:
        try:
            content = manifest.read_bytes()
        except OSError as error:
            raise DataError(f"{manifest} cannot be read: {error.strerror or error}.") from error
        self.wrong_byte: int | None = None
        encoding = _encoding(content)
        if encoding != "utf-8-sig":
            try:
                self.text = content.decode(encoding)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{manifest} begins like {encoding.upper()} text, but byte {error.start} does "
                    "not fit. Save it as UTF-8."
                ) from None
            return
        self.text = content.removeprefix(codecs.BOM_UTF8).decode(**PATHS_AS_THEY_ARE)
        try:
            content.decode()
        except UnicodeDecodeError as error:
            self.wrong_byte = error.start


def _encoding(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    # Without a mark, UTF-16 shows by the zero byte that each English letter has.
    head = content[:200]
    if len(head) >= 8 and b"\0" in head and len(content) % 2 == 0:
        if not any(head[1::2]):
            return "utf-16-le"
        if not any(head[0::2]):
            return "utf-16-be"
    return "utf-8-sig"

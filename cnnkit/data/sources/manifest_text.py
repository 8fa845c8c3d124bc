"""Read the text of a CSV or JSONL manifest, in the encoding that it has."""

from __future__ import annotations

import codecs
from pathlib import Path

from cnnkit.errors import DataError
from cnnkit.files import PATHS_AS_THEY_ARE, text_encoding


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
        encoding = text_encoding(content)
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
            # Strictly this time, only to find the first wrong byte.
            content.decode()
        except UnicodeDecodeError as error:
            self.wrong_byte = error.start

"""Give libraries that take only UTF-8 paths a way to files whose names are other bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def utf8_alias(path: Path) -> Iterator[Path]:
    """Yield a path to the same file or folder that is UTF-8, as TensorFlow and LiteRT need it.

    A path that is not UTF-8 gets a link in a temporary folder, which is removed after the block.
    """
    if is_utf8(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="cnnkit-") as folder:
        link = Path(folder) / f"link{path.suffix}"
        link.symlink_to(path.absolute())
        yield link


def is_utf8(path: Path) -> bool:
    """Return whether a path is text; on Linux, a file name may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True

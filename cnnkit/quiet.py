"""A block of code enters; what its C++ parts write to stderr does not reach the screen."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what C++ code writes to stderr off the screen, unless the block fails.

    TensorFlow and LiteRT write there past Python's logging. On a failure everything is shown;
    `TF_CPP_MIN_LOG_LEVEL=0` shows it always.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        yield
        return
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError):  # there is no stderr
        yield
        return
    with tempfile.TemporaryFile() as silenced:
        os.dup2(silenced.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            silenced.seek(0)
            sys.stderr.write(silenced.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)

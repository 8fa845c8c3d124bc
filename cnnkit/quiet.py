"""Keep what C++ libraries write to stderr off the screen."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what the block writes to stderr off the screen, unless it fails.

    TensorFlow and LiteRT write to the file descriptor, so neither Python's logging nor replacing
    `sys.stderr` can stop them. If the block raises, everything it has written is shown;
    `TF_CPP_MIN_LOG_LEVEL=0` always shows it.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        yield
        return
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError):  # stderr is closed
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

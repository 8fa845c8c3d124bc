"""Keep what the TIFF library inside Pillow writes to stderr off the screen."""

from __future__ import annotations

import ctypes
import functools
from contextlib import suppress

from PIL import Image


@functools.cache
def silence_libtiff() -> None:
    """Let libtiff write nothing for the rest of the process.

    Without this it writes lines such as "tempfile.tif: Using code not yet in table." that name no
    file of the user. Pillow raises an error of its own if a picture cannot be decoded. On Windows
    the library is built into Pillow's, where its functions cannot be found; there it is not asked.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(Image.core.__file__)
        for name in ("TIFFSetWarningHandler", "TIFFSetErrorHandler"):
            set_handler = getattr(library, name)
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)

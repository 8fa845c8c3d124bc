"""New rows of pixels enter one by one; a pack on disk or an array in memory leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from cnnkit.data.cache.folder import finish_folder, unfinished_folder
from cnnkit.data.cache.pixels.contents import DIGEST, from_bytes
from cnnkit.data.cache.pixels.pack import Pack, PackWriter, open_pack, packs_folder
from cnnkit.data.cache.pixels.place import Place
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import DataError


class NoRows:
    """Keeps nothing: files are decoded each time. The others are of its form."""

    contents = from_bytes(b"")

    def add(self, content: bytes, pixels: np.ndarray, crc32: int) -> None:
        """Forget a row."""

    def finish(self) -> tuple[np.ndarray, Pack | np.ndarray | None]:
        """Return the contents in the order of their rows, and what has the rows."""
        return self.contents, None


class MemoryRows(NoRows):
    """Keeps rows in memory, which the system gives when it is written to.

    Args:
        settings: how the pixels are made.
        most: the largest number of rows.
        place: says whether there is enough memory.
    """

    def __init__(self, settings: PixelSettings, most: int, place: Place) -> None:
        self._shape, self._place = (most, *settings.shape), place
        self._contents = bytearray()
        self._pixels: np.ndarray | None = None

    @property
    def contents(self) -> np.ndarray:
        """DIGEST (num_rows,), the content of each row."""
        return from_bytes(bytes(self._contents))

    def add(self, content: bytes, pixels: np.ndarray, crc32: int) -> None:
        """Keep a row.

        Raises:
            DataError: there is not enough memory.
        """
        if self._pixels is None:
            self._place.check()
            self._pixels = np.empty(self._shape, np.uint8)
        self._pixels[len(self._contents) // DIGEST.itemsize] = pixels
        self._contents += content

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the contents in the order of their rows, and all rows."""
        return self.contents, self._pixels[: len(self.contents)]


class DiskRows(NoRows):
    """Writes rows into a new pack. Nothing is made before the first row comes.

    Args:
        settings: how the pixels are made.
        place: says whether the disk can be used at all.
        stack: closes and removes what is not finished.
    """

    def __init__(self, settings: PixelSettings, place: Place, stack: ExitStack) -> None:
        self._settings, self._place, self._stack = settings, place, stack
        self._writer: PackWriter | None = None

    @property
    def contents(self) -> np.ndarray:
        """DIGEST (num_rows,), the content of each row."""
        return self._writer.contents if self._writer else from_bytes(b"")

    def add(self, content: bytes, pixels: np.ndarray, crc32: int) -> None:
        """Write a row.

        Raises:
            DataError: the place cannot be used.
        """
        if self._writer is None:
            self._place.check()
            self._folder = self._stack.enter_context(unfinished_folder(packs_folder()))
            self._writer = PackWriter(self._folder, self._settings)
            self._stack.callback(self._writer.close)
        self._writer.add(content, pixels, crc32)

    def finish(self) -> tuple[np.ndarray, Pack]:
        """Complete the pack, or take that of a process which was first.

        Its rows may be in another order, so the contents returned are those of the pack.
        """
        final = packs_folder() / self._writer.finish()
        finish_folder(self._folder, final)
        try:
            pack = open_pack(final, self._settings)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{final} was removed or changed as soon as it was made ({error}). "
                "Run the command again."
            ) from error
        return pack.contents, pack


@contextmanager
def new_rows(place: Place, settings: PixelSettings, most: int) -> Iterator[NoRows]:
    """Give what keeps new rows in a place; an unfinished pack is removed at the end.

    Args:
        place: where to.
        settings: how the pixels are made.
        most: the largest number of rows.

    Raises:
        DataError: the cache folder cannot be written, or its disk is full.
    """
    with ExitStack() as stack:
        if place.kind == "disk":
            yield DiskRows(settings, place, stack)
        elif place.kind == "memory":
            yield MemoryRows(settings, most, place)
        else:
            yield NoRows()

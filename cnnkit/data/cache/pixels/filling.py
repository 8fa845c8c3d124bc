"""Collect new rows of pixels in a pack on disk, in memory, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from cnnkit.data.cache.folder import finish_folder, remove_folder, unfinished_folder
from cnnkit.data.cache.pixels.contents import DIGEST, from_bytes
from cnnkit.data.cache.pixels.pack import Pack, PackWriter, open_pack, packs_folder
from cnnkit.data.cache.pixels.storage_choice import Place
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import DataError


class NoRows:
    """Keep nothing: files are decoded each time. The other classes have the same methods."""

    @property
    def contents(self) -> np.ndarray:
        """DIGEST (num_rows,), the content of each row."""
        return from_bytes(b"")

    def add(self, content: bytes, pixels: np.ndarray, crc32: int) -> None:
        """Forget a row."""

    def finish(self) -> tuple[np.ndarray, Pack | np.ndarray | None]:
        """Return the contents in the order of their rows, and the array or pack with the rows."""
        return self.contents, None


class MemoryRows(NoRows):
    """Keep rows in memory; the system reserves a page of it only when it is written to.

    Args:
        settings: how files become pixels.
        most: the largest number of rows.
        place: knows whether there is enough memory.
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

    def finish(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the contents in the order of their rows, and all rows; None if there are none."""
        contents = self.contents
        return contents, None if self._pixels is None else self._pixels[: len(contents)]


class DiskRows(NoRows):
    """Write rows into a new pack, which is created with the first row.

    Args:
        settings: how files become pixels.
        place: knows whether the disk can be used.
        stack: closes and removes an unfinished pack.
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
        self._started().add(content, pixels, crc32)

    def _started(self) -> PackWriter:
        # Not earlier: if the other packs have all images, no room is needed.
        if self._writer is None:
            self._place.check()
            folder = self._stack.enter_context(unfinished_folder(packs_folder()))
            self._writer = PackWriter(folder, self._settings)
            self._stack.callback(self._writer.close)
        return self._writer

    def finish(self) -> tuple[np.ndarray, Pack]:
        """Complete the pack, or use the same pack of another process that was first.

        The rows of that pack may be in another order, so the contents returned are those of it.
        """
        writer = self._started()
        final = packs_folder() / writer.finish()
        finish_folder(writer.folder, final)
        try:
            if writer.folder.exists() and not self._is_usable(final):
                remove_folder(final)  # it was there before, and is damaged
                finish_folder(writer.folder, final)
            pack = open_pack(final, self._settings)
            if pack is None:
                raise ValueError("its pixels have other settings")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{final} was removed or changed right after it was made ({error}). "
                "Run the command again."
            ) from error
        return pack.contents, pack

    def _is_usable(self, folder: Path) -> bool:
        try:
            return open_pack(folder, self._settings) is not None
        except (OSError, ValueError):
            return False


@contextmanager
def new_rows(place: Place, settings: PixelSettings, most: int) -> Iterator[NoRows]:
    """Yield the collector of new rows for a place; an unfinished pack is removed at the end.

    Args:
        place: where the rows go.
        settings: how files become pixels.
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

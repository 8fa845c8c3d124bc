"""Give batches of the pixels of a data set; each row on disk is verified once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

import numpy as np

from cnnkit.data.cache.pixels.contents import SortedContents, from_hex
from cnnkit.data.cache.pixels.pack import Pack
from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import DataError, ImageError

_MOST_MAPPED_BYTES = 128 << 20
_FAULT_BYTES = 64 << 10  # Linux maps that much around each byte that is read
_giving_up = threading.Lock()


class Originals:
    """The files of a data set, found by their contents.

    Args:
        files: all files.
        settings: how files become pixels.
        contents: DIGEST (num_contents,), all different.
        file_of: int64 (num_contents,), for each content the place of a file with it in `files`.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        settings: PixelSettings,
        contents: np.ndarray,
        file_of: np.ndarray,
    ) -> None:
        self.settings = settings
        self._files, self._contents, self._file_of = files, SortedContents(contents), file_of

    def decode(self, content: np.ndarray) -> np.ndarray:
        """Read the file of DIGEST (1,) again and return uint8 (height, width, channels).

        Raises:
            DataError: the file is missing or has changed.
        """
        file = self._files[self._file_of[self._contents.places(content)[0]]]
        try:
            data = read_file(file)
        except ImageError as error:
            raise DataError(f"{file} can no longer be read: {error}.") from error
        if hashlib.sha256(data).digest() != content.tobytes():
            raise DataError(
                f"{file} has changed since it was first read. Restore it, or run the command again."
            )
        try:
            return read_pixels(data, self.settings)
        except ImageError as error:
            raise DataError(f"{file} can no longer be decoded: {error}.") from error


class PixelStore:
    """The pixels of distinct contents.

    Args:
        originals: the files, to decode what is not kept or is damaged.
        contents: DIGEST (num_rows,), the content of each row.
        kept: the rows, as uint8 (num_rows, height, width, channels) in memory or as a pack on disk;
            None if files are decoded each time.
        note: called with one sentence if a row of the pack is damaged.
        is_new: whether the pixels were made by this process.
    """

    def __init__(
        self,
        originals: Originals,
        contents: np.ndarray,
        kept: np.ndarray | Pack | None,
        note: Callable[[str], None],
        *,
        is_new: bool = True,
    ) -> None:
        self.settings, self.is_new = originals.settings, is_new
        self._originals, self._contents = originals, contents
        self.pack = kept if isinstance(kept, Pack) else None
        self._pixels = kept.pixels if isinstance(kept, Pack) else kept
        # Each row of a pack is checked when it is first read. Memory is trusted.
        self._verified = np.full(len(contents), self.pack is None)
        self._note, self._noted = note, False
        # The first one; TensorFlow raises another in its place.
        self.failure: DataError | None = None
        self._mapped_bytes = 0

    @property
    def place(self) -> str:
        """Where the pixels are between epochs: `disk`, `memory`, or `off` for nowhere."""
        if self.pack is not None:
            return "disk"
        return "off" if self._pixels is None else "memory"

    def rows(self, hashes: Sequence[str]) -> np.ndarray:
        """Return the row of each sha256 in hex, int64; -1 for contents without pixels."""
        return SortedContents(self._contents).places(from_hex(hashes))

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return uint8 (len(rows), height, width, channels).

        Raises:
            DataError: a file has to be decoded again, but it is missing or has changed.
        """
        # Once, because another thread may give them up meanwhile.
        pack, pixels = self.pack, self._pixels
        if pack is not None and pack.is_cut_off():
            self._give_up(pack)
            pixels = None
        if pixels is None:
            return self._decoded(rows)
        if pack is not None:
            for row in rows[~self._verified[rows]]:
                self._verify(pack, row)
        found = pixels.take(rows, axis=0)
        damaged = np.flatnonzero(~self._verified[rows])
        if len(damaged):
            found[damaged] = self._decoded(rows[damaged])
        if pack is not None:
            self._bound_memory(pack, len(rows))
        return found

    def _give_up(self, pack: Pack) -> None:
        """Use a pack that was cut off no more, and say so once."""
        with _giving_up:
            if self.pack is None:
                return
            # In this order: `read` takes the pack first, and must not find only the pixels.
            self._pixels = None
            self.pack = None
        self._note(
            f"The cached pixels in {pack.folder} were cut off by another program; from now on the "
            "images are decoded each time."
        )

    def _bound_memory(self, pack: Pack, num_rows: int) -> None:
        """Free mapped pixels now and then, so that they do not add up to the size of the pack."""
        self._mapped_bytes += num_rows * max(_FAULT_BYTES, int(np.prod(self.settings.shape)))
        if self._mapped_bytes > _MOST_MAPPED_BYTES:
            self._mapped_bytes = 0
            pack.release()

    def _verify(self, pack: Pack, row: int) -> None:
        """Compare a row with its CRC-32; rewrite it if it is damaged and that is possible."""
        if not pack.is_whole(row):
            # Once: a disk that fails may have damaged thousands of rows.
            if not self._noted:
                self._noted = True
                self._note(
                    f"Cached pixels in {pack.folder} are damaged (row {row} is the first); "
                    "the damaged images are decoded again."
                )
            # If that fails, the row stays unverified and is decoded each time it is read.
            if not pack.repair(row, self._decoded(np.array([row]))[0]):
                return
        self._verified[row] = True

    def _decoded(self, rows: np.ndarray) -> np.ndarray:
        pixels = np.empty((len(rows), *self.settings.shape), np.uint8)
        try:
            for position, row in enumerate(rows):
                pixels[position] = self._originals.decode(self._contents[row : row + 1])
        except DataError as error:
            self.failure = self.failure or error
            raise
        return pixels

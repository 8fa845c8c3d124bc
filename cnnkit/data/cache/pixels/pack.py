"""Write and open packs: folders in the cache with the decoded pixels of a data set.

A pack has `pixels.npy` with one row per content, and `index.bin` with a line of JSON, the contents
(sha256), the CRC-32 of each row, and a checksum of all this.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import re
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from cnnkit.data.cache.folder import cache_folder, remove_folder
from cnnkit.data.cache.pixels.contents import SortedContents, from_bytes
from cnnkit.data.pixels import PIXEL_PATH_VERSION, PixelSettings
from cnnkit.errors import damage_as_value_error

# To be raised if a file of a pack changes. Packs of other versions are left alone.
_VERSION = 2
_PIXELS, _INDEX, _USED = "pixels.npy", "index.bin", "used"
_DIGEST_BYTES = 32
_OTHER_FACTS = ("format", "pixel_path", "pillow", "num_rows")  # than the pixel settings
# Rows of small images have a few hundred bytes; many of them are written in one go.
_BUFFER_BYTES = 1 << 20
_CRC = np.dtype("<u4")
_NAME = re.compile(r"[0-9a-f]{32}(-v\d+)?")  # names of the first version have no extension


def packs_folder() -> Path:
    """Return the folder of all packs, which may not exist yet."""
    return cache_folder() / "pixels"


def pack_folders() -> list[Path]:
    """Return the complete packs of any version, recognised by their names."""
    if not packs_folder().is_dir():
        return []
    return [
        path
        for path in packs_folder().iterdir()
        if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]


@dataclass(frozen=True, eq=False)
class Pack:
    """A complete pack on disk.

    Args:
        folder: where it is.
        contents: DIGEST (num_rows,), the sha256 of the image file of each row.
        crc32: uint32 (num_rows,), of the pixels of each row.
        pixels: uint8 (num_rows, height, width, channels), memory-mapped.
        mapping: the memory map of the pixels.
        first_byte: where the pixels begin in their file.
    """

    folder: Path
    contents: np.ndarray
    crc32: np.ndarray
    pixels: np.ndarray
    mapping: mmap.mmap
    first_byte: int

    def rows(self, wanted: np.ndarray) -> np.ndarray:
        """Return the row of each of DIGEST (num_wanted,), int64; -1 if there is none."""
        return SortedContents(self.contents).places(wanted)

    def touch(self) -> None:
        """Record that the pack is used now, unless its folder cannot be written."""
        try:
            (self.folder / _USED).touch()
        except OSError:
            return

    def release(self) -> None:
        """Free the memory of mapped pixels; the system's file cache still has them."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.mapping.madvise(mmap.MADV_DONTNEED)

    def is_cut_off(self) -> bool:
        """Return whether another program made the file shorter; reading would end the process."""
        return self.mapping.size() < len(self.mapping)

    def repair(self, row: int, pixels: np.ndarray) -> bool:
        """Rewrite the pixels of a damaged row, and return whether that worked."""
        try:
            # Through the file: the memory map is only for reading. It shows the change at once.
            with open(self.folder / _PIXELS, "r+b") as stream:
                stream.seek(self.first_byte + row * pixels.nbytes)
                stream.write(pixels.data)
        except OSError:
            return False
        return self.is_whole(row)

    def is_whole(self, row: int) -> bool:
        """Return whether a row still has the pixels that were written."""
        return zlib.crc32(self.pixels[row]) == self.crc32[row]


class PackWriter:
    """Fill a folder that becomes a pack.

    Args:
        folder: is empty.
        settings: how files become pixels.
    """

    def __init__(self, folder: Path, settings: PixelSettings) -> None:
        self.folder, self._settings = folder, settings
        # Compact, because there may be millions of images: 36 bytes for each.
        self._contents, self._crc32 = bytearray(), array("I")
        self._stream = open(folder / _PIXELS, "wb", buffering=_BUFFER_BYTES)
        self._stream.write(_header((0, *settings.shape)))

    @property
    def contents(self) -> np.ndarray:
        """DIGEST (num_rows,), the content of each row so far."""
        return from_bytes(bytes(self._contents))

    def add(self, content: bytes, pixels: np.ndarray, crc32: int) -> None:
        """Append one row."""
        self._contents += content
        self._crc32.append(crc32)
        self._stream.write(pixels.data)

    def finish(self) -> str:
        """Write the header and the index, and return the name of the pack.

        Nothing waits until the data is on the disk: if a power failure destroys some of it, the
        checksums show that.
        """
        contents = self.contents
        with self._stream as stream:
            # The number of rows is known only now. The new header is as long as the first one.
            stream.seek(0)
            stream.write(_header((len(contents), *self._settings.shape)))
        facts = _facts(self._settings)
        crc32 = np.array(self._crc32, _CRC)
        # The hash at the end shows whether the index was cut off or changed.
        index = json.dumps({**facts, "num_rows": len(contents)}).encode() + b"\n"
        index += contents.tobytes() + crc32.tobytes()
        with open(self.folder / _INDEX, "wb") as stream:
            stream.write(index + hashlib.sha256(index).digest())
        (self.folder / _USED).touch()
        # Settings and contents alone make the name, so that two processes which build the same pack
        # at the same time find each other: the first pack stays.
        named = json.dumps(facts, sort_keys=True).encode() + np.sort(contents).tobytes()
        return f"{hashlib.sha256(named).hexdigest()[:32]}-v{_VERSION}"

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def open_packs(settings: PixelSettings, note: Callable[[str], None]) -> list[Pack]:
    """Open all packs with these settings, the smallest first; remove damaged ones, with a note.

    Rows are not verified here, but when they are read.
    """
    found = []
    for folder in pack_folders():
        # Another version of cnnkit may still use it. It goes when room is needed.
        if not folder.name.endswith(f"-v{_VERSION}"):
            continue
        try:
            pack = open_pack(folder, settings)
        except (OSError, ValueError) as error:
            if folder.exists():  # else another process has just removed it
                note(f"The cached pixels in {folder} are damaged ({error}) and are removed.")
                _remove(folder, note)
            continue
        if pack is not None:
            found.append(pack)
    # Of several packs that have all images, the one with the fewest others is read.
    return sorted(found, key=lambda pack: (len(pack.contents), pack.folder))


def open_pack(folder: Path, settings: PixelSettings) -> Pack | None:
    """Open a pack; None if its pixels have other settings.

    Raises:
        OSError: a file of it cannot be read.
        ValueError: it is damaged.
    """
    facts, contents, crc32 = read_index(folder)
    if {**facts, "num_rows": 0} != {**_facts(settings), "num_rows": 0}:
        return None
    shape = (len(contents), *settings.shape)
    header = _header(shape)
    expected = len(header) + int(np.prod(shape))
    with open(folder / _PIXELS, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size != expected:
            raise ValueError(f"{_PIXELS} has {size:,} bytes, expected {expected:,}")
        if stream.read(len(header)) != header:
            raise ValueError(f"{_PIXELS} does not begin as an array of {shape} bytes")
        # Not np.memmap: `release` needs the mapping itself.
        mapping = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    pixels = np.frombuffer(mapping, np.uint8, offset=len(header)).reshape(shape)
    return Pack(folder, contents, crc32, pixels, mapping, len(header))


def read_index(folder: Path) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Return a pack's facts (pixel settings, versions, num_rows), contents and CRC-32s.

    Raises:
        OSError: the index cannot be read.
        ValueError: it is damaged.
    """
    data = (folder / _INDEX).read_bytes()
    if hashlib.sha256(data[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
        raise ValueError(f"{_INDEX} is not as it was written")
    head = data.index(b"\n") + 1
    with damage_as_value_error():
        facts = _checked(json.loads(data[:head]))
    num_rows, row_bytes = facts["num_rows"], _DIGEST_BYTES + _CRC.itemsize
    if len(data) != head + num_rows * row_bytes + _DIGEST_BYTES:
        raise ValueError(f"{_INDEX} does not have {num_rows:,} rows")
    contents_end = head + num_rows * _DIGEST_BYTES
    crc32 = np.frombuffer(data[contents_end:-_DIGEST_BYTES], _CRC)
    return facts, from_bytes(data[head:contents_end]), crc32


def _checked(facts: Any) -> dict[str, Any]:
    """Return the facts of an index if they are as they are written, of any version of Pillow."""
    values = {key: value for key, value in facts.items() if key not in _OTHER_FACTS}
    settings = PixelSettings.from_dict(values)
    numbers = [facts["num_rows"], *settings.image_size]
    are_numbers = all(type(number) is int and number >= 0 for number in numbers)
    if not are_numbers or settings.to_dict() != values:
        raise ValueError(f"{_INDEX} does not describe pixels")
    return dict(facts)


def last_used(folder: Path) -> float:
    """Return when a pack was last opened, in seconds since 1970."""
    # Not the time of the last access, which many file systems do not keep.
    marker = folder / _USED
    return (marker if marker.exists() else folder).stat().st_mtime


def _facts(settings: PixelSettings) -> dict[str, Any]:
    # Another version of Pillow may decode a file to slightly different pixels.
    versions = {"format": _VERSION, "pixel_path": PIXEL_PATH_VERSION, "pillow": PIL.__version__}
    return {**versions, **settings.to_dict()}


def _header(shape: tuple[int, ...]) -> bytes:
    """Return the header of a .npy file; it has the same length for every number of rows."""
    stream = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, facts)
    return stream.getvalue()


def _remove(folder: Path, note: Callable[[str], None]) -> None:
    try:
        remove_folder(folder)
    except OSError as error:
        note(f"{folder} cannot be removed: {error.strerror or error}.")

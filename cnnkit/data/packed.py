"""Image files by content enter; their pixels leave, from a memory-mapped file or decoded anew."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL

from cnnkit.data.cache import cache_folder, folder_made_whole, remove_folder
from cnnkit.data.hashing import Progress
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import DataError, ImageError

Note = Callable[[str], None]

_FORMAT = 1
_CHUNK_BYTES = 32 << 20
_PIXELS, _INDEX = "pixels.npy", "index.json"


@dataclass(frozen=True, eq=False)
class PixelStore:
    """The pixels of distinct contents.

    Args:
        settings: how they were decoded.
        row_of: sha256 -> row.
        errors: sha256 -> why this content cannot be decoded.
        files: a file for each row.
        packed: (num_rows, height, width, channels) uint8 on disk; None where files are decoded
            each time.
    """

    settings: PixelSettings
    row_of: dict[str, int]
    errors: dict[str, str]
    files: tuple[Path, ...]
    packed: np.ndarray | None = None

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return uint8 (len(rows), height, width, channels).

        Raises:
            DataError: a file can no longer be read.
        """
        if self.packed is not None:
            return self.packed[rows]
        pixels = np.empty((len(rows), *self.settings.shape), np.uint8)
        for position, row in enumerate(rows):
            try:
                pixels[position] = read_pixels(self.files[row], self.settings)
            except ImageError as error:
                raise DataError(
                    f"{self.files[row]} could be read before, but no longer: {error}."
                ) from error
        return pixels


def open_pixels(
    files: dict[str, Path],
    settings: PixelSettings,
    *,
    cache: str = "auto",
    progress: Progress | None = None,
    note: Note | None = None,
) -> PixelStore:
    """Decode every content once, or find the pack of an earlier time.

    Args:
        files: sha256 -> one file with this content.
        settings: size, colour mode, resize policy and background.
        cache: `disk` packs into the cache folder, `off` decodes all once to find broken files and
            then on demand, `auto` is `disk` where the pack fits into half of the free space.
        progress: called with (images decoded, images in all).
        note: called with one sentence on anything unusual.

    Raises:
        DataError: the disk is full, or a file changed since it was hashed.
    """
    note = note or (lambda sentence: None)
    contents = sorted(files)
    paths = tuple(files[digest] for digest in contents)
    rows = {digest: row for row, digest in enumerate(contents)}
    folder = cache_folder() / "pixels" / _key(contents, settings)
    if cache != "off":
        opened = _open_or_drop(folder, contents, settings, note)
        if opened is None and _has_room(folder, len(contents), settings, cache, note):
            _build(folder, contents, paths, settings, progress)
            opened = _open(folder, contents, settings)
        if opened is not None:
            packed, errors = opened
            return PixelStore(settings, rows, errors, paths, packed)
    errors = {}
    for chunk in _decoded(contents, paths, settings, progress):
        errors.update({digest: found for digest, found in chunk if isinstance(found, str)})
    return PixelStore(settings, rows, errors, paths)


def _key(contents: Sequence[str], settings: PixelSettings) -> str:
    facts = {"format": _FORMAT, "pillow": PIL.__version__, **settings.to_dict()}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for content in contents:
        digest.update(content.encode())
    return digest.hexdigest()[:32]


def _has_room(folder: Path, number: int, settings: PixelSettings, cache: str, note: Note) -> bool:
    needed = number * int(np.prod(settings.shape))
    free = _free_bytes(folder)
    if needed <= (free // 2 if cache == "auto" else free):
        return True
    needed_text, free_text = f"{needed / 1e9:.1f} GB", f"{free / 1e9:.1f} GB"
    if cache == "disk":
        raise DataError(
            f"The decoded pixels need {needed_text}, but {cache_folder()} has only {free_text} "
            "free. Make room, set CNNKIT_CACHE to a folder on another disk, or data.cache: off."
        )
    note(
        f"The decoded pixels need {needed_text}, more than half of the {free_text} free in "
        f"{cache_folder()}: they are not kept, and every epoch decodes the images again."
    )
    return False


def _free_bytes(folder: Path) -> int:
    existing = next(parent for parent in folder.parents if parent.exists())
    return shutil.disk_usage(existing).free


def _open_or_drop(
    folder: Path, contents: Sequence[str], settings: PixelSettings, note: Note
) -> tuple[np.ndarray, dict[str, str]] | None:
    """Open a pack; a damaged one is removed and None returned."""
    if not folder.exists():
        return None
    try:
        return _open(folder, contents, settings)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        note(f"The cached pixels in {folder} are damaged ({error}) and are made again.")
        remove_folder(folder)
        return None


def _open(
    folder: Path, contents: Sequence[str], settings: PixelSettings
) -> tuple[np.ndarray, dict[str, str]]:
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    shape = (len(contents), *settings.shape)
    size = (folder / _PIXELS).stat().st_size
    if index["bytes"] != size:
        raise ValueError(f"{_PIXELS} has {size} bytes, expected {index['bytes']}")
    packed = np.load(folder / _PIXELS, mmap_mode="r")
    if packed.shape != shape or packed.dtype != np.uint8 or not packed.flags.c_contiguous:
        raise ValueError(f"{_PIXELS} holds {packed.dtype} {packed.shape}, expected uint8 {shape}")
    return packed, {contents[int(row)]: reason for row, reason in index["errors"].items()}


def _build(
    folder: Path,
    contents: Sequence[str],
    paths: Sequence[Path],
    settings: PixelSettings,
    progress: Progress | None,
) -> None:
    """Write the pack chunk by chunk, so that memory stays bounded and a full disk is an error."""
    blank = np.zeros(settings.shape, np.uint8)
    errors: dict[str, str] = {}
    with folder_made_whole(folder) as temporary:
        with open(temporary / _PIXELS, "wb") as stream:
            header = {
                "descr": np.dtype(np.uint8).str,
                "fortran_order": False,
                "shape": (len(contents), *settings.shape),
            }
            np.lib.format.write_array_header_1_0(stream, header)
            row = 0
            for chunk in _decoded(contents, paths, settings, progress):
                for _, found in chunk:
                    if isinstance(found, str):
                        errors[str(row)] = found
                    stream.write((blank if isinstance(found, str) else found).data)
                    row += 1
            stream.flush()
            os.fsync(stream.fileno())
            index = {"settings": settings.to_dict(), "bytes": stream.tell(), "errors": errors}
        (temporary / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _decoded(
    contents: Sequence[str],
    paths: Sequence[Path],
    settings: PixelSettings,
    progress: Progress | None,
) -> Iterator[list[tuple[str, np.ndarray | str]]]:
    """Decode in threads; yield chunks of (sha256, pixels or the reason why there are none)."""
    length = max(16, min(1024, _CHUNK_BYTES // int(np.prod(settings.shape))))
    done = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(contents), length):
            part = slice(start, start + length)
            chunk = []
            results = pool.map(
                lambda digest, path: _decode(digest, path, settings), contents[part], paths[part]
            )
            for digest, found in zip(contents[part], results, strict=True):
                chunk.append((digest, found))
                done += 1
                if progress is not None:
                    progress(done, len(contents))
            yield chunk


def _decode(digest: str, path: Path, settings: PixelSettings) -> np.ndarray | str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can no longer be read: {error.strerror or error}.") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DataError(f"{path} changed while it was read. Run the command again.")
    try:
        return read_pixels(data, settings)
    except ImageError as error:
        return str(error)

"""Keep the features of images in the cache folder, and compute only those that are missing.

They are in `features/<key>-<images>/`: `features.npy` is a memory-mapped array with one row per
content, `contents.bin` has the sha256 of each row's content, and `about.json` describes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.data.cache.folder import cache_folder, folder_made_whole, remove_folder, remove_unused
from cnnkit.data.cache.pixels.contents import SortedContents, from_bytes, from_hex
from cnnkit.data.file_contents import Progress
from cnnkit.errors import damage_as_value_error

FEATURES = "features"
FEATURES_NAME = re.compile("[0-9a-f]{32}-[0-9a-f]{16}")
_ARRAY, _CONTENTS, _ABOUT = "features.npy", "contents.bin", "about.json"
# As many as training/backbone_features.py gives the backbone at once.
_BATCH = 32  # images whose features are computed at once
# Checksums are computed in parts, because the array may be larger than memory.
_CHECKED_BYTES = 16 << 20

# From positions of images, int64, to their features, float32 (len(positions), ...).
Compute = Callable[[np.ndarray], np.ndarray]


# eq=False: comparing arrays gives an array, which is neither true nor false.
@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Features of images.

    Args:
        array: float32 (num_contents, ...), in memory or mapped from a file.
        rows: the row of each image, int64 (num_images,).
        num_computed: how many contents were not in the cache.
    """

    array: np.ndarray
    rows: np.ndarray
    num_computed: int

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Return float32 (len(positions), ...)."""
        return self.array[self.rows[positions]]


def feature_rows(
    key: str,
    hashes: Sequence[str],
    compute: Compute,
    *,
    about: dict[str, Any],
    on_disk: bool,
    limit_gb: float,
    note: Callable[[str], None],
    progress: Progress | None = None,
) -> FeatureRows:
    """Return the features of images: read those that were kept under the key, compute the others.

    Args:
        key: 32 hexadecimal digits, a hash of all that the features depend on, except the images.
        hashes: sha256 of each image in hex; copies are computed once.
        compute: returns the features of some of the images.
        about: facts that `cnnkit cache list` shows.
        on_disk: whether to keep them in the cache; else they are only in memory.
        limit_gb: for all features in the cache folder.
        note: called with one sentence if features are damaged, or removed to make room.
        progress: called with (images done, images in all).

    Raises:
        DataError: the cache folder cannot be written, or its disk is full.
    """
    # Copies of an image have the same features, which are computed once.
    contents, first, rows = np.unique(from_hex(hashes), return_index=True, return_inverse=True)
    rows = rows.reshape(-1)
    kept = list(_kept(key, note))
    for folder, array, there in kept:
        places = there.places(contents)
        if (places >= 0).all():
            # The time of the folder tells which features were used last.
            os.utime(folder)
            return FeatureRows(array, places[rows], 0)
    if not on_disk:
        array, computed = _made(None, contents, first, kept, compute, progress)
        return FeatureRows(array, rows, computed)
    # In the name, because the features of several data sets may have the same key.
    images = hashlib.sha256(contents.tobytes()).hexdigest()[:16]
    final = cache_folder() / FEATURES / f"{key}-{images}"
    with folder_made_whole(final) as temporary:
        array, computed = _made(temporary / _ARRAY, contents, first, kept, compute, progress)
        (temporary / _CONTENTS).write_bytes(contents.tobytes())
        facts = {**about, "shape": array.shape, "crc32": _crc32(array)}
        (temporary / _ABOUT).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        # Windows renames no folder while one of its files is mapped.
        del array
    remove_unused(feature_folders(), limit_gb, final, note, lambda folder: folder.stat().st_mtime)
    return FeatureRows(np.load(final / _ARRAY, mmap_mode="r"), rows, computed)


def feature_folders() -> list[Path]:
    """Return the complete folders of features."""
    return [
        path
        for path in (cache_folder() / FEATURES).glob("*-*")
        if FEATURES_NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]


def _kept(
    key: str, note: Callable[[str], None]
) -> Iterator[tuple[Path, np.ndarray, SortedContents]]:
    """Yield the undamaged folders of a key, with their arrays and contents."""
    for folder in sorted((cache_folder() / FEATURES).glob(f"{key}-*")):
        try:
            with damage_as_value_error():
                array = np.load(folder / _ARRAY, mmap_mode="r")
                contents = from_bytes((folder / _CONTENTS).read_bytes())
                facts = about_features(folder) or {}
                whole = len(contents) == len(array) and _crc32(array) == facts.get("crc32")
        except (OSError, ValueError):
            whole = False
        if whole:
            yield folder, array, SortedContents(contents)
        else:
            note(f"The cached features in {folder} are damaged and are computed again.")
            remove_folder(folder)


def about_features(folder: Path) -> dict[str, Any] | None:
    """Return the facts of a folder of features, None if they are damaged."""
    try:
        with damage_as_value_error():
            facts = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            numbers = [*facts["shape"], facts["crc32"], facts.get("view") or 0]
            is_whole = bool(facts["shape"]) and isinstance(facts["backbone"], str)
            return facts if is_whole and all(type(each) is int for each in numbers) else None
    except (OSError, ValueError):
        return None


def _made(
    file: Path | None,
    contents: np.ndarray,
    first: np.ndarray,
    kept: Sequence[tuple[Path, np.ndarray, SortedContents]],
    compute: Compute,
    progress: Progress | None,
) -> tuple[np.ndarray, int]:
    """Return the features of the contents, and how many of them were computed."""
    # Per content: the number of a kept folder and the row there, -1 if it must be computed.
    known = np.full((len(contents), 2), -1, np.int64)
    for number, (_, _, there) in enumerate(kept):
        places = there.places(contents)
        known[places >= 0, 0] = number
        known[places >= 0, 1] = places[places >= 0]
    missing = np.flatnonzero(known[:, 0] < 0)
    array = None
    for start in range(0, len(missing), _BATCH):
        part = missing[start : start + _BATCH]
        found = compute(first[part])
        if array is None:
            array = _empty(file, (len(contents), *found.shape[1:]))
        array[part] = found
        if progress is not None:
            progress(start + len(part), len(missing))
    if array is None:
        array = _empty(file, (len(contents), *kept[0][1].shape[1:]))
    for number, (_, old, _) in enumerate(kept):
        chosen = np.flatnonzero(known[:, 0] == number)
        array[chosen] = old[known[chosen, 1]]
    return array, len(missing)


def _empty(file: Path | None, shape: tuple[int, ...]) -> np.ndarray:
    if file is None:
        return np.empty(shape, np.float32)
    array = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    # Writing to a mapped file on a full disk kills the process; this raises an error before.
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return array


def _crc32(array: np.ndarray) -> int:
    """Return the checksum of an array, some rows at a time."""
    step = max(1, _CHECKED_BYTES // max(1, array[:1].nbytes))
    checksum = 0
    for start in range(0, len(array), step):
        checksum = zlib.crc32(np.ascontiguousarray(array[start : start + step]).data, checksum)
    return checksum

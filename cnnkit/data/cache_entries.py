"""List what is in the cache folder, and remove parts of it.

Only what cnnkit makes is listed and removed, recognised by its name: if another folder is given as
the cache by mistake, it loses nothing. Links are never followed.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cnnkit.backbone_networks import NETWORKS
from cnnkit.data.cache.feature_rows import FEATURES, FEATURES_NAME, about_features
from cnnkit.data.cache.folder import (
    NETWORKS_FOLDER,
    PARTIAL,
    STILL_SECONDS,
    Extent,
    cache_folder,
    is_being_made,
    remove_folder,
)
from cnnkit.data.cache.pixels.pack import last_used, pack_folders, read_index
from cnnkit.data.sources.download import lock_of_download
from cnnkit.data.sources.known_sets import KNOWN_SETS
from cnnkit.data.sources.litert_js import LITERT_JS_FILES
from cnnkit.errors import UsageError
from cnnkit.locks import is_held

_OF_FOLDERS = ("pixels", FEATURES, "builtin", NETWORKS_FOLDER)
_BUILTIN_NAME = re.compile(r"[a-z0-9_]+-v\d+(-.+)?")
_NETWORK_NAME = re.compile(r"(.+)-\d+")
KINDS = ("pixels", FEATURES, "builtin", "downloads", NETWORKS_FOLDER)


@dataclass(frozen=True)
class CacheEntry:
    """One thing in the cache.

    Args:
        kind: one of KINDS.
        path: a folder, or a file in `downloads`.
        num_bytes: size of all its files.
        last_used: in seconds since 1970; for anything but pixels, when it was made.
        images: how many; None if that is not known.
        settings: how pixels were made; None for other kinds.
        features: the backbone and the shape of features; None for other kinds.
        unfinished: a process is filling it, or was killed while it did.
    """

    kind: str
    path: Path
    num_bytes: int
    last_used: float
    images: int | None = None
    settings: dict[str, Any] | None = None
    features: dict[str, Any] | None = None
    unfinished: bool = False

    @property
    def name(self) -> str:
        """The name for `cache clear`, which may be shortened."""
        return self.path.name

    @property
    def is_being_made(self) -> bool:
        """Whether a living process is filling it."""
        if not self.unfinished:
            return False
        if self.path.is_dir():
            return is_being_made(self.path)
        # Without its last extension, `mnist.npz.part` is the file that is being downloaded.
        is_downloading = is_held(lock_of_download(self.path.with_suffix("")))
        if is_downloading is None:  # no locks on this file system
            return time.time() - self.last_used < STILL_SECONDS
        return is_downloading

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "path": str(self.path),
            "images": self.images,
            "bytes": self.num_bytes,
            "pixel_settings": self.settings,
            "features": self.features,
            "last_used": datetime.fromtimestamp(self.last_used, timezone.utc).isoformat(),
            "unfinished": self.unfinished,
        }


def list_cache() -> list[CacheEntry]:
    """Return what is in the cache, by kind, the most recently used first."""
    folders = [path for kind in _OF_FOLDERS for path in _folders(kind)]
    entries = [
        *_entries(pack_folders(), _pack),
        *_entries((path for path in folders if _has_features(path)), _features),
        *_entries((path for path in folders if _is_builtin(path)), _builtin),
        *_entries(_downloaded(), _download),
        *_entries((path for path in folders if _is_network(path)), _network),
        *_entries((path for path in folders if path.name.startswith(PARTIAL)), _unfinished),
    ]
    return sorted(entries, key=lambda entry: (KINDS.index(entry.kind), -entry.last_used))


def choose_entries(entries: Sequence[CacheEntry], what: str) -> list[CacheEntry]:
    """Return the entries that the user chooses.

    Args:
        entries: all entries of the cache.
        what: `all`, one of KINDS, or the beginning of the name of one entry.

    Raises:
        UsageError: no entry has such a name, or several have.
    """
    if what == "all":
        return list(entries)
    if what in KINDS:
        return [entry for entry in entries if entry.kind == what]
    # An empty text is the beginning of every name, and must not choose the only entry.
    found = [entry for entry in entries if what and entry.name.startswith(what)]
    if len(found) == 1:
        return found
    names = ", ".join(entry.name for entry in found)
    raise UsageError(
        (
            f"{what} is the beginning of {len(found)} names: {names}. Type more of it."
            if found
            else ""
        )
        or f"Nothing in {cache_folder()} has a name that begins with {what!r}. "
        f"Allowed: all, {', '.join(KINDS)}, or the beginning of a name in `cnnkit cache list`."
    )


def remove_entries(entries: Iterable[CacheEntry]) -> tuple[int, list[str]]:
    """Remove entries. A training that is reading one of them continues.

    Returns:
        The number of bytes that were freed, and a sentence for each entry that was not removed.
    """
    freed, left = 0, []
    for entry in entries:
        if entry.is_being_made:
            left.append(f"{entry.path} was not removed: another process is writing it.")
            continue
        try:
            remove_folder(entry.path) if entry.path.is_dir() else entry.path.unlink()
        except OSError as error:
            left.append(f"{entry.path} cannot be removed: {error.strerror or error}.")
        else:
            freed += entry.num_bytes
    return freed, left


def _entries(paths: Iterable[Path], entry_of: Callable[[Path], CacheEntry]) -> Iterator[CacheEntry]:
    """Yield the entries of paths; skip what another process has just removed or renamed."""
    for path in paths:
        # A link may lead to files of the user, which must never be removed.
        if not _is_linked(path):
            with contextlib.suppress(FileNotFoundError):
                yield entry_of(path)


def _pack(path: Path) -> CacheEntry:
    num_bytes = Extent(path).num_bytes
    try:
        settings, _, _ = read_index(path)
    except (OSError, ValueError):  # damaged, or of an earlier cnnkit
        return CacheEntry("pixels", path, num_bytes, last_used(path))
    images = settings.pop("num_rows")
    return CacheEntry("pixels", path, num_bytes, last_used(path), images, settings)


def _features(path: Path) -> CacheEntry:
    num_bytes = Extent(path).num_bytes
    facts = about_features(path)
    images = facts["shape"][0] if facts else None
    return CacheEntry(FEATURES, path, num_bytes, path.stat().st_mtime, images, features=facts)


def _builtin(path: Path) -> CacheEntry:
    facts = Extent(path)
    return CacheEntry("builtin", path, facts.num_bytes, path.stat().st_mtime, facts.num_files)


def _network(path: Path) -> CacheEntry:
    return CacheEntry(NETWORKS_FOLDER, path, Extent(path).num_bytes, path.stat().st_mtime)


def _unfinished(path: Path) -> CacheEntry:
    facts = Extent(path)
    kind = path.parent.name
    return CacheEntry(kind, path, facts.num_bytes, facts.last_change, unfinished=True)


def _download(path: Path) -> CacheEntry:
    facts, unfinished = path.stat(), path.name.endswith(".part")
    return CacheEntry("downloads", path, facts.st_size, facts.st_mtime, unfinished=unfinished)


def _downloaded() -> list[Path]:
    known_files = [file for known in KNOWN_SETS.values() for file in known.files]
    names = [file.name for file in (*known_files, *LITERT_JS_FILES)]
    paths = [cache_folder() / "downloads" / name for name in names]
    paths += [path.with_name(f"{path.name}.part") for path in paths]
    return [path for path in paths if path.is_file()]


def _folders(kind: str) -> list[Path]:
    parent = cache_folder() / kind
    if not parent.is_dir():
        return []
    return [path for path in parent.iterdir() if path.is_dir()]


def _has_features(path: Path) -> bool:
    return path.parent.name == FEATURES and bool(FEATURES_NAME.fullmatch(path.name))


def _is_builtin(path: Path) -> bool:
    return path.parent.name == "builtin" and bool(_BUILTIN_NAME.fullmatch(path.name))


def _is_network(path: Path) -> bool:
    match = _NETWORK_NAME.fullmatch(path.name)
    return path.parent.name == NETWORKS_FOLDER and match is not None and match[1] in NETWORKS


def _is_linked(path: Path) -> bool:
    """Return whether the path, or a folder between it and the cache folder, is a link."""
    below = [path, *path.parents]
    return any(part.is_symlink() for part in below[: below.index(cache_folder())])

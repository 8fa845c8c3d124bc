"""Decide where decoded pixels are kept: on disk, in memory or nowhere."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass

import numpy as np

from cnnkit.data.cache.folder import GIGABYTE
from cnnkit.data.cache.pixels.pack import packs_folder
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import DataError
from cnnkit.text import size_text

_SHARE = 2  # `auto` uses at most half of what is free: other programs need some of it too


@dataclass(frozen=True)
class Place:
    """Where new pixels are kept.

    Args:
        kind: `disk`, `memory`, or `off` for nowhere.
        why: why `auto` did not choose a better place; empty if it did.
        obstacle: why the place that the config names cannot be used; empty if it can.
    """

    kind: str
    why: str = ""
    obstacle: str = ""

    def check(self) -> None:
        """Raise DataError if the place cannot be used."""
        if not self.obstacle:
            return
        way_out = "Set data.cache: auto, or a smaller data.image_size."
        if self.kind == "disk":
            way_out = (
                "Make room (`cnnkit cache clear`, data.cache_limit_gb), or set CNNKIT_CACHE to "
                "another folder. With data.cache: auto, training keeps them in memory instead, or "
                "decodes the images in every epoch if memory is short too."
            )
        where = "on disk" if self.kind == "disk" else "in memory"
        raise DataError(f"The decoded pixels cannot be kept {where}: {self.obstacle}. {way_out}")


def choose_place(num_images: int, settings: PixelSettings, cache: str, limit_gb: float) -> Place:
    """Choose by an upper bound of the size, before anything is decoded.

    Args:
        num_images: with copies of one content, because these are not known yet.
        settings: gives the size of an image.
        cache: `disk`, `memory`, `off`, or `auto` for the first of these that fits into half of the
            free disk space or half of the free memory.
        limit_gb: for all packs together.
    """
    needed = num_images * int(np.prod(settings.shape))
    if cache == "disk":
        # All of the room, not half of it: the user has named the place.
        return Place("disk", obstacle=_no_disk(needed, limit_gb, 1))
    if cache == "memory":
        return Place("memory", obstacle=_no_memory(needed, 1))
    if cache == "off":
        return Place("off")
    why_not_disk = _no_disk(needed, limit_gb, _SHARE)
    if not why_not_disk:
        return Place("disk")
    why_not_memory = _no_memory(needed, _SHARE)
    if not why_not_memory:
        return Place("memory", why_not_disk)
    return Place("off", f"{why_not_disk}, and {why_not_memory}")


def _no_disk(needed: int, limit_gb: float, share: int) -> str:
    """Return why the pixels cannot be kept on disk, an empty string if they can."""
    folder = packs_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Permissions do not tell on every file system whether a file can be written; trying does.
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"the cache folder {folder} cannot be written ({error.strerror or error})"
    if needed > limit_gb * GIGABYTE:
        return f"they take up to {size_text(needed)}, and data.cache_limit_gb is {limit_gb:g}"
    return _too_large(needed, free, share, f"free in {folder}")


def _no_memory(needed: int, share: int) -> str:
    import psutil

    return _too_large(needed, psutil.virtual_memory().available, share, "of free memory")


def _too_large(needed: int, free: int, share: int, where: str) -> str:
    if needed <= free // share:
        return ""
    of_free = "half of the" if share == _SHARE else "the"
    return f"they take up to {size_text(needed)}, more than {of_free} {size_text(free)} {where}"

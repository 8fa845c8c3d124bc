"""Decode the images of a config into the pixel cache ahead of training (`cnnkit data pack`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnkit.config import DataConfig
from cnnkit.data.dataset import DecodedImages, decode_images
from cnnkit.data.file_contents import Progress
from cnnkit.data.records import Source
from cnnkit.data.sources.listing import find_images
from cnnkit.data.unreadable import report_unreadable
from cnnkit.text import count_of, size_text

Note = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Packing:
    """What was packed.

    Args:
        source: the images.
        decoded: the images that can be decoded, with their pixels.
        seconds: how long reading and packing took.
    """

    source: Source
    decoded: DecodedImages
    seconds: float

    @property
    def _is_old(self) -> bool:
        """Whether an earlier pack already has all images."""
        return self.decoded.store.pack is not None and not self.decoded.store.is_new

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        pack = self.decoded.store.pack
        return {
            "pack": None if pack is None else str(pack.folder),
            "pixel_settings": self.decoded.store.settings.to_dict(),
            "images": len(self.decoded.records),
            "different_images": len(set(self.decoded.hashes)),
            "bytes": 0 if pack is None else pack.pixels.nbytes,
            "seconds": round(self.seconds, 3),
            "already_packed": self._is_old,
            # If nothing was decoded, the time says nothing about decoding.
            "images_per_second": None
            if self._is_old
            else round(len(self.source.records) / self.seconds, 1),
            "undecodable": [
                {"path": path, "reason": reason} for path, reason in self.decoded.skipped
            ],
        }

    def text(self) -> str:
        """Return the same for people, without the undecodable images, which `check` reports."""
        facts = self.as_dict()
        height, width, channels = self.decoded.store.settings.shape
        images = count_of(facts["images"], "image")
        if facts["different_images"] < facts["images"]:
            images += f" ({facts['different_images']:,} different)"
        speed = "already packed"
        if not self._is_old:
            speed = f"{facts['seconds']:.1f} s, {facts['images_per_second']:,.0f} images/s"
        return (
            f"{images} of {height} x {width} x {channels}, {size_text(facts['bytes'])}; {speed}\n"
            f"{facts['pack'] or 'Nothing was packed.'}"
        )

    def check(self, on_error: str, note: Note) -> None:
        """Name every image that cannot be decoded, in notes or in an error.

        Raises:
            DataError: there are some, and `on_error` is `error`.
        """
        skipped = self.decoded.skipped
        report_unreadable(
            skipped,
            len(self.source.records),
            self.source.name,
            skip=on_error == "skip",
            max_shown=len(skipped),
            note=note,
        )


def pack_images(
    data_config: DataConfig, *, progress: Progress | None = None, note: Note
) -> Packing:
    """Decode the images of a config and keep their pixels on disk, regardless of `data.cache`.

    Args:
        data_config: the `data` section.
        progress: called with (files read, files in all).
        note: called with one sentence on each thing the user should know.

    Raises:
        DataError: there are no images to train on, or there is no room for the pack.
    """
    source = find_images(data_config)
    for sentence in source.notes:
        note(sentence)
    begin = time.perf_counter()
    on_disk = data_config.model_copy(update={"cache": "disk"})
    decoded = decode_images(source, on_disk, progress, note)
    return Packing(source, decoded, time.perf_counter() - begin)

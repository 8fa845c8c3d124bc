"""Decode all images of a source into the pixel cache, and say which cannot be decoded and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnnkit.config import DataConfig
from cnnkit.data.cache.pixels import PixelStore, open_pixels
from cnnkit.data.file_contents import Progress
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.records import ImageRecord, Source

Note = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """The images of a source, after all of them were read.

    Args:
        records: the images that can be decoded.
        hashes: sha256 of each of these.
        skipped: (path, reason) of the images that cannot be decoded.
        store: gives the pixels.
    """

    records: list[ImageRecord]
    hashes: list[str]
    skipped: list[tuple[str, str]]
    store: PixelStore


def decode_images(
    source: Source, data_config: DataConfig, progress: Progress | None, note: Note
) -> DecodedImages:
    """Read all images of a source.

    Args:
        source: lists the files.
        data_config: image size, colour mode, resize policy and cache are used.
        progress: called with (files read, files in all).
        note: called with one sentence on each thing the user should know.

    Raises:
        DataError: there is no room for the pixels where `data.cache` wants them.
    """
    store, hashes, reasons = open_pixels(
        [record.file for record in source.records],
        PixelSettings.of(data_config),
        cache=data_config.cache,
        limit_gb=data_config.cache_limit_gb,
        progress=progress,
        note=note,
    )
    decoded = DecodedImages([], [], [], store)
    for position, (record, digest) in enumerate(zip(source.records, hashes, strict=True)):
        if digest is not None and position not in reasons:
            decoded.records.append(record)
            decoded.hashes.append(digest)
        else:
            decoded.skipped.append((record.path, reasons[position]))
    return decoded

"""A source enters; its images that can be decoded leave, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnkit.data.cache.pixels import PixelStore, open_pixels
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.reading import Progress
from cnnkit.data.records import ImageRecord, Source
from cnnkit.errors import DataError
from cnnkit.text import count_of, shown

Note = Callable[[str], None]

_MAX_SHOWN = 20


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """The images of a source.

    Args:
        records: those that can be decoded.
        hashes: the sha256 of each of them.
        skipped: (path, reason) of the others.
        store: the pixels.
    """

    records: list[ImageRecord]
    hashes: list[str]
    skipped: list[tuple[str, str]]
    store: PixelStore


def decode_images(
    source: Source, data_config: Any, progress: Progress | None, note: Note
) -> DecodedImages:
    """Read all images of a source.

    Args:
        source: names the files.
        data_config: the `data` section: size, colour mode, resize policy and cache are read.
        progress: called with (files read, files in all).
        note: called with one sentence on each thing the user should know.

    Raises:
        DataError: there is no room for the pixels where they should be kept.
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
        if position in reasons:
            decoded.skipped.append((record.path, reasons[position]))
        else:
            decoded.records.append(record)
            decoded.hashes.append(digest)
    return decoded


def report_undecodable(
    source: Source,
    skipped: list[tuple[str, str]],
    on_error: str,
    note: Note,
    max_shown: int = _MAX_SHOWN,
) -> None:
    """Say which images cannot be decoded.

    Args:
        source: where they are from.
        skipped: (path, reason) of each.
        on_error: `skip` to note them, `error` to raise.
        note: called with one sentence for each, and one with their number.
        max_shown: how many an error names.

    Raises:
        DataError: there are some, and `on_error` is `error`.
    """
    if not skipped:
        return
    noun = count_of(len(skipped), "image")
    if on_error == "skip":
        for path, reason in skipped:
            note(f"Skipped {shown(path)}: {reason}.")
        left = "is" if len(skipped) == 1 else "are"
        note(f"{noun} of {len(source.records):,} cannot be decoded and {left} left out.")
        return
    lines = [f"  {shown(path)}: {reason}" for path, reason in skipped[:max_shown]]
    if len(skipped) > max_shown:
        lines.append(f"  and {len(skipped) - max_shown:,} more")
    raise DataError(
        "\n".join([f"{source.name}: {noun} of {len(source.records):,} cannot be decoded:", *lines])
        + "\nRepair or remove them, or set data.on_error: skip to leave them out."
    )

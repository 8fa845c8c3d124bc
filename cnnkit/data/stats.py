"""Images enter; how many there are of each class and size, and what their pixels are, leaves."""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from cnnkit.data.file_contents import Progress, read_file
from cnnkit.data.parallel import in_threads
from cnnkit.data.pixels import PixelSettings, read_pixels, upright_turn
from cnnkit.data.records import SPLITS, ImageFile, ImageRecord, Source
from cnnkit.data.resizing import SIDEWAYS
from cnnkit.data.sources.listing import find_images, only_classes, ordered_classes, read_source
from cnnkit.data.split.assignment import assign_splits
from cnnkit.errors import ImageError
from cnnkit.tables import table_text
from cnnkit.text import count_of, shown

_BATCH = 16
_MOST_SIZES = 5
_GREY_SPREAD = 24  # between channels; the noise of a JPEG's colours stays below it
_ANY_PIXELS = PixelSettings((64, 64))  # where there is no config that says how the model sees them


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image file.

    Args:
        num_bytes: of the file.
        sha256: of its content; None where it cannot be opened.
        error: why it cannot be decoded; None where it can.
        size: (height, width) in pixels, upright.
        format: Pillow's word: `JPEG`, `PNG`, ...
        mode: Pillow's word: `RGB`, `L`, `CMYK`, ...
        num_pixels: of the picture that the model sees.
        sums: of its values, one a channel.
        squares: sums of the squares of its values, one a channel.
        is_grey: whether its channels are nearly the same everywhere.
    """

    num_bytes: int = 0
    sha256: str | None = None
    error: str | None = None
    size: tuple[int, int] = (0, 0)
    format: str = ""
    mode: str = ""
    num_pixels: int = 0
    sums: tuple[int, ...] = ()
    squares: tuple[int, ...] = ()
    is_grey: bool = False


@dataclass(frozen=True)
class DataStats:
    """The numbers of a data set, as plain values.

    Args:
        facts: `source`, `counts` by split and class, `summary` (see `summary_of`), `undecodable`
            with path and reason, `pixels`, which says what mean and deviation are of, and
            `left_aside`, sentences on what is not counted.
    """

    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return self.facts

    def text(self) -> str:
        """Return a table of the counts, and the other numbers below it."""
        return _text(self.facts)


def data_stats(
    data_config: Any, *, as_configured: bool, progress: Progress | None = None
) -> DataStats:
    """Count and measure the images of a source; what cannot be decoded is named, not left out.

    Args:
        data_config: the `data` section.
        as_configured: split and scale as the section says; else only a split that the source brings
            counts, and pixels are those of images scaled to 64 x 64.
        progress: called with (files read, files in all).

    Raises:
        DataError: the source cannot be read or split.
    """
    if as_configured:
        source, settings = find_images(data_config), PixelSettings.of(data_config)
    else:
        source, settings = read_source(data_config.source, data_config.shapes), _ANY_PIXELS
        if data_config.classes:
            source = only_classes(source, data_config.classes)
    facts = image_facts([record.file for record in source.records], settings, progress)
    pairs = list(zip(source.records, facts, strict=True))
    records = [record for record, fact in pairs if fact.error is None]
    splits: list[str | None] = [record.split for record in records]
    if as_configured:
        hashes = [fact.sha256 or "" for fact in facts if fact.error is None]
        allow = data_config.allow_missing_classes
        splits = list(
            assign_splits(records, hashes, data_config.split, allow_missing_classes=allow)[0]
        )
    height, width = settings.image_size
    values = {
        "source": source.name,
        "counts": counts_by_split(records, splits, ordered_classes(source, data_config.classes)),
        "summary": summary_of(facts),
        "undecodable": [
            {"path": record.path, "reason": fact.error} for record, fact in pairs if fact.error
        ],
        "left_aside": [*source.notes, *_empty_notes(source)],
        "pixels": f"{settings.color_mode}, 0 to 255, at {height} x {width}",
    }
    return DataStats(values)


def _empty_notes(source: Source) -> list[str]:
    return [
        f"No image is in the class folder {shown(folder)}: {content}."
        for folder, content in source.empty_classes
    ]


def image_facts(
    files: Sequence[ImageFile], settings: PixelSettings, progress: Progress | None = None
) -> list[ImageFacts]:
    """Read files once each, in threads, and return the facts of each, in order.

    Args:
        files: of the images.
        settings: how the pixels are made that are summed.
        progress: called with (files read, files in all).
    """
    facts: list[ImageFacts] = []
    for batch in in_threads(lambda _, file: _facts(file, settings), files, _BATCH):
        facts += batch
        if progress is not None:
            progress(len(facts), len(files))
    return facts


def _facts(file: ImageFile, settings: PixelSettings) -> ImageFacts:
    try:
        data = read_file(file)
    except ImageError as error:
        return ImageFacts(error=str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        pixels = read_pixels(data, settings)
    except ImageError as error:
        return ImageFacts(len(data), sha256, str(error))
    with Image.open(io.BytesIO(data)) as image:
        size, mode, kind = _upright_size(image), image.mode, image.format or ""
    values = pixels.reshape(-1, settings.channels).astype(np.int64)
    spread = int(np.ptp(pixels.astype(np.int16), axis=2).max()) if settings.channels == 3 else 0
    return ImageFacts(
        len(data), sha256, None, size, kind, mode, len(values),
        tuple(values.sum(axis=0).tolist()), tuple((values**2).sum(axis=0).tolist()),
        spread <= _GREY_SPREAD,
    )  # fmt: skip


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (width, height) if upright_turn(image) in SIDEWAYS else (height, width)


def counts_by_split(
    records: Iterable[ImageRecord], splits: Iterable[str | None], class_names: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return the number of images by split and class; `all` is the split of those without one."""
    found = Counter(
        (split or "all", record.label) for record, split in zip(records, splits, strict=True)
    )
    present = [split for split in SPLITS if any(key[0] == split for key in found)] or ["all"]
    return {split: {name: found[split, name] for name in class_names} for split in present}


def summary_of(facts: Sequence[ImageFacts]) -> dict[str, Any]:
    """Return the numbers of all images that decode, for JSON.

    Sizes are (height, width) in pixels. `mean` and `deviation` are of all values of a channel, in
    0..255; sums are whole numbers, so that they do not depend on the order.
    """
    good = [fact for fact in facts if fact.error is None]
    heights, widths = ([fact.size[axis] for fact in good] for axis in (0, 1))
    sizes = Counter(fact.size for fact in good).most_common()
    aspects = [width / height for height, width in zip(heights, widths, strict=True)]
    mean, deviation = _mean_and_deviation(good)
    return {
        "images": len(facts),
        "undecodable": len(facts) - len(good),
        "bytes": sum(fact.num_bytes for fact in facts),
        "height": _spread(heights),
        "width": _spread(widths),
        "aspect": _spread([round(aspect, 3) for aspect in aspects]),
        "sizes": [{"height": h, "width": w, "images": number} for (h, w), number in sizes],
        "formats": dict(Counter(fact.format for fact in good).most_common()),
        "modes": dict(Counter(fact.mode for fact in good).most_common()),
        "grey_images": sum(fact.is_grey for fact in good),
        "mean": mean,
        "deviation": deviation,
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"minimum": min(values), "median": median(values), "maximum": max(values)}


def _mean_and_deviation(facts: Sequence[ImageFacts]) -> tuple[list[float], list[float]]:
    number = sum(fact.num_pixels for fact in facts)
    sums = [sum(column) for column in zip(*(fact.sums for fact in facts), strict=True)]
    squares = [sum(column) for column in zip(*(fact.squares for fact in facts), strict=True)]
    means = [total / number for total in sums]
    # n * sum of squares - square of sum, in whole numbers: nothing is lost by cancellation.
    deviations = [
        math.sqrt(number * square - total**2) / number
        for total, square in zip(sums, squares, strict=True)
    ]
    return [round(value, 4) for value in means], [round(value, 4) for value in deviations]


def _text(stats: Mapping[str, Any]) -> str:
    lines = [_count_table(stats["counts"]), ""]
    numbers = stats["summary"]
    height, width = numbers["height"], numbers["width"]
    lines.append(
        f"images      {numbers['images']:,}, {numbers['bytes'] / 1e6:,.1f} MB"
        + (f"; {numbers['undecodable']:,} cannot be decoded" if numbers["undecodable"] else "")
    )
    if height:
        lines += [
            f"height      {_spread_text(height)}",
            f"width       {_spread_text(width)}",
            f"sizes       {_sizes_text(numbers)}",
            f"formats     {_counted(numbers['formats'])}",
            f"modes       {_counted(numbers['modes'])}",
            f"mean        {_values(numbers['mean'])}  ({stats['pixels']})",
            f"deviation   {_values(numbers['deviation'])}",
        ]
    for row in stats["undecodable"]:
        lines.append(f"cannot be decoded: {shown(row['path'])}: {row['reason']}")
    return "\n".join(lines)


def _count_table(counts: Mapping[str, Mapping[str, int]]) -> str:
    names = list(next(iter(counts.values())))
    rows = [
        [shown(name), *(f"{of_split[name]:,}" for of_split in counts.values())] for name in names
    ]
    rows.append(["all", *(f"{sum(of_split.values()):,}" for of_split in counts.values())])
    return table_text(["class", *counts], rows, right=list(counts))


def _spread_text(spread: Mapping[str, float]) -> str:
    return f"{spread['minimum']:g} to {spread['maximum']:g}, median {spread['median']:g}"


def _sizes_text(numbers: Mapping[str, Any]) -> str:
    first, more = numbers["sizes"][:_MOST_SIZES], len(numbers["sizes"]) - _MOST_SIZES
    shown = ", ".join(f"{s['height']} x {s['width']} ({s['images']:,})" for s in first)
    return shown + (f" and {count_of(more, 'other')}" if more > 0 else "") + "; height x width"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def _values(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)

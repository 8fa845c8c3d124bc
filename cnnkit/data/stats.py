"""Count the images of a data set by split and class, and summarize their sizes and pixels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from cnnkit.data.corrected_labels import read_corrections, with_corrections
from cnnkit.data.count_table import count_table
from cnnkit.data.decoding.bit_depths import FULL
from cnnkit.data.file_contents import Progress
from cnnkit.data.image_facts import ImageFacts, image_facts
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.records import SPLITS, ImageRecord, Source
from cnnkit.data.sources.listing import find_images, only_classes, ordered_classes, read_source
from cnnkit.data.split.assignment import assign_splits
from cnnkit.text import count_of, shown

_MOST_SIZES = 5
_ANY_PIXELS = PixelSettings((64, 64))  # used if no config says how the model sees the images


@dataclass(frozen=True, eq=False)
class DataStats:
    """What was counted and measured.

    Args:
        source: the name of the source in messages.
        counts: number of images that decode, by split and class.
        summary: of all images, see `summary_of`.
        undecodable: `path` and `reason` of each image that cannot be decoded.
        left_aside: sentences about what is not counted, and about corrected labels.
        pixels: which pixels mean and deviation belong to, such as `rgb, 0 to 255, at 64 x 64`.
    """

    source: str
    counts: dict[str, dict[str, int]]
    summary: dict[str, Any]
    undecodable: list[dict[str, str]]
    left_aside: list[str]
    pixels: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return the table of counts and a line for each number, for people."""
        numbers = self.summary
        lines = [count_table(self.counts), ""]
        lines.append(
            f"images      {numbers['images']:,}, {numbers['bytes'] / 1e6:,.1f} MB"
            + (f"; {numbers['undecodable']:,} cannot be decoded" if numbers["undecodable"] else "")
        )
        if numbers["height"]:
            lines += [
                f"height      {_spread_text(numbers['height'])}",
                f"width       {_spread_text(numbers['width'])}",
                f"sizes       {_sizes_text(numbers['sizes'])}",
                f"formats     {_counted(numbers['formats'])}",
                f"modes       {_counted(numbers['modes'])}",
                *_samples_lines(numbers["samples"]),
                f"mean        {_values(numbers['mean'])}  ({self.pixels})",
                f"deviation   {_values(numbers['deviation'])}",
            ]
        for row in self.undecodable:
            lines.append(f"cannot be decoded: {shown(row['path'])}: {row['reason']}")
        return "\n".join(lines)


def data_stats(
    data_config: Any, *, as_configured: bool, progress: Progress | None = None
) -> DataStats:
    """Count and measure the images of a source. Those that cannot be decoded are listed.

    Args:
        data_config: the `data` section.
        as_configured: split and scale the images as the section says. Otherwise only splits that
            the source itself has are counted, and pixels are those of images scaled to 64 x 64.
        progress: called with (number of files read, number of all files).

    Raises:
        DataError: the source cannot be read or split.
    """
    if as_configured:
        source, settings = find_images(data_config), PixelSettings.of(data_config)
    else:
        source, settings = read_source(data_config.source, data_config.shapes), _ANY_PIXELS
        if data_config.classes:
            source = only_classes(source, data_config.classes)
    class_names = ordered_classes(source, data_config.classes)
    # Before the images are read: a mistake in that file should show at once.
    corrections = read_corrections(data_config.labels, class_names)
    facts = image_facts([record.file for record in source.records], settings, progress)
    pairs = list(zip(source.records, facts, strict=True))
    records = [record for record, fact in pairs if fact.error is None]
    splits: Sequence[str | None] = [record.split for record in records]
    # For the type checker: what was decoded always has a hash.
    hashes = [fact.sha256 or "" for fact in facts if fact.error is None]
    if as_configured:
        allow = data_config.allow_missing_classes
        splits, _ = assign_splits(records, hashes, data_config.split, allow_missing_classes=allow)
    notes = [*source.notes, *_empty_notes(source)]
    # After the split, as in training, where a corrected label moves no image to another split.
    corrected = with_corrections(records, hashes, corrections, data_config.labels, notes.append)
    height, width = settings.image_size
    return DataStats(
        source=source.name,
        counts=counts_by_split(corrected, splits, class_names),
        summary=summary_of(facts) | {"samples": _samples(facts, settings)},
        undecodable=[
            {"path": record.path, "reason": fact.error} for record, fact in pairs if fact.error
        ],
        left_aside=notes,
        pixels=f"{settings.color_mode}, 0 to 255, at {height} x {width}",
    )


def _empty_notes(source: Source) -> list[str]:
    return [
        f"No image is in the class folder {shown(folder)}: {content}."
        for folder, content in source.empty_classes
    ]


def counts_by_split(
    records: Iterable[ImageRecord], splits: Iterable[str | None], class_names: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return the number of images by split and class; images without a split count as `all`."""
    found = Counter(
        (split or "all", record.label) for record, split in zip(records, splits, strict=True)
    )
    present = [split for split in SPLITS if any(key[0] == split for key in found)] or ["all"]
    return {split: {name: found[split, name] for name in class_names} for split in present}


def summary_of(facts: Sequence[ImageFacts]) -> dict[str, Any]:
    """Return numbers about all images that decode, as plain values for JSON.

    Sizes are (height, width) in pixels. `mean` and `deviation` are over all values of a channel, in
    0..255.
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


def _samples(facts: Sequence[ImageFacts], settings: PixelSettings) -> dict[str, Any] | None:
    """Return what is known about pictures of more than 8 bits per sample; None if there are none.

    `black` and `white` are None if each file states its own.
    """
    found = [fact for fact in facts if fact.samples is not None]
    if not found:
        return None
    black_and_white = settings.sample_range
    if black_and_white is None and not all(fact.states_range for fact in found):
        black_and_white = FULL
    black, white = black_and_white or (None, None)
    lowest = min(fact.samples[0] for fact in found if fact.samples)
    highest = max(fact.samples[1] for fact in found if fact.samples)
    return {
        "images": len(found),
        "minimum": lowest,
        "maximum": highest,
        "black": black,
        "white": white,
    }


def _samples_lines(samples: Mapping[str, Any] | None) -> list[str]:
    if samples is None:
        return []
    spread = f"{samples['minimum']:g} to {samples['maximum']:g}"
    used = f"black {samples['black']:g}, white {samples['white']:g}: data.sample_range"
    if samples["black"] is None:
        used = "black and white as each file states"
    pictures = count_of(samples["images"], "picture")
    return [f"samples     {spread} in {pictures} of more than 8 bits  ({used})"]


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"minimum": min(values), "median": median(values), "maximum": max(values)}


def _mean_and_deviation(facts: Sequence[ImageFacts]) -> tuple[list[float], list[float]]:
    number = sum(fact.num_pixels for fact in facts)
    sums = [sum(column) for column in zip(*(fact.sums for fact in facts), strict=True)]
    squares = [sum(column) for column in zip(*(fact.squares for fact in facts), strict=True)]
    means = [total / number for total in sums]
    # n * sum of squares - square of sum, in whole numbers: no digits are lost by cancellation.
    deviations = [
        math.sqrt(number * square - total**2) / number
        for total, square in zip(sums, squares, strict=True)
    ]
    return [round(value, 4) for value in means], [round(value, 4) for value in deviations]


def _spread_text(spread: Mapping[str, float]) -> str:
    return f"{spread['minimum']:g} to {spread['maximum']:g}, median {spread['median']:g}"


def _sizes_text(sizes: Sequence[Mapping[str, int]]) -> str:
    first, more = sizes[:_MOST_SIZES], len(sizes) - _MOST_SIZES
    listed = ", ".join(f"{s['height']} x {s['width']} ({s['images']:,})" for s in first)
    return listed + (f" and {count_of(more, 'other')}" if more > 0 else "") + "; height x width"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def _values(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)

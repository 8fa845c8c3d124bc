"""Look at a data set: count all its images, and open some of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from cnnkit.config import DataConfig
from cnnkit.data.decoding.wav_sounds import WavSound
from cnnkit.data.file_contents import Progress
from cnnkit.data.image_facts import ImageFacts, image_facts
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.records import Source
from cnnkit.data.sources.listing import find_images
from cnnkit.errors import DataError
from cnnkit.text import count_of, shown

MOST_SAMPLED = 500
_MOST_SHOWN = 5  # of the images that cannot be read
FEW = 2_000  # images; with fewer, a pretrained network or a small one does better
TOO_FEW_FOR_VALIDATION = 500  # images; each of fewer helps more in training (docs/transfer.md)
PHOTOGRAPH_SIDE = 32  # pixels; smaller pictures in colour are rarely photographs
RECOGNIZABLE_SIDE = 24  # pixels; smaller ones have nothing that a network of photographs knows
UNEVEN_ASPECT = 1.25  # stretching images by more than this distorts them visibly

_LOOKED_AT = PixelSettings((64, 64))  # any size: only the facts of the files are used


@dataclass(frozen=True)
class Choice:
    """A line of the config.

    Args:
        yaml: the line with its indentation.
        reason: why it was chosen; becomes a comment above the line.
    """

    yaml: str
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found out about a data set.

    Args:
        source: all its images.
        data_source: `data.source` as it was given.
        facts: facts about each image that was opened.
        class_counts: number of images to train on by class, before any split. Images that were
            opened and cannot be decoded are not counted.
        from_scratch: whether the user wants no pretrained network.
        seconds_per_image: how long opening an image took, on average.
    """

    source: Source
    data_source: str
    facts: list[ImageFacts]
    class_counts: Counter[str]
    from_scratch: bool = False
    seconds_per_image: float = 0.0

    @property
    def good(self) -> list[ImageFacts]:
        """The opened images that can be decoded."""
        return [fact for fact in self.facts if fact.error is None]

    @property
    def num_images(self) -> int:
        """Number of images to train on, before any split."""
        return sum(self.class_counts.values())

    @property
    def transfers(self) -> bool:
        """Whether to start from a pretrained network.

        That is best for photographs, however many there are, and for few pictures of other kinds
        that are not tiny. A network learns thousands of drawings or digits as well from scratch,
        and even few sounds better.
        """
        if self.from_scratch or not self.good or self.are_sounds:
            return False
        is_photograph = self.own_side >= PHOTOGRAPH_SIDE and not self.is_grey
        return is_photograph or (self.num_images < FEW and self.own_side >= RECOGNIZABLE_SIDE)

    @property
    def are_sounds(self) -> bool:
        """Whether the images are spectrograms of WAV files."""
        return 0 < self._num_sounds == len(self.good)

    @property
    def _num_sounds(self) -> int:
        return sum(fact.format == WavSound.format for fact in self.good)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was ignored, and whether the proposal suits only a part of the images."""
        if self.are_sounds or not self._num_sounds:
            return self.source.notes
        files = count_of(self._num_sounds, "WAV file")
        pictures = count_of(len(self.good) - self._num_sounds, "picture")
        mixture = (
            f"There are both sounds and pictures: {files} and {pictures} were opened. The proposal "
            "is one for pictures. For sounds, move the pictures out of the folder and run `cnnkit "
            "init` again."
        )
        return *self.source.notes, mixture

    @property
    def keeps_no_validation(self) -> bool:
        """Whether all images but the test images should train a pretrained network."""
        few = self.num_images < TOO_FEW_FOR_VALIDATION
        return few and self.transfers and "validation" not in self.splits

    @property
    def own_side(self) -> float:
        """The median of the shorter sides of the opened images, in pixels; 0 without any."""
        return median(min(fact.size) for fact in self.good) if self.good else 0

    @property
    def all_opened(self) -> bool:
        """Whether all images to train on were opened, so that no broken one is counted."""
        training = [record for record in self.source.records if record.split in (None, "train")]
        return len(self.facts) == len(training)

    @property
    def splits(self) -> set[str]:
        """The splits that the source already has."""
        return {record.split for record in self.source.records if record.split}

    @property
    def is_grey(self) -> bool:
        """Whether all opened images are grey."""
        return bool(self.good) and all(fact.is_grey for fact in self.good)

    @property
    def aspects(self) -> list[float]:
        """Width / height of the opened images, sorted; [1] if none can be decoded."""
        return sorted(fact.size[1] / fact.size[0] for fact in self.good) or [1.0]

    @property
    def aspect_spread(self) -> float:
        """Largest width / height divided by the smallest one, among the middle 90% of images."""
        aspects = self.aspects
        cut = len(aspects) // 20  # a twentieth at each end is ignored
        return aspects[-1 - cut] / aspects[cut]

    @property
    def is_even(self) -> bool:
        """Whether 90% of the images have nearly the same proportions."""
        return self.aspect_spread <= UNEVEN_ASPECT

    @property
    def is_squarish(self) -> bool:
        """Whether the median image is about as wide as it is high."""
        aspect = median(self.aspects)
        return max(aspect, 1 / aspect) <= UNEVEN_ASPECT


def look_at(
    data_config: DataConfig, progress: Progress | None = None, *, from_scratch: bool = False
) -> Findings:
    """List all images and open up to 500 of them, about equally many of each class.

    Args:
        data_config: the `data` section.
        progress: called with (images opened, images to open).
        from_scratch: whether to propose no pretrained network.

    Raises:
        DataError: as for `find_images`, or none of the opened images can be read.
    """
    source = find_images(data_config)
    training = [record for record in source.records if record.split in (None, "train")]
    by_class: dict[str, list] = {}
    for record in training:
        by_class.setdefault(record.label, []).append(record)
    each = max(1, MOST_SAMPLED // len(by_class))
    random = np.random.default_rng(0)
    sampled = [
        found[index]
        for found in by_class.values()
        for index in sorted(random.permutation(len(found))[:each])
        # With more classes than this, even one image of each is too many.
    ][:MOST_SAMPLED]
    begin = time.perf_counter()
    facts = image_facts([record.file for record in sampled], _LOOKED_AT, progress)
    each_took = (time.perf_counter() - begin) / max(1, len(facts))
    _check_some_decode(
        source.name, [(each.path, fact.error) for each, fact in zip(sampled, facts, strict=True)]
    )
    counts = Counter(record.label for record in training)
    # What is known to be broken cannot be trained on.
    counts.subtract(record.label for record, fact in zip(sampled, facts, strict=True) if fact.error)
    return Findings(source, data_config.source, facts, counts, from_scratch, each_took)


def _check_some_decode(source_name: str, opened: Sequence[tuple[str, str | None]]) -> None:
    """Refuse a data set of which no opened image can be read.

    Args:
        source_name: what messages call the data set.
        opened: (path, why it cannot be read, or None) of each image.
    """
    if any(reason is None for _, reason in opened):
        return
    lines = [f"  {shown(path)}: {reason}" for path, reason in opened[:_MOST_SHOWN]]
    more = len(opened) - _MOST_SHOWN
    raise DataError(
        "\n".join(
            [
                f"{source_name}: none of {count_of(len(opened), 'opened image')} can be read:",
                *lines,
                *([f"  and {more:,} more"] if more > 0 else []),
                "No config is proposed. `cnnkit data check` says what is wrong with every image.",
            ]
        )
    )

"""A data set enters; all its images, counted, and the facts of some of them leave."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from cnnkit.data.pixels import PixelSettings
from cnnkit.data.reading import Progress
from cnnkit.data.records import Source
from cnnkit.data.sources.listing import find_images
from cnnkit.data.stats import ImageFacts, image_facts

MOST_SAMPLED = 500
FEW = 2_000  # images
PHOTOGRAPH_SIDE = 64  # pixels; smaller pictures are rarely photographs

_LOOKED_AT = PixelSettings((64, 64))
UNEVEN_ASPECT = 1.25


@dataclass(frozen=True)
class Choice:
    """A line of the config.

    Args:
        yaml: the line, indented as it is to stand.
        reason: why, as a comment above it.
    """

    yaml: str
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Findings:
    """What was seen of a data set.

    Args:
        source: all its images.
        data_source: `data.source` as it was given.
        facts: of the images that were opened.
        class_counts: images to train on by class, before any split, without those opened that
            cannot be decoded.
        from_scratch: whether the user wants no pretrained network.
    """

    source: Source
    data_source: str
    facts: list[ImageFacts]
    class_counts: Counter[str]
    from_scratch: bool = False

    @property
    def good(self) -> list[ImageFacts]:
        """The images that decode."""
        return [fact for fact in self.facts if fact.error is None]

    @property
    def num_images(self) -> int:
        """Images to train on, before any split."""
        return sum(self.class_counts.values())

    @property
    def transfers(self) -> bool:
        """Whether to start from a network that knows photographs: few images, and of that kind."""
        sides = [min(fact.size) for fact in self.good]
        are_photographs = bool(sides) and median(sides) >= PHOTOGRAPH_SIDE and not self.is_grey
        return self.num_images < FEW and are_photographs and not self.from_scratch

    @property
    def all_opened(self) -> bool:
        """Whether all images to train on were opened, so that none of those counted is broken."""
        training = [record for record in self.source.records if record.split in (None, "train")]
        return len(self.facts) == len(training)

    @property
    def splits(self) -> set[str]:
        """The splits that the source brings."""
        return {record.split for record in self.source.records if record.split}

    @property
    def is_grey(self) -> bool:
        """Whether all images that were opened are grey."""
        return bool(self.good) and all(fact.is_grey for fact in self.good)

    @property
    def aspects(self) -> list[float]:
        """Width / height of the images that were opened, sorted; [1] where none decodes."""
        return sorted(fact.size[1] / fact.size[0] for fact in self.good) or [1.0]

    @property
    def aspect_spread(self) -> float:
        """How much wider for their height the widest of nine in ten images are than the others."""
        aspects = self.aspects
        cut = len(aspects) // 20
        return aspects[-1 - cut] / aspects[cut]

    @property
    def is_even(self) -> bool:
        """Whether nine of ten images have nearly the same proportions."""
        return self.aspect_spread <= UNEVEN_ASPECT

    @property
    def is_squarish(self) -> bool:
        """Whether the images are about as wide as high, in the median."""
        aspect = median(self.aspects)
        return max(aspect, 1 / aspect) <= UNEVEN_ASPECT


def look_at(
    data_config: Any, progress: Progress | None = None, *, from_scratch: bool = False
) -> Findings:
    """List all images, and open up to 500 of them, of all classes in turns.

    Args:
        data_config: the `data` section.
        progress: called with (images opened, images to open).
        from_scratch: propose no pretrained network.

    Raises:
        DataError: as `find_images`.
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
    ][:MOST_SAMPLED]
    facts = image_facts([record.file for record in sampled], _LOOKED_AT, progress)
    counts = Counter(record.label for record in training)
    counts.subtract(record.label for record, fact in zip(sampled, facts, strict=True) if fact.error)
    return Findings(source, data_config.source, facts, counts, from_scratch)

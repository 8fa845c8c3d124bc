"""Propose the `data` section of a config from the findings about a data set."""

from __future__ import annotations

from statistics import median

import yaml

from cnnkit.data.decoding.bit_depths import proposed_range
from cnnkit.data.decoding.spectrograms import BANDS, COLUMNS_PER_SECOND
from cnnkit.proposal.findings import Choice, Findings
from cnnkit.proposal.recipes import MANY, TRANSFER_SIDES, Recipe
from cnnkit.text import first_few

_SMALLEST_SIDE = 32
_LARGEST_SIDES = ((2_000, 64), (10_000, 96), (None, 128))  # (fewer images than, pixels)
_LONG_ASPECT = 1.5  # images longer than this are not made square
_CROP_UP_TO = 2  # times as long as wide
_PAD_FROM = 3  # spread of the proportions from which stretching would distort too much
_FEW_FOR_BATCHES = 1_000  # images
_SMALLEST_CLASS = 3  # one image for each of train, validation and test


def image_size(findings: Findings, recipe: Recipe) -> tuple[int, int]:
    """Return (height, width): those of the recipe, or close to the images' own.

    From scratch, they are multiples of 8 pixels, with a limit that grows with the number of images:
    few images cannot teach a large network much.
    """
    if recipe.side is not None:
        return recipe.side, recipe.side
    largest = next(s for n, s in _LARGEST_SIDES if n is None or findings.num_images < n)
    if not findings.good:
        return largest, largest
    height, width = (median(fact.size[axis] for fact in findings.good) for axis in (0, 1))
    if findings.are_sounds:  # all bands, and half a column or more
        return BANDS, _side(width, 2 * largest)
    if max(width / height, height / width) < _LONG_ASPECT or not findings.is_even:
        side = _side(min(height, width), largest)
        return side, side
    long_side = largest * _LONG_ASPECT
    scale = min(1, long_side / max(height, width))
    return _side(height * scale, int(long_side)), _side(width * scale, int(long_side))


def _side(pixels: float, largest: int) -> int:
    # Multiples of 8 can be halved three times without a rest.
    return int(min(largest, max(_SMALLEST_SIDE, 8 * round(pixels / 8))))


def data_choices(findings: Findings, source: str, size: tuple[int, int]) -> list[Choice]:
    """Return the lines of the `data` section.

    Args:
        findings: the findings about the data set.
        source: `data.source` as the config will have it.
        size: the chosen (height, width).
    """
    choices = [
        Choice(f"  source: {_scalar(source)}"),
        Choice(f"  image_size: [{size[0]}, {size[1]}]", _size_reason(findings, size)),
    ]
    if findings.is_grey:
        reason = "" if findings.are_sounds else "All opened images are grey."
        choices.append(Choice("  color_mode: grayscale", reason))
    choices += _sample_range(findings)
    choices.append(_resize(findings, size))
    choices += _split(findings)
    choices += _tolerance(findings)
    choices.append(Choice(f"  batch_size: {_batch_size(findings)}"))
    return choices


def _batch_size(findings: Findings) -> int:
    if findings.transfers and findings.num_images < _FEW_FOR_BATCHES:
        return 16  # so that an epoch has enough steps
    if findings.num_images >= MANY:
        return 128 if findings.transfers else 256
    return 32


def _resize(findings: Findings, size: tuple[int, int]) -> Choice:
    if findings.are_sounds:
        reason = "Each sound fills the width, however long it is. pad would shrink the long ones."
        return Choice("  resize: stretch", reason)
    if findings.aspect_spread > _PAD_FROM:
        reason = "The images have very different proportions. pad keeps them and cuts nothing off."
        return Choice("  resize: pad", reason)
    aspect = median(findings.aspects)
    if findings.transfers and max(aspect, 1 / aspect) > _CROP_UP_TO:
        reason = "The images are long: a square in their middle would show less than half of them."
        return Choice("  resize: pad", reason)
    if findings.transfers and not (findings.is_even and findings.is_squarish):
        reason = (
            "The largest square in the middle of each image, which keeps the proportions. Use pad "
            "if what matters is near the edges."
        )
        return Choice("  resize: crop", reason)
    if not findings.is_even:
        reason = (
            "The images have different proportions. stretch changes them, but shows everything as "
            "large as possible; pad and crop keep them."
        )
        return Choice("  resize: stretch", reason)
    if findings.is_squarish and size[0] == size[1]:
        return Choice("  resize: stretch")
    reason = "The images have nearly the same proportions, so stretching changes all of them alike."
    return Choice("  resize: stretch", reason)


def _sample_range(findings: Findings) -> list[Choice]:
    """Return the line without which pictures of 10 to 14 bits in files of 16 would be black."""
    found = [fact.samples for fact in findings.good if fact.samples and not fact.states_range]
    if not found:
        return []
    lowest, highest = min(low for low, _ in found), max(high for _, high in found)
    black_and_white = proposed_range(highest)
    if black_and_white is None:
        return []
    reason = (
        f"[black, white] of the images with more than 8 bits: their samples are {lowest:g} to "
        f"{highest:g}, which is nearly black in the 0 to 65535 of 16 bits. Set the range of your "
        "camera if you know it: 0 to 4095 for 12 bits. Samples above it become white."
    )
    return [Choice(f"  sample_range: {list(black_and_white)}", reason)]


def _tolerance(findings: Findings) -> list[Choice]:
    """Return the lines that let a training start despite broken files and tiny classes."""
    choices = []
    broken = sum(fact.error is not None for fact in findings.facts)
    if broken:
        reason = (
            f"{broken:,} of the opened images cannot be decoded. `cnnkit data check` lists every "
            "broken image. Repair or remove them, then remove this line."
        )
        choices.append(Choice("  on_error: skip", reason))
    counts = findings.class_counts
    small = sorted(name for name, number in counts.items() if number < _SMALLEST_CLASS)
    if small and not findings.splits:
        reason = (
            f"Too few images for three splits, so all are used for training: {first_few(small)}."
        )
        choices.append(Choice("  allow_missing_classes: true", reason))
    return choices


def _size_reason(findings: Findings, size: tuple[int, int]) -> str:
    if not findings.good:
        return "Height, width. None of the opened images can be decoded."
    if findings.are_sounds:
        columns = median(fact.size[1] for fact in findings.good)
        reason = (
            f"Height, width. A sound becomes a picture of it, its spectrogram: {BANDS} rows of "
            f"frequencies, low to high, and {COLUMNS_PER_SECOND} columns per second. The median "
            f"sound takes {columns / COLUMNS_PER_SECOND:.1f} s. "
        )
        if columns > 2 * size[1]:
            reason += (
                f"Its {columns:,.0f} columns become {size[1]}, so what happens within "
                f"{columns / size[1] / COLUMNS_PER_SECOND:.2f} s is blurred. A larger width or "
                "shorter sounds show more. "
            )
        return reason + "See docs/sound.md."
    heights, widths = ([fact.size[axis] for fact in findings.good] for axis in (0, 1))
    own = min(median(heights), median(widths))
    if findings.transfers:
        reason = "The pretrained network takes any size; multiples of 32 suit it best."
        if max(size) < min(own, TRANSFER_SIDES[-1]):
            times = (TRANSFER_SIDES[-1] / max(size)) ** 2
            reason += (
                f" With {TRANSFER_SIDES[-1]} it sees more detail and takes {times:.1f} times as "
                "long."
            )
    elif own < _SMALLEST_SIDE:
        reason = f"They are enlarged to {_SMALLEST_SIDE}, so that three pooling layers fit."
    elif max(size) < own:
        reason = (
            "When training from scratch on this many images, a larger size gains little and takes "
            "longer. Try a larger one if small details matter."
        )
    else:
        reason = "This is close to their own size."
    return (
        f"Height, width. The images have a median size of {median(heights):g} x "
        f"{median(widths):g} pixels, and at least {min(heights)} x {min(widths)}. {reason}"
    )


def _split(findings: Findings) -> list[Choice]:
    brought = findings.splits - {"train"}
    part = 0.1 if findings.num_images >= 1_000 else 0.2
    if brought == {"validation", "test"}:
        return []
    validation = 0 if findings.keeps_no_validation else part
    if findings.keeps_no_validation:
        reason = (
            "Each of so few images helps more in training than in validation, so none is kept for "
            "it. Set validation: 0.2 and remove training.monitor to see how well the network "
            "does in each epoch, or for `cnnkit calibrate`."
        )
    elif brought:
        reason = (
            f"The source has its own {first_few(sorted(brought))} split. The other one is taken "
            "from train."
        )
    elif part > 0.1:
        reason = (
            "More than the usual tenth each, because a tenth of so few images would measure "
            "nothing reliably."
        )
    else:
        reason = ""
    return [Choice(f"  split: {{validation: {validation}, test: {part}, seed: 0}}", reason)]


def _scalar(text: str) -> str:
    # As YAML writes it: a path with a colon, for example, needs quotes.
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).splitlines()[0]

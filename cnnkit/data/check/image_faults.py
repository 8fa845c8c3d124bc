"""Find what is wrong with single images: their files, their headers, their pixels, their size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from PIL import Image

from cnnkit.data.check.fault_kinds import Finding
from cnnkit.data.check.thumbnails import SIDE, Look, look_of
from cnnkit.data.decoding.bit_depths import (
    SampleRange,
    is_wide,
    own_range,
    proposed_range,
    read_samples,
)
from cnnkit.data.decoding.foreign_formats import HEIC
from cnnkit.data.decoding.image_formats import (
    OpenedImage,
    decoding,
    has_unused_alpha,
    image_extensions,
    open_image,
)
from cnnkit.data.decoding.jpeg_gaps import ends_early
from cnnkit.data.decoding.wav_sounds import is_wav, sample_rate_of
from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.pixels import PixelSettings, exif_orientation, read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.errors import ImageError
from cnnkit.text import count_of

_SETTINGS = PixelSettings((SIDE, SIDE))
_LARGEST_ASPECT = 4
_TINY = 32  # pixels
_WHOLE = 2048  # pixels per side at which a picture is searched for a pattern; bounds the memory
_JPEG_MAGIC = b"\xff\xd8\xff"
# An MPO is a JPEG with more pictures after it, a DIB a BMP without its file header, and a CUR an
# icon of a mouse pointer: none of them has a wrong extension if it is named like the other.
_SAME_TYPE = {"MPO": "JPEG", "DIB": "BMP", "CUR": "ICO"}
_PICTURES_NOT_FRAMES = {"MPO", "TIFF", "PSD"}


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """What one read of a file shows.

    Args:
        faults: (kind, detail) of the faults and properties of this file alone.
        sha256: of the content; None if the file cannot be opened.
        size: (height, width) in pixels of the upright picture; None if it cannot be decoded.
        sample_rate: samples per second of a sound, whose width in pixels is its length; None for a
            picture.
        look: None if the picture cannot be decoded, or has too little contrast to be compared, and
            for sounds.
        dark_samples: the lowest and highest sample of a picture that is nearly black, because its
            samples have more than 8 bits and no setting says which of them is white.
    """

    faults: tuple[tuple[str, str], ...]
    sha256: str | None = None
    size: tuple[int, int] | None = None
    sample_rate: int | None = None
    look: Look | None = None
    dark_samples: SampleRange | None = None


def facts_of(file: ImageFile, sample_range: SampleRange | None = None) -> Facts:
    """Read one file and examine it; whatever is wrong with it is a fault, not an exception.

    Args:
        file: the image.
        sample_range: as in `PixelSettings`.
    """
    settings = replace(_SETTINGS, sample_range=sample_range)
    try:
        data = read_file(file)
    except ImageError as error:
        return Facts(((error.kind, str(error)),))
    digest = hashlib.sha256(data).hexdigest()
    try:
        samples = read_samples(data)
        picture = Image.fromarray(read_pixels(data, settings, samples))
        faults, size = _header_faults(str(file), data)
        if _is_constant(data, picture, size) if samples is None else samples.is_constant:
            faults.append(("constant", ""))
        # The quick look comes first: `ends_early` decodes the file twice.
        if data.startswith(_JPEG_MAGIC) and _has_flat_edge(picture) and ends_early(data):
            faults.append(("ends_early", ""))
        extremes = own_range(samples)
        if extremes is not None:
            in_range = replace(settings, sample_range=extremes)
            picture = Image.fromarray(read_pixels(data, in_range, samples))
    except ImageError as error:
        return Facts(((error.kind, str(error)),), digest)
    # With a setting, the user has decided which samples are black and white.
    unscaled = extremes if sample_range is None else None
    # The spectrograms of two sounds of a class may be as alike as two copies of a picture.
    sample_rate = sample_rate_of(data)
    look = look_of(picture) if sample_rate is None else None
    return Facts(tuple(faults), digest, size, sample_rate, look, unscaled)


def _has_flat_edge(picture: Image.Image) -> bool:
    """Tell whether one side of a picture has one colour, as that where its samples are missing."""
    pixels = np.asarray(picture).astype(np.int16)
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    # Not 0: reducing the picture may round one colour to two neighbouring levels.
    return any(np.ptp(edge, axis=0).max() <= 1 for edge in edges)


def _header_faults(name: str, data: bytes) -> tuple[list[tuple[str, str]], tuple[int, int]]:
    """Return (kind, detail) of what the header shows, and the upright (height, width)."""
    image = open_image(data)
    width, height = image.size
    orientation = exif_orientation(image, data)
    # The orientations 5 to 8 turn a picture by a quarter.
    if orientation >= 5:
        width, height = height, width
    has_wide_samples = is_wide(image)  # not known any more once Pillow loads the image for EXIF
    is_sound = is_wav(data)
    is_strip = not is_sound and max(width, height) > _LARGEST_ASPECT * min(width, height)
    found = {
        "wrong_extension": _wrong_extension(name, image.format or ""),
        "exif_rotated": f"orientation {orientation}" if orientation > 1 else None,
        "cmyk": "" if image.mode == "CMYK" else None,
        "palette": "" if image.mode in ("P", "PA") else None,
        "sixteen_bit": "" if has_wide_samples else None,
        "transparent": "" if _is_transparent(image) else None,
        **_frames(image),
        "sound": "" if is_sound else None,
        "extreme_aspect": f"{width} x {height} pixels" if is_strip else None,
    }
    faults = [(kind, detail) for kind, detail in found.items() if detail is not None]
    return faults, (height, width)


def _is_transparent(image: OpenedImage) -> bool:
    return image.has_transparency_data and not has_unused_alpha(image)


def _wrong_extension(name: str, content: str) -> str | None:
    extension = os.path.splitext(name)[1].lower()
    if extension not in image_extensions():
        return None
    named = "HEIF" if extension in HEIC.extensions else Image.registered_extensions()[extension]
    same = _SAME_TYPE.get(named, named) == _SAME_TYPE.get(content, content)
    return None if same else f"{content}, not {named}"


def _frames(image: Image.Image) -> dict[str, str]:
    try:
        with decoding(b""):
            is_animated = getattr(image, "is_animated", False)  # only some formats have it
            number = getattr(image, "n_frames", 1) if is_animated else 1
    except ImageError:  # damage after the first frame, which is the only one that is used
        return {}
    if number == 1:
        return {}
    if image.format in _PICTURES_NOT_FRAMES:
        return {"multi_picture": f"{number} pictures"}
    return {"animated": f"{number} frames"}


def _is_constant(data: bytes, small: Image.Image, size: tuple[int, int]) -> bool:
    """Tell whether all pixels are the same, also those of a fine pattern that `small` blurs."""
    # Averaging may round one colour to two neighbouring levels.
    if any(np.ptp(np.asarray(band)) > 1 for band in small.split()):
        return False
    whole = PixelSettings((min(size[0], _WHOLE), min(size[1], _WHOLE)))
    return not np.ptp(read_pixels(data, whole), axis=(0, 1)).any()


def image_findings(
    records: Sequence[ImageRecord],
    facts: Sequence[Facts],
    image_size: tuple[int, int] | None,
) -> list[Finding]:
    """Return the faults of each image alone, and compared to the other images and its source.

    Args:
        records: the images.
        facts: of each image.
        image_size: (height, width) that smaller images would be enlarged to; None if unknown.
    """
    findings = [
        Finding(kind, (record.path,), detail)
        for record, fact in zip(records, facts, strict=True)
        for kind, detail in fact.faults
    ]
    findings += _changed(records, facts)
    findings += _dark(records, facts)
    sizes = [
        (record.path, fact.size)
        for record, fact in zip(records, facts, strict=True)
        if fact.size is not None and fact.sample_rate is None
    ]
    return findings + _small(sizes, image_size)


def _changed(records: Sequence[ImageRecord], facts: Iterable[Facts]) -> list[Finding]:
    """Return the images whose content is not the one that the source states."""
    return [
        Finding("changed_content", (record.path,))
        for record, fact in zip(records, facts, strict=True)
        if record.sha256 and fact.sha256 and record.sha256 != fact.sha256
    ]


def _dark(records: Sequence[ImageRecord], facts: Iterable[Facts]) -> list[Finding]:
    """Return what to set if pictures of more than 8 bits leave the upper samples unused."""
    dark = {
        record.path: fact.dark_samples
        for record, fact in zip(records, facts, strict=True)
        if fact.dark_samples is not None
    }
    if not dark:
        return []
    lowest, highest = min(low for low, _ in dark.values()), max(high for _, high in dark.values())
    black_and_white = proposed_range(highest)
    if black_and_white is None:
        return []
    samples = f"{count_of(len(dark), 'picture')} with samples from {lowest} to {highest}"
    detail = f"{samples}; for example data.sample_range: {list(black_and_white)}"
    return [Finding("dark_samples", tuple(dark), detail)]


def _small(
    sizes: Sequence[tuple[str, tuple[int, int]]], image_size: tuple[int, int] | None
) -> list[Finding]:
    """Return images that are small compared to the others, or to the input of the model."""
    # In a set of digits of 28 pixels, being small is usual and no fault.
    usual = median(min(size) for _, size in sizes) if sizes else 0
    findings = []
    for path, (height, width) in sizes:
        measured = f"{width} x {height} pixels"
        if min(height, width) < min(_TINY, usual / 2):
            findings.append(Finding("tiny", (path,), measured))
        elif image_size and (height < image_size[0] or width < image_size[1]):
            findings.append(Finding("enlarged", (path,), measured))
    return findings

"""Find what is wrong with single images: their files, their headers, their pixels, their size."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from PIL import Image

from cnnkit.data.check.faults import Finding
from cnnkit.data.check.look import SIDE, Look, look_of
from cnnkit.data.file_contents import read_file
from cnnkit.data.pixels import DECODE_ERRORS, PixelSettings, exif_orientation, read_pixels
from cnnkit.data.records import ImageFile, ImageRecord
from cnnkit.data.sources.folders import image_extensions
from cnnkit.errors import ImageError

_SETTINGS = PixelSettings((SIDE, SIDE))
_LARGEST_ASPECT = 4
_TINY = 32  # pixels
_WHOLE = 2048  # pixels per side at which a picture is searched for a pattern; bounds the memory
_WIDE_CHANNEL = re.compile(r";16[BLNS]")  # of Pillow's raw modes; BGR;16 has 16 bits in total
_PNG_EXIF = (b"eXIf", b"exif", b"XML:com.adobe.xmp")
_SAME_TYPE = {"MPO": "JPEG", "DIB": "BMP", "CUR": "ICO"}
_PICTURES_NOT_FRAMES = {"MPO", "TIFF", "PSD"}


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """What one read of a file shows.

    Args:
        faults: (kind, detail) of the faults and properties of this file alone.
        sha256: of the content; None if the file cannot be opened.
        size: (height, width) in pixels of the upright picture; None if it cannot be decoded.
        look: None if the picture cannot be decoded, or has too little contrast to be compared.
    """

    faults: tuple[tuple[str, str], ...]
    sha256: str | None = None
    size: tuple[int, int] | None = None
    look: Look | None = None


def facts_of(file: ImageFile) -> Facts:
    """Read one file and examine it; whatever is wrong with it is a fault, not an exception."""
    try:
        data = read_file(file)
    except ImageError as error:
        return Facts(((error.kind, str(error)),))
    digest = hashlib.sha256(data).hexdigest()
    try:
        picture = Image.fromarray(read_pixels(data, _SETTINGS))
        faults, size = _header_faults(str(file), data)
        if _is_constant(data, picture, size):
            faults.append(("constant", ""))
    except ImageError as error:
        return Facts(((error.kind, str(error)),), digest)
    return Facts(tuple(faults), digest, size, look_of(picture))


def _header_faults(name: str, data: bytes) -> tuple[list[tuple[str, str]], tuple[int, int]]:
    """Return (kind, detail) of what the header shows, and the upright (height, width)."""
    image = Image.open(io.BytesIO(data))
    raw_modes = str([tile[3] for tile in image.tile])  # gone once Pillow loads the image for EXIF
    width, height = image.size
    orientation = _orientation(image, data)
    if orientation >= 5:
        width, height = height, width
    is_wide = image.mode.startswith("I") or _WIDE_CHANNEL.search(raw_modes)
    is_strip = max(width, height) > _LARGEST_ASPECT * min(width, height)
    found = {
        "wrong_extension": _wrong_extension(name, image.format or ""),
        "exif_rotated": f"orientation {orientation}" if orientation > 1 else None,
        "cmyk": "" if image.mode == "CMYK" else None,
        "palette": "" if image.mode in ("P", "PA") else None,
        "sixteen_bit": "" if is_wide else None,
        "transparent": "" if image.has_transparency_data else None,
        **_frames(image),
        "extreme_aspect": f"{width} x {height} pixels" if is_strip else None,
    }
    faults = [(kind, detail) for kind, detail in found.items() if detail is not None]
    return faults, (height, width)


def _orientation(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG" and not any(mark in data for mark in _PNG_EXIF):
        return 1  # Pillow would decode the whole image to find out
    return exif_orientation(image)


def _wrong_extension(name: str, content: str) -> str | None:
    ending = os.path.splitext(name)[1].lower()
    if ending not in image_extensions():
        return None
    named = Image.registered_extensions()[ending]
    same = _SAME_TYPE.get(named, named) == _SAME_TYPE.get(content, content)
    return None if same else f"{content}, not {named}"


def _frames(image: Image.Image) -> dict[str, str]:
    try:
        is_animated = getattr(image, "is_animated", False)  # only some of Pillow's formats have it
        number = getattr(image, "n_frames", 1) if is_animated else 1
    except DECODE_ERRORS:  # damage after the first frame, which is the only one that is used
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
    sizes = [
        (record.path, fact.size)
        for record, fact in zip(records, facts, strict=True)
        if fact.size is not None
    ]
    return findings + _small(sizes, image_size)


def _changed(records: Sequence[ImageRecord], facts: Iterable[Facts]) -> list[Finding]:
    """Return the images whose content is not the one that the source states."""
    return [
        Finding("changed_content", (record.path,))
        for record, fact in zip(records, facts, strict=True)
        if record.sha256 and fact.sha256 and record.sha256 != fact.sha256
    ]


def _small(
    sizes: Sequence[tuple[str, tuple[int, int]]], image_size: tuple[int, int] | None
) -> list[Finding]:
    """Return images that are small compared to the others, or to the input of the model."""
    usual = median(min(size) for _, size in sizes) if sizes else 0
    findings = []
    for path, (height, width) in sizes:
        measured = f"{width} x {height} pixels"
        if min(height, width) < min(_TINY, usual / 2):
            findings.append(Finding("tiny", (path,), measured))
        elif image_size and (height < image_size[0] or width < image_size[1]):
            findings.append(Finding("enlarged", (path,), measured))
    return findings

"""An image file enters and is read once; what is true of it alone leaves."""

from __future__ import annotations

import hashlib
import io
import os
import re
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from cnnkit.data.check.faults import Finding
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.reading import read_file
from cnnkit.data.records import ImageRecord
from cnnkit.data.sources.folders import image_extensions
from cnnkit.errors import ImageError

THUMBNAIL_SIDE = 32
CROP = 0.04  # of each side, in the middle of the 2 to 6 % that are found
_SETTINGS = PixelSettings((2 * THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))
_COLOUR_CELLS = 4
_FAINT = 8  # grey levels between black and white, below which a hash says nothing
_LARGEST_ASPECT = 4
_ORIENTATION_TAG = 0x0112
_WIDE_CHANNEL = re.compile(r";16[BLNS]")  # of Pillow's raw modes; BGR;16 is 16 bits in all

_PNG_EXIF = (b"eXIf", b"exif", b"XML:com.adobe.xmp")
_SAME_TYPE = {"MPO": "JPEG", "DIB": "BMP", "CUR": "ICO"}
_PICTURES_NOT_FRAMES = {"MPO", "TIFF", "PSD"}


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What a decoded picture looks like, small.

    Args:
        hashes: four perceptual hashes, uint64: of the picture, of its middle, and of both mirrored.
        grey: uint8 (32, 32).
        colours: uint8 (4, 4, 3), the mean colours of 16 parts.
    """

    hashes: np.ndarray
    grey: np.ndarray
    colours: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """What one read of a file tells.

    Args:
        findings: faults and properties of this file alone.
        sha256: of its content; None where it cannot be opened.
        size: (height, width) in pixels of the upright picture; None where it does not decode.
        look: None where it does not decode, or where it is too faint to be compared.
    """

    findings: tuple[Finding, ...]
    sha256: str | None = None
    size: tuple[int, int] | None = None
    look: Look | None = None


def facts_of(record: ImageRecord) -> Facts:
    """Read one file; nothing that is wrong with it raises."""
    try:
        data = read_file(record.file)
    except ImageError as error:
        return Facts((Finding(error.kind, (record.path,), str(error)),))
    digest = hashlib.sha256(data).hexdigest()
    try:
        pixels = read_pixels(data, _SETTINGS)
    except ImageError as error:
        return Facts((Finding(error.kind, (record.path,), str(error)),), digest)
    kinds, size = _header_facts(record.path, data)
    if _is_constant(data, pixels, size):
        kinds.append(("constant", ""))
    findings = tuple(Finding(kind, (record.path,), detail) for kind, detail in kinds)
    return Facts(findings, digest, size, _look(pixels))


def _header_facts(path: str, data: bytes) -> tuple[list[tuple[str, str]], tuple[int, int]]:
    """Return (kind, detail) of what the header says, and the upright (height, width)."""
    image = Image.open(io.BytesIO(data))
    raw_modes = str([tile[3] for tile in image.tile])  # gone once Pillow loads the image for EXIF
    width, height = image.size
    orientation = _orientation(image, data)
    if orientation >= 5:
        width, height = height, width
    is_wide = image.mode.startswith("I") or _WIDE_CHANNEL.search(raw_modes)
    is_strip = max(width, height) > _LARGEST_ASPECT * min(width, height)
    found = {
        "wrong_extension": _wrong_extension(path, image.format),
        "exif_rotated": f"orientation {orientation}" if orientation > 1 else None,
        "cmyk": "" if image.mode == "CMYK" else None,
        "palette": "" if image.mode in ("P", "PA") else None,
        "sixteen_bit": "" if is_wide else None,
        "transparent": "" if image.has_transparency_data else None,
        **_frames(image),
        "extreme_aspect": f"{width} x {height} pixels" if is_strip else None,
    }
    facts = [(kind, detail) for kind, detail in found.items() if detail is not None]
    return facts, (height, width)


def _orientation(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG" and not any(mark in data for mark in _PNG_EXIF):
        return 1  # Pillow would decode the whole image to find out
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # as many kinds as there are plugins; it then turns nothing
        return 1
    return orientation if orientation in range(1, 9) else 1


def _wrong_extension(path: str, content: str | None) -> str | None:
    ending = os.path.splitext(path)[1].lower()
    if ending not in image_extensions():
        return None
    named = Image.registered_extensions()[ending]
    same = _SAME_TYPE.get(named, named) == _SAME_TYPE.get(content, content)
    return None if same else f"{content}, not {named}"


def _frames(image: Image.Image) -> dict[str, str]:
    try:
        number = image.n_frames if getattr(image, "is_animated", False) else 1
    except Exception:  # damage behind the first frame, which is all that is used
        return {}
    if number == 1:
        return {}
    if image.format in _PICTURES_NOT_FRAMES:
        return {"multi_picture": f"{number} pictures"}
    return {"animated": f"{number} frames"}


def _look(pixels: np.ndarray) -> Look | None:
    """Return the look of uint8 (64, 64, 3) pixels, None where they lack contrast."""
    picture = Image.fromarray(pixels).convert("L")
    grey = np.asarray(picture)
    if int(grey.max()) - int(grey.min()) < _FAINT:
        return None
    side, cells = len(grey), _COLOUR_CELLS
    inner = (side * CROP, side * CROP, side * (1 - CROP), side * (1 - CROP))
    middle = picture.resize(picture.size, Image.Resampling.BILINEAR, box=inner)
    mirror = Image.Transpose.FLIP_LEFT_RIGHT
    variants = (picture, middle, picture.transpose(mirror), middle.transpose(mirror))
    part = side // cells
    colours = pixels.reshape(cells, part, cells, part, 3).mean((1, 3)).round().astype(np.uint8)
    small = picture.reduce(side // THUMBNAIL_SIDE)
    hashes = np.array([_hash(variant) for variant in variants], np.uint64)
    return Look(hashes, np.asarray(small), colours)


def _hash(picture: Image.Image) -> int:
    return int.from_bytes(np.packbits(imagehash.phash(picture).hash).tobytes(), "big")


def _is_constant(data: bytes, small: np.ndarray, size: tuple[int, int]) -> bool:
    """Tell whether all pixels are the same; a small picture hides a fine pattern."""
    if int(np.ptp(small, axis=(0, 1)).max()) > 1:
        return False
    limit = 2048  # pixels a side, so that little memory is needed
    whole = PixelSettings((min(size[0], limit), min(size[1], limit)))
    return not np.ptp(read_pixels(data, whole), axis=(0, 1)).any()

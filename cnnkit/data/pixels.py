"""Decode an image file, or its bytes, into a uint8 array (height, width, channels)."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cnnkit.data.decoding.bit_depths import (
    SampleRange,
    WideSamples,
    grey_levels,
    is_wide,
    states_range,
    wide_samples,
)
from cnnkit.data.decoding.image_formats import (
    OpenedImage,
    check_num_pixels,
    decoding,
    has_unused_alpha,
    open_image,
)
from cnnkit.data.decoding.jpeg_gaps import check_no_zeros
from cnnkit.data.decoding.resizing import Transpose, resize_upright
from cnnkit.data.file_bytes import ImageFile, LocalFile, read_file
from cnnkit.errors import ImageError

if TYPE_CHECKING:
    from cnnkit.config import DataConfig

# Increased when the same file gives other pixels, so that cached pixels are not used any more.
PIXEL_PATH_VERSION = 4

_ORIENTATION_TAG = 0x0112
_PNG_EXIF = (b"eXIf", b"exif", b"XML:com.adobe.xmp")
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class PixelSettings:
    """All settings that change the pixels of a file.

    Args:
        image_size: (height, width) of the result in pixels.
        color_mode: `rgb` (3 channels) or `grayscale` (1 channel).
        resize: `stretch` (the picture fills the size and its proportions change), `crop` (keeps the
            proportions and cuts off what is outside the centre) or `pad` (keeps the proportions and
            fills the rest with the background).
        background: grey level 0..255 behind transparent pixels and around padded pictures.
        sample_range: (black, white) of pictures with more than 8 bits per sample; None for what
            each file states, or else 0 to 65535.
    """

    image_size: tuple[int, int]
    color_mode: str = "rgb"
    resize: str = "stretch"
    background: int = 255
    sample_range: SampleRange | None = None

    @classmethod
    def of(cls, data_config: DataConfig) -> PixelSettings:
        """Return the settings of a config's `data` section."""
        height, width = data_config.image_size
        return cls(
            image_size=(height, width),
            color_mode=data_config.color_mode,
            resize=data_config.resize,
            background=data_config.background,
            sample_range=data_config.sample_range,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PixelSettings:
        """Return the settings that `to_dict` wrote."""
        height, width = values["image_size"]
        black_and_white = values.get("sample_range")
        sample_range = None if black_and_white is None else tuple(black_and_white)
        return cls(**{**values, "image_size": (height, width), "sample_range": sample_range})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; without the sample range if none is set."""
        values = {**asdict(self), "image_size": list(self.image_size)}
        sample_range = values.pop("sample_range")
        return values if sample_range is None else {**values, "sample_range": list(sample_range)}

    @property
    def channels(self) -> int:
        """Number of colour channels: 3 for rgb, 1 for grayscale."""
        return 1 if self.color_mode == "grayscale" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every decoded image."""
        return (*self.image_size, self.channels)


def read_pixels(
    source: ImageFile | str | bytes,
    settings: PixelSettings,
    samples: WideSamples | None = None,
) -> np.ndarray:
    """Return the uint8 pixels (height, width, channels) of one image.

    The EXIF orientation is applied, transparent pixels show the background, samples of more than
    8 bits are scaled, an animation gives its first frame, and colour profiles are not applied. A
    large JPEG is decoded at a half, a quarter or an eighth of its size if that is still twice the
    requested size.

    Args:
        source: the file, its path, or its bytes.
        settings: size, colour mode, resize policy and background.
        samples: of the file, if they were read before, so that it need not be decoded again.

    Raises:
        ImageError: the image cannot be read. The text is the reason, without the path.
    """
    if isinstance(source, bytes):
        data = source
    else:
        data = read_file(LocalFile(source) if isinstance(source, str | os.PathLike) else source)
    image = open_image(data) if samples is None else samples.image
    if image.format in ("JPEG", "MPO"):
        check_no_zeros(data)
    with decoding(data):
        extent = _plan_scaled_decoding(image, settings)
        # After the planning: a large JPEG counts with the size at which it is decoded.
        check_num_pixels(image)
        picture = _eight_bits(image, data, settings, samples)
        picture = resize_upright(
            picture,
            extent or picture.size,
            # Without the data: the image is loaded by now, so asking for its EXIF decodes nothing.
            upright_turn(image),
            settings.image_size,
            resize=settings.resize,
            background=settings.background,
        )
    # A copy, because the memory of Pillow's pictures is read-only. A grey one has no third axis.
    return np.array(picture).reshape(settings.shape)


def _plan_scaled_decoding(
    image: Image.Image, settings: PixelSettings
) -> tuple[float, float] | None:
    """Let Pillow decode a JPEG at a smaller size, and in grey if that is requested.

    Returns:
        (width, height) of the picture in decoded pixels, which need not be whole numbers; None for
        other files.
    """
    # Twice the requested size, so that the resizing afterwards still averages enough pixels.
    grey = "L" if settings.color_mode == "grayscale" else None
    planned = image.draft(grey, (2 * max(settings.image_size),) * 2)
    return planned[1][2:] if planned else None


def _eight_bits(
    image: OpenedImage, data: bytes, settings: PixelSettings, samples: WideSamples | None
) -> Image.Image:
    """Return the image in mode RGB, or L for grayscale, without transparency."""
    picture: Image.Image = image
    if samples is not None or is_wide(image):
        picture = _from_wide(image, data, settings, samples)
    picture.load()
    if picture is image and has_unused_alpha(image):
        picture = picture.convert("RGB")
    elif picture.has_transparency_data:
        picture = _over_background(picture, settings.background)
    elif picture.mode not in ("L", "RGB"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    wanted = _pillow_mode(settings)
    # `convert` would make a copy also of a picture that has the mode already.
    return picture if picture.mode == wanted else picture.convert(wanted)


def _pillow_mode(settings: PixelSettings) -> str:
    return "L" if settings.color_mode == "grayscale" else "RGB"


def _from_wide(
    image: OpenedImage, data: bytes, settings: PixelSettings, samples: WideSamples | None
) -> Image.Image:
    """Return a picture of more than 8 bits per sample in 8 bits, with its transparency."""
    is_colour = image.mode in ("RGB", "RGBA", "LA")
    if is_colour and settings.sample_range is None and not states_range(data, image):
        image.load()
        return image  # Pillow takes the high byte of each sample
    samples = samples or wide_samples(data, image)
    if samples is None:
        return image
    levels = grey_levels(image, samples, settings.sample_range)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int | tuple):
        is_transparent = (samples.values == transparent).reshape(*levels.shape[:2], -1).all(axis=2)
        levels[is_transparent] = settings.background
    picture = Image.fromarray(levels)
    if image.mode in ("LA", "RGBA"):
        picture.putalpha(image.getchannel("A"))
    return picture


def _over_background(image: Image.Image, background: int) -> Image.Image:
    # Pillow cannot convert grey that is multiplied by its alpha to RGBA in one step.
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    canvas = Image.new("RGBA", rgba.size, (background, background, background, 255))
    return Image.alpha_composite(canvas, rgba).convert("RGB")


def upright_turn(image: Image.Image, data: bytes | None = None) -> Transpose | None:
    """Return the turn that makes a picture upright by its EXIF; None if it is upright.

    Args:
        image: the opened image.
        data: see `exif_orientation`.
    """
    return _UPRIGHT.get(exif_orientation(image, data))


def exif_orientation(image: Image.Image, data: bytes | None = None) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if there is none or it cannot be read.

    Args:
        image: the opened image.
        data: the bytes of the file, if the image is not loaded: to see whether there is an EXIF,
            Pillow would decode a whole PNG.
    """
    if data is not None and image.format == "PNG" and not any(mark in data for mark in _PNG_EXIF):
        return 1
    try:
        with decoding(b""):
            orientation = image.getexif().get(_ORIENTATION_TAG)
    except ImageError:
        return 1
    return orientation if isinstance(orientation, int) and orientation in _UPRIGHT else 1

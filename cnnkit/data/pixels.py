"""Decode an image file, or its bytes, into a uint8 array (height, width, channels)."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cnnkit.data.file_contents import read_file
from cnnkit.data.records import ImageFile, LocalFile
from cnnkit.data.resizing import Transpose, resize_upright
from cnnkit.errors import ImageError

if TYPE_CHECKING:
    from cnnkit.config import DataConfig

# Increased when the same file gives other pixels, so that cached pixels are not used any more.
PIXEL_PATH_VERSION = 2

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_SIXTEEN_TO_EIGHT_BITS = 257  # 65535 / 255

# What Pillow's plugins raise for damaged files; found with real files and random changes.
DECODE_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
# The first bytes of files that are images but cannot be opened: their header is broken.
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"RIFF": "WebP",
}
_filter_lock = threading.Lock()


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
    """

    image_size: tuple[int, int]
    color_mode: str = "rgb"
    resize: str = "stretch"
    background: int = 255

    @classmethod
    def of(cls, data_config: DataConfig) -> PixelSettings:
        """Return the settings of a config's `data` section."""
        height, width = data_config.image_size
        return cls(
            image_size=(height, width),
            color_mode=data_config.color_mode,
            resize=data_config.resize,
            background=data_config.background,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PixelSettings:
        """Return the settings that `to_dict` wrote."""
        height, width = values["image_size"]
        return cls(**{**values, "image_size": (height, width)})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "image_size": list(self.image_size)}

    @property
    def channels(self) -> int:
        """Number of colour channels: 3 for rgb, 1 for grayscale."""
        return 1 if self.color_mode == "grayscale" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every decoded image."""
        return (*self.image_size, self.channels)


def read_pixels(source: ImageFile | str | bytes, settings: PixelSettings) -> np.ndarray:
    """Return the uint8 pixels (height, width, channels) of one image.

    The EXIF orientation is applied, transparent pixels show the background, 16-bit grey is scaled
    to 8 bits, an animation gives its first frame, and colour profiles are not applied. A large JPEG
    is decoded at a half, a quarter or an eighth of its size if that is still twice the requested
    size.

    Args:
        source: the file, its path, or its bytes.
        settings: size, colour mode, resize policy and background.

    Raises:
        ImageError: the image cannot be read. The text is the reason, without the path.
    """
    if isinstance(source, bytes):
        data = source
    else:
        data = read_file(LocalFile(source) if isinstance(source, str | os.PathLike) else source)
    if not data:
        raise ImageError("the file is empty", kind="empty_file")
    _silence_pillow_warnings()
    try:
        image = _open(data)
        extent = _plan_scaled_decoding(image, settings)
        image.load()
        picture = _eight_bits(image, settings)
        picture = resize_upright(picture, extent or picture.size, upright_turn(image), settings)
    except DECODE_ERRORS as error:
        raise _decoding_error(error, data) from error
    return np.array(picture).reshape(settings.shape)


def _silence_pillow_warnings() -> None:
    """Ignore Pillow's warnings (about large but valid pictures, unusual EXIF), not its errors.

    `warnings.catch_warnings` cannot be used here, because it is not safe in threads.
    """
    with _filter_lock:
        if not any(_is_pillow_filter(entry) for entry in warnings.filters):
            warnings.filterwarnings("ignore", module=r"PIL\.")


def _is_pillow_filter(entry: tuple[Any, ...]) -> bool:
    action, _, _, module, _ = entry
    return action == "ignore" and getattr(module, "pattern", module) == r"PIL\."


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except Image.UnidentifiedImageError:
        raise _unidentified(data) from None


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


def _unidentified(data: bytes) -> ImageError:
    """Return the error for bytes that no decoder recognizes."""
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            return ImageError(
                f"it begins like a {name} file, but its header is broken or not supported",
                kind="damaged",
            )
    start = data[:200].decode("utf-8", errors="replace").strip()
    text = " ".join(start.split())[:40]
    if text and "\ufffd" not in text and text.isprintable():
        reason = f'it is not an image but text that begins with "{text}"'
    else:
        first = data[:8].hex(" ")
        reason = f"it is not an image that can be read (it begins with the bytes {first})"
    return ImageError(reason, kind="not_an_image")


def _decoding_error(error: BaseException, data: bytes) -> ImageError:
    """Return our error for one that Pillow raised."""
    if isinstance(error, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        reason = f"the picture is too large: its header claims more than {limit:,} pixels"
        return ImageError(reason, kind="too_large")
    if isinstance(error, MemoryError):
        return ImageError("not enough memory to decode it", kind="damaged")
    if isinstance(error, OSError) and "truncated" in str(error).lower():
        reason = f"the file is cut off ({_first_line(error)}, {len(data):,} bytes in all)"
        return ImageError(reason, kind="truncated")
    return ImageError(f"it cannot be decoded ({_first_line(error)})", kind="damaged")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def _eight_bits(image: Image.Image, settings: PixelSettings) -> Image.Image:
    """Return the image in mode RGB, or L for grayscale, without transparency."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _grey_from_wide(image, settings.background)
        return grey.convert(_pillow_mode(settings))
    if image.has_transparency_data:
        image = _over_background(image, settings.background)
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    wanted = _pillow_mode(settings)
    return image if image.mode == wanted else image.convert(wanted)  # convert would make a copy


def _pillow_mode(settings: PixelSettings) -> str:
    return "L" if settings.color_mode == "grayscale" else "RGB"


def _grey_from_wide(image: Image.Image, background: int) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F":
        raise ImageError(
            "it holds decimal numbers (mode F), whose black and white are not known; "
            "convert it to 8 or 16 bits per channel",
            kind="unsupported_pixels",
        )
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65535:
        raise ImageError(
            f"it holds 32-bit numbers from {lowest} to {highest}, whose black and white are not "
            "known; convert it to 8 or 16 bits per channel",
            kind="unsupported_pixels",
        )
    values = values.astype(np.int64)  # room for adding one half before the division
    grey = (values + _SIXTEEN_TO_EIGHT_BITS // 2) // _SIXTEEN_TO_EIGHT_BITS
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = background
    return Image.fromarray(grey.astype(np.uint8))


def _over_background(image: Image.Image, background: int) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    canvas = Image.new("RGBA", rgba.size, (background, background, background, 255))
    return Image.alpha_composite(canvas, rgba).convert("RGB")


def upright_turn(image: Image.Image) -> Transpose | None:
    """Return the turn that makes a picture upright by its EXIF; None if it is upright."""
    return _UPRIGHT.get(exif_orientation(image))


def exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if there is none or it cannot be read."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
    except DECODE_ERRORS:
        return 1
    return orientation if isinstance(orientation, int) and orientation in _UPRIGHT else 1

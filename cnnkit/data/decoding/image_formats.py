"""Open image files with Pillow, only safe formats, and put every failure into plain words."""

from __future__ import annotations

import functools
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, JpegImagePlugin
from PIL.ImageFile import ImageFile as OpenedImage

from cnnkit.data.decoding.foreign_formats import CAMERA_RAW, HEIC, can_read_heic, foreign_format
from cnnkit.data.decoding.jpeg_memory import undivided_bytes
from cnnkit.data.decoding.png_chunks import PNG_MAGIC, is_for_iphone, without_metadata
from cnnkit.data.decoding.quiet_libtiff import silence_libtiff
from cnnkit.data.decoding.tiff_samples import (
    PHOTOMETRIC,
    TiffHeader,
    check_parts,
    is_inverted,
    is_unusual,
    tiff_header,
    with_sixteen_bits,
)
from cnnkit.data.decoding.unusual_tiffs import (
    is_signed_bytes,
    lacks_photometric,
    repair_palette,
    why_unread,
    with_photometric,
)
from cnnkit.data.decoding.wav_sounds import WavSound
from cnnkit.errors import ImageError

# The formats that Pillow reads without starting another program, in the order in which it tries
# them. EPS is not among them, because Pillow runs the program `gs` on its content, nor is IPTC,
# which opens whatever picture is inside it, also an EPS. BUFR, GRIB, HDF5 and MPEG are measurement
# data and films, and WMF is drawn by Windows.
FORMATS = (
    "BMP", "DIB", "GIF", "JPEG", "PPM", "PNG", "AVIF", "BLP", "CUR", "PCX", "DCX", "DDS", "FITS",
    "FLI", "FTEX", "GBR", "JPEG2000", "ICNS", "ICO", "IM", "IMT", "MCIDAS", "TIFF", "MSP", "PCD",
    "PIXAR", "PSD", "QOI", "SGI", "SPIDER", "SUN", "TGA", "WEBP", "XBM", "XPM", "XVTHUMB",
    WavSound.format,
)  # fmt: skip

# The first bytes of files that are images but cannot be opened: their header is broken.
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "BigTIFF",
    b"MM\x00+": "BigTIFF",
    b"RIFF": "WebP",
    b"8BPS": "PSD",
}
_OFTEN_WITHOUT_ALPHA = ("BMP", "DIB", "TGA")
INVERTED = "cnnkit: white is zero"  # set in `info` of an image whose samples are to be inverted
_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706
_COLOUR_FILTER_ARRAY = 32803
_PIXEL_BYTES = 4  # that Pillow needs for a pixel with colours
_lock = threading.Lock()
# Without a handler, Python prints what Pillow logs: lines that name no file of the user.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@functools.cache
def image_extensions() -> frozenset[str]:
    """Return the file name extensions of images, in lower case: `.jpg`, `.png`, ...

    Those of MPO are among them, a JPEG with more pictures after it, and those of HEIC also if it
    cannot be read, so that the images of a data set and their split do not depend on what is
    installed.
    """
    extensions = Image.registered_extensions()
    known = {extension for extension, kind in extensions.items() if kind in (*FORMATS, "MPO")}
    return frozenset(known.union(HEIC.extensions))


def open_image(data: bytes) -> OpenedImage:
    """Return the image with these bytes, whose pixels are not decoded yet.

    Raises:
        ImageError: it is not an image that can be read. The text is the reason.
    """
    if not data:
        raise ImageError("the file is empty", kind="empty_file")
    if foreign := foreign_format(data):
        raise ImageError(foreign.sentence(), kind="unread_format")
    _silence_pillow_warnings()
    with decoding(data):
        image = _open_prepared(data)
        if _is_raw_preview(image):
            raise ImageError(CAMERA_RAW.sentence(), kind="unread_format")
    return image


def _open_prepared(data: bytes) -> OpenedImage:
    """Open bytes after changing what Pillow cannot read, or would not read rightly."""
    if data.startswith(PNG_MAGIC):
        if is_for_iphone(data):
            reason = "it is a PNG that Xcode has changed for the iPhone (CgBI); take the original"
            raise ImageError(reason, kind="unread_format")
        return _open(without_metadata(data))
    header = tiff_header(data)
    return _open(data) if header is None else _open_tiff(data, header)


def _open_tiff(data: bytes, header: TiffHeader) -> OpenedImage:
    check_parts(header)
    if is_signed_bytes(header):
        raise ImageError(
            "it is a TIFF with numbers from -128 to 127, which cannot be read; convert it to 8 or "
            "16 bits per channel without a sign",
            kind="unread_format",
        )
    if lacks_photometric(header):
        data = with_photometric(header)
        header = TiffHeader(data)
    if is_unusual(header):
        return _open(with_sixteen_bits(header))
    image = _open(header.changed({PHOTOMETRIC: 1}) if is_inverted(header) else data)
    if is_inverted(header):
        image.info[INVERTED] = True
    repair_palette(image)
    return image


def _open(data: bytes) -> OpenedImage:
    stream = io.BytesIO(data)
    try:
        return Image.open(stream, formats=_with_heic() if data[4:8] == b"ftyp" else FORMATS)
    except Image.UnidentifiedImageError:
        raise _unidentified(data) from None
    except Image.DecompressionBombError:
        if not data.startswith(b"\xff\xd8\xff"):
            raise
        stream.seek(0)
        image = JpegImagePlugin.JpegImageFile(stream)  # it may be decoded at a smaller size
        if undivided_bytes(image) > _PIXEL_BYTES * _most_pixels():
            raise _too_large(
                ", and it is a progressive JPEG, which is not decoded in parts; save it as a "
                "baseline JPEG, or smaller"
            ) from None
        return image


def has_unused_alpha(image: OpenedImage) -> bool:
    """Tell whether the fourth byte of each pixel is 0 because the program did not use it.

    Many programs write such BMP and TGA files; others show them without transparency. In other
    formats the same means that the whole picture is transparent. The image is loaded if necessary.
    """
    if image.format not in _OFTEN_WITHOUT_ALPHA or image.mode != "RGBA":
        return False
    return image.getchannel("A").getextrema() == (0, 0)


def picture_format(path: str) -> str | None:
    """Return Pillow's word for the type of a file that is an image by its content; None for others.

    Only the beginning of the file is read.
    """
    _silence_pillow_warnings()
    try:
        with decoding(b""), Image.open(path, formats=_with_heic()) as image:
            return image.format
    except ImageError:
        return None


@functools.cache
def _with_heic() -> tuple[str, ...]:
    """Return FORMATS, and HEIC if it can be read. Its decoder takes a moment to import."""
    if not can_read_heic():
        return FORMATS
    import pi_heif  # type: ignore[import-untyped]

    with _lock:
        pi_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


@contextmanager
def decoding(data: bytes) -> Iterator[None]:
    """Raise an ImageError for whatever a decoder raises inside the block.

    Args:
        data: the bytes of the file.
    """
    try:
        yield
    except ImageError:
        raise
    # Decoders raise errors of about every type for damaged files, and add-ons of Pillow raise
    # their own. Any of them means that this one file cannot be read.
    except Exception as error:
        raise _decoding_error(error, data) from error


def check_num_pixels(image: Image.Image) -> None:
    """Refuse an image that would need too much memory, at the size at which it will be decoded.

    Raises:
        ImageError: it has too many pixels.
    """
    width, height = image.size
    if 0 < _most_pixels() < width * height:
        raise _too_large()


def _most_pixels() -> int:
    """Return how many pixels Pillow decodes at most; 0 for any number."""
    return 2 * (Image.MAX_IMAGE_PIXELS or 0)


def _too_large(more: str = "") -> ImageError:
    limit = f"{_most_pixels():,} pixels"
    reason = f"the picture is too large: its header claims more than {limit}{more}"
    return ImageError(reason, kind="too_large")


def _silence_pillow_warnings() -> None:
    """Ignore Pillow's warnings (about large but valid pictures, unusual EXIF), not its errors.

    `warnings.catch_warnings` cannot be used here, because it is not safe in threads.
    """
    silence_libtiff()
    with _lock:
        if not any(_is_pillow_filter(entry) for entry in warnings.filters):
            warnings.filterwarnings("ignore", module=r"PIL\.")


def _is_pillow_filter(entry: tuple[Any, ...]) -> bool:
    action, _, _, module, _ = entry
    return action == "ignore" and getattr(module, "pattern", module) == r"PIL\."


def _is_raw_preview(image: Image.Image) -> bool:
    """Tell whether a TIFF is a camera raw file, of which Pillow would read the small preview."""
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return False
    is_reduced = tags.get(_NEW_SUBFILE_TYPE) == 1 and _SUB_IFDS in tags
    is_unfinished = tags.get(PHOTOMETRIC) == _COLOUR_FILTER_ARRAY
    return _DNG_VERSION in tags or is_reduced or is_unfinished


def _unidentified(data: bytes) -> ImageError:
    """Return the error for bytes that no decoder recognizes."""
    if HEIC.begins(data):
        return ImageError("it begins like a HEIC file, but it is broken", kind="damaged")
    header = tiff_header(data)
    if header is not None and (reason := why_unread(header)):
        return ImageError(reason, kind="unread_format")
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
        return _too_large()
    if isinstance(error, Image.UnidentifiedImageError):
        return _unidentified(data)
    if isinstance(error, MemoryError):
        return ImageError("not enough memory to decode it", kind="damaged")
    if isinstance(error, OSError) and "truncated" in str(error).lower():
        reason = f"the file is cut off ({_first_line(error)}, {len(data):,} bytes in all)"
        return ImageError(reason, kind="truncated")
    return ImageError(f"it cannot be decoded ({_first_line(error)})", kind="damaged")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__

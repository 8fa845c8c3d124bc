"""Tell by its header whether a file has more than 8 bits per sample, or is a sound.

Nothing is decoded, because pixels that are read from the cache are not decoded either.
"""

from __future__ import annotations

from collections.abc import Mapping

from cnnkit.data.decoding.bit_depths import FULL, SampleRange, is_wide, states_range
from cnnkit.data.decoding.image_formats import decoding, open_image
from cnnkit.data.decoding.png_chunks import PNG_MAGIC
from cnnkit.data.decoding.tiff_samples import BITS, is_unusual, tiff_header
from cnnkit.data.decoding.wav_sounds import is_wav
from cnnkit.errors import ImageError
from cnnkit.text import count_of

WIDE, STATED = "wide", "stated"  # the second: more than 8 bits, and the file states its range
SOUND = "sound"

_EIGHT_BITS = (b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")  # JPEG, GIF, WebP, BMP
_PNG_BITS = 24  # the byte of a PNG that has the bits per sample


def sample_kind(data: bytes) -> str:
    """Return WIDE or STATED for a picture of more than 8 bits per sample, SOUND, or nothing."""
    # The usual formats first: their first bytes decide, and nothing has to be opened.
    if data.startswith(_EIGHT_BITS):
        return SOUND if is_wav(data) else ""
    if data.startswith(PNG_MAGIC) and data[_PNG_BITS : _PNG_BITS + 1] != b"\x10":
        return ""
    header = tiff_header(data)
    if header is not None and header.get(BITS, 1) <= 8:
        return ""
    if header is not None and is_unusual(header):
        return STATED
    try:
        image = open_image(data)
        with decoding(data):
            if not is_wide(image):
                return ""
            return STATED if states_range(data, image) else WIDE
    except ImageError:
        return ""


def sound_note(kinds: Mapping[str, int]) -> str:
    """Return a sentence that says how sounds are read; empty if there are none.

    >>> sound_note({SOUND: 3})
    'sounds: 3 WAV files, read as pictures of their sound (spectrograms).'
    """
    if not kinds.get(SOUND):
        return ""
    files = count_of(kinds[SOUND], "WAV file")
    return f"sounds: {files}, read as pictures of their sound (spectrograms)."


def range_note(kinds: Mapping[str, int], sample_range: SampleRange | None) -> str:
    """Return a sentence on which samples are black and white; empty if all pictures have 8 bits.

    Args:
        kinds: number of pictures that are WIDE and STATED.
        sample_range: the setting.

    >>> range_note({WIDE: 3}, (0, 4095))
    'samples: 3 pictures of more than 8 bits; black is 0 and white is 4095 (data.sample_range).'
    """
    wide, stated = kinds.get(WIDE, 0), kinds.get(STATED, 0)
    if not wide + stated:
        return ""
    start = f"samples: {count_of(wide + stated, 'picture')} of more than 8 bits; "
    if sample_range is None and not wide:
        return f"{start}black and white are those that each file states."
    black, white = sample_range or FULL
    used = f"{start}black is {black:g} and white is {white:g}"
    if sample_range is not None:
        return f"{used} (data.sample_range)."
    own = "that states its own" if stated == 1 else "that state their own"
    others = f", except in {count_of(stated, 'file')} {own}" if stated else ""
    return (
        f"{used}{others}. If your camera has another range, set data.sample_range; "
        "`cnnkit data stats` shows the samples."
    )

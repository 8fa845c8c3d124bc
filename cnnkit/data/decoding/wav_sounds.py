"""Let Pillow open a WAV file: as a grey picture, the spectrogram of the sound.

So a sound is one more picture for everything that reads pictures. SciPy's reader is not used: it
returns what is there of a file that is cut off, and the programs that only predict have no SciPy.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from typing import IO, cast

import numpy as np
from PIL import Image, ImageFile

from cnnkit.data.decoding.spectrograms import BANDS, num_columns, spectrogram
from cnnkit.errors import ImageError
from cnnkit.text import count_of

MOST_SECONDS = 600
SAMPLE_RATES = (1_000, 384_000)  # samples per second, the lowest and the highest

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHER_TAGS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "ADPCM", 80: "MPEG", 85: "MP3"}
_TYPES = {
    (_PCM, 1): "u1",
    (_PCM, 2): "<i2",
    (_PCM, 3): "24 bits",  # NumPy has no such type
    (_PCM, 4): "<i4",
    (_FLOAT, 4): "<f4",
    (_FLOAT, 8): "<f8",
}
_MIDDLE_OF_BYTES = 128  # samples of 8 bits are the only ones without a sign
# Programs that write into a pipe do not know the size and state one that is close to the largest.
UNKNOWN_SIZE = 0x7FFF0000


@dataclass(frozen=True)
class _Header:
    """What a WAV file says about its samples, and where they are.

    Args:
        sample_type: a value of _TYPES.
        sample_rate: samples per second.
        num_channels: 2 for stereo.
        frame_bytes: of one sample of each channel.
        start: position of the first sample in the file.
        num_frames: samples of each channel.
    """

    sample_type: str
    sample_rate: int
    num_channels: int
    frame_bytes: int
    start: int
    num_frames: int


class WavSound(ImageFile.ImageFile):
    """A sound, as Pillow's plugin for a format; its size is known before it is decoded."""

    format = "WAV"
    format_description = "WAV sound, as its spectrogram"

    def _open(self) -> None:
        self._header = _read_header(cast(IO[bytes], self.fp))
        self._mode = "L"
        self._size = (num_columns(self._header.num_frames, self._header.sample_rate), BANDS)

    def load(self) -> Image.core.PixelAccess | None:
        """Decode the sound and draw its spectrogram."""
        if self._im is None:
            samples = _read_samples(cast(IO[bytes], self.fp), self._header)
            self.im = Image.fromarray(spectrogram(samples, self._header.sample_rate)).im
        return super().load()


def is_wav(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a WAV file."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def sample_rate_of(data: bytes) -> int | None:
    """Return the samples per second of a WAV file; None for a picture.

    Raises:
        ImageError: the header of a WAV file cannot be read.
    """
    return _read_header(io.BytesIO(data)).sample_rate if is_wav(data) else None


def _read_header(file: IO[bytes]) -> _Header:
    """Read the chunks of a file up to its samples.

    Raises:
        ImageError: it is cut off, or its samples cannot be read.
    """
    end = file.seek(0, io.SEEK_END)
    position = 12
    format_chunk = b""
    while position + 8 <= end:
        file.seek(position)
        name, size = struct.unpack("<4sI", file.read(8))
        position += 8
        if name == b"data":
            if size >= UNKNOWN_SIZE:
                size = min(size, end - position)
            return _checked_header(format_chunk, position, size, end)
        if name == b"fmt ":
            format_chunk = file.read(min(size, 40))
        position += size + size % 2
    raise ImageError(f"the file is cut off before its samples ({end:,} bytes)", kind="truncated")


def _checked_header(chunk: bytes, start: int, size: int, end: int) -> _Header:
    if len(chunk) < 16:
        raise ImageError("it is a WAV file that does not say what its samples are", kind="damaged")
    tag, num_channels, sample_rate, _, frame_bytes, _ = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack("<H", chunk[24:26])
    if tag not in (_PCM, _FLOAT):
        raise ImageError(
            f"it is a WAV file with {_OTHER_TAGS.get(tag, f'compressed (type {tag})')} samples, "
            "which cannot be read; convert it, for example with "
            "`ffmpeg -i sound.wav -c:a pcm_s16le new.wav`",
            kind="unread_format",
        )
    sample_bytes = frame_bytes / num_channels if num_channels else 0
    sample_type = _TYPES.get((tag, int(sample_bytes)))
    if sample_type is None or sample_bytes % 1:
        text = f"{count_of(frame_bytes, 'byte')} for {count_of(num_channels, 'channel')}"
        raise ImageError(
            f"it is a WAV file with {text}, which cannot be read; expected 1 to 4 bytes each for "
            "whole numbers, 4 or 8 for decimal ones",
            kind="unread_format",
        )
    lowest, highest = SAMPLE_RATES
    if not lowest <= sample_rate <= highest:
        raise ImageError(
            f"its header says {sample_rate:,} samples per second; expected {lowest:,} to "
            f"{highest:,}",
            kind="damaged",
        )
    if size > end - start:
        reason = f"the file is cut off ({size:,} bytes of samples expected, {end - start:,} found)"
        raise ImageError(reason, kind="truncated")
    num_frames = size // frame_bytes
    if not num_frames:
        raise ImageError("the sound is empty: its header says 0 samples", kind="damaged")
    if num_frames > MOST_SECONDS * sample_rate:
        seconds = math.ceil(num_frames / sample_rate)
        raise ImageError(
            f"the sound takes {seconds:,} seconds, at most {MOST_SECONDS} are read; cut it into "
            "pieces, for example with `ffmpeg -i sound.wav -f segment -segment_time 5 %04d.wav`",
            kind="too_large",
        )
    return _Header(sample_type, sample_rate, num_channels, frame_bytes, start, num_frames)


def _read_samples(file: IO[bytes], header: _Header) -> np.ndarray:
    """Return float32 (num_frames,): the mean over the channels."""
    file.seek(header.start)
    data = file.read(header.num_frames * header.frame_bytes)
    if header.sample_type == "24 bits":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = wide.view("<i4")
    else:
        samples = np.frombuffer(data, header.sample_type)
    with np.errstate(over="ignore", invalid="ignore"):  # such samples are refused below
        mono = samples.reshape(-1, header.num_channels).mean(axis=1, dtype=np.float32)
    if header.sample_type == "u1":
        mono -= _MIDDLE_OF_BYTES
    if not np.isfinite(mono).all():
        reason = "some of its samples are no numbers (NaN), infinite or above 3e38"
        raise ImageError(reason, kind="damaged")
    return mono


Image.register_open(WavSound.format, WavSound, is_wav)
Image.register_extension(WavSound.format, ".wav")

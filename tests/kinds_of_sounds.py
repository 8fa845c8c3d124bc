"""WAV files of all kinds that cnnkit reads, to compare other readers with it."""

from __future__ import annotations

import io
import wave

import numpy as np
from sounds import sine, wav_bytes, whole_numbers


def kinds_of_sounds(rate):
    """Return the WAV files of a sample rate, by a name of each."""
    random = np.random.default_rng(rate)
    files = {"silence": wav_bytes(np.zeros(rate, np.int16), rate)}
    for seconds in (0.01, 0.3, 2.7):
        tone = 0.6 * sine(300, rate, seconds)
        tone += random.uniform(-0.2, 0.2, len(tone))
        both = np.stack([tone, tone[::-1]], axis=1)
        samples = {
            "8 bits": whole_numbers(tone, np.uint8),
            "8 bits, stereo": whole_numbers(both, np.uint8),
            "16 bits": whole_numbers(tone),
            "16 bits, stereo": whole_numbers(both),
            "32 bits, stereo": whole_numbers(both, np.int32),
            "float of 32 bits": tone.astype(np.float32),
            "float of 64 bits, stereo": both,
        }
        found = {name: wav_bytes(values, rate) for name, values in samples.items()}
        found |= {"24 bits": _wav_of_24_bits(tone[:, None], rate)}
        found |= {"24 bits, stereo": _wav_of_24_bits(both, rate)}
        files |= {f"{name}, {seconds} s": content for name, content in found.items()}
    return files


def _wav_of_24_bits(samples, rate):
    values = whole_numbers(samples, np.int32)
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(samples.shape[1])
        opened.setsampwidth(3)
        opened.setframerate(rate)
        opened.writeframes(values.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes())
    return file.getvalue()

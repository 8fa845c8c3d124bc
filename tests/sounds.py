"""Sounds for tests, as WAV files."""

from __future__ import annotations

import io

import numpy as np
from scipy.io import wavfile


def sine(hertz, rate=16_000, seconds=1.0):
    """Return float64 samples of a sine, -1 to 1."""
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def whole_numbers(samples, kind=np.int16):
    """Return samples of -1 to 1 as whole numbers, as SciPy writes them into a WAV file."""
    limits = np.iinfo(kind)
    middle = 128 if kind is np.uint8 else 0
    return (np.rint(samples * (limits.max - middle)) + middle).astype(kind)


def wav_bytes(samples, rate=16_000):
    """Return a WAV file with samples (num_samples,) or (num_samples, num_channels)."""
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


def wav_tone(hertz, rate=16_000, seconds=1.0):
    """Return a WAV file of a sine, 16 bits."""
    return wav_bytes(whole_numbers(0.8 * sine(hertz, rate, seconds)), rate)


def write_tones(folder, tones, number=4):
    """Write a class folder per tone with sounds that differ a little.

    Args:
        folder: to write into.
        tones: pitch in Hz by class.
        number: of sounds per class.
    """
    for name, hertz in tones.items():
        (folder / name).mkdir(parents=True)
        for index in range(number):
            tone = wav_tone(hertz * (1 + index / 50), seconds=0.3 + index / 40)
            (folder / name / f"{index}.wav").write_bytes(tone)
    return folder

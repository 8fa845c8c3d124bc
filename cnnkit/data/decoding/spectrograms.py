"""Turn a sound into a grey picture of it: its spectrogram. NumPy only."""

from __future__ import annotations

import functools

import numpy as np

BANDS = 64
LOWEST_HERTZ, HIGHEST_HERTZ = 50.0, 14_000.0
COLUMNS_PER_SECOND = 100
WINDOW_SECONDS = 0.032
RANGE_DECIBELS = 80.0  # between the loudest place of a sound, which is white, and black

_COLUMNS_AT_ONCE = 256  # bounds the memory


def num_columns(num_samples: int, sample_rate: int) -> int:
    """Return the width of a spectrogram: one column begins every 10 ms.

    >>> num_columns(16_000, 16_000)
    100
    """
    return -(-num_samples // _hop(sample_rate))


def spectrogram(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the spectrogram of a sound: uint8 (64, num_columns), 0 is black and 255 is white.

    A column is the sound around one moment, every 10 ms, seen through a Hann window of 32 ms. A row
    is a band of frequencies: 64 bands from 50 Hz (the lowest row) to 14 kHz (the highest one), of
    equal width on the mel scale, like the steps in which people hear pitch. Frequencies that the
    sample rate is too low for are black. The level is in decibels: the loudest place of the sound
    is white, and 80 dB below it is black. So neither the volume of a recording nor its sample rate
    changes the picture much.

    Args:
        samples: (num_samples,) floats in any unit, finite; at least one.
        sample_rate: samples per second.

    Source: bands, window and steps are those of Kong et al. 2020, arXiv:1912.10211.

    >>> import numpy as np
    >>> moments = np.arange(8_000) / 16_000  # half a second
    >>> picture = spectrogram(np.sin(2 * np.pi * 440 * moments), 16_000)
    >>> picture.shape, int(picture[:, 25].argmax())  # 440 Hz is in the ninth band from below
    ((64, 50), 55)
    """
    window = round(WINDOW_SECONDS * sample_rate)
    # Each column has its moment in the middle of its window, also the first and the last one.
    padded = np.pad(samples, (window // 2, window))
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[:: _hop(sample_rate)]
    hann = np.hanning(window + 1)[:-1]  # the periodic one
    weights = _mel_weights(sample_rate)
    columns = num_columns(len(samples), sample_rate)
    power = np.empty((columns, BANDS))
    for start in range(0, columns, _COLUMNS_AT_ONCE):
        some = windows[start : min(start + _COLUMNS_AT_ONCE, columns)] * hann
        spectrum = np.fft.rfft(some, _transform_length(sample_rate))
        power[start : start + len(some)] = (spectrum.real**2 + spectrum.imag**2) @ weights
    return _levels(power).T[::-1].copy()


def _levels(power: np.ndarray) -> np.ndarray:
    loudest = power.max()
    if loudest == 0:
        return np.zeros(power.shape, np.uint8)
    lowest = 10 ** (-RANGE_DECIBELS / 10)
    decibels = 10 * np.log10(np.maximum(power / loudest, lowest))
    return np.rint(255 * (1 + decibels / RANGE_DECIBELS)).astype(np.uint8)


def _hop(sample_rate: int) -> int:
    return max(1, round(sample_rate / COLUMNS_PER_SECOND))


def _transform_length(sample_rate: int) -> int:
    # Twice the window or more, so that the lowest bands have several frequencies each.
    return 1 << (2 * round(WINDOW_SECONDS * sample_rate) - 1).bit_length()


@functools.lru_cache(8)
def _mel_weights(sample_rate: int) -> np.ndarray:
    """Return (num_frequencies, 64) weights: triangles that overlap by half on the mel scale."""
    frequencies = np.fft.rfftfreq(_transform_length(sample_rate), 1 / sample_rate)
    edges = np.linspace(_mel(LOWEST_HERTZ), _mel(HIGHEST_HERTZ), BANDS + 2)
    step = edges[1] - edges[0]
    distances = np.abs(_mel(frequencies)[:, None] - edges[1:-1]) / step
    return np.maximum(0, 1 - distances)


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    """Return the pitch in mel. Source: O'Shaughnessy 1987, Speech Communication, p. 150."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)

"""Write short sounds of six kinds as WAV files, in one folder per class, to try cnnkit with sounds.

    python scripts/draw_tones.py data/tones              # 6 x 60 sounds of 1 second
    python scripts/draw_tones.py others --each 5 --seed 1

Pitch, loudness, length and beginning are random, and each sound has some noise: only how the pitch
moves tells the class.
"""

from __future__ import annotations

import argparse
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000  # samples per second
SECONDS = 1.0

# By class: from the time within the tone, 0 to 1, and a random number, 0 to 1, to the pitch in
# octaves above or below the middle of the tone; NaN is silence. No class is higher than another.
Pitch = Callable[[np.ndarray, float], np.ndarray]
PITCHES: dict[str, Pitch] = {
    "beeps": lambda time, _: np.where(np.floor(time * 6) % 2 == 0, 0.0, np.nan),
    "falling": lambda time, random: (0.7 + random) * (0.5 - time),
    "rising": lambda time, random: (0.7 + random) * (time - 0.5),
    "steady": lambda time, _: np.zeros_like(time),
    "turning": lambda time, random: (0.7 + random) * (0.5 - 2 * np.abs(time - 0.5)),
    "vibrato": lambda time, random: 0.15 * np.sin(2 * np.pi * (3 + 3 * random) * time),
}


def draw_tone(name: str, random: np.random.Generator) -> np.ndarray:
    """Return int16 samples (16,000,) of one sound.

    Args:
        name: its class, one of PITCHES.
        random: what pitch, loudness, length, beginning and noise are drawn from.
    """
    num_samples = int(SAMPLE_RATE * SECONDS)
    length = int(num_samples * random.uniform(0.5, 0.9))
    start = int(random.integers(num_samples - length))
    middle = 350 * 2 ** random.uniform(0, 1.5)  # Hz
    octaves = PITCHES[name](np.arange(length) / length, random.uniform())
    hertz = middle * 2 ** np.nan_to_num(octaves)
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    # Like a voice or an instrument, each has weaker tones at twice and three times its pitch.
    tone = np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)
    tone[np.isnan(octaves)] = 0
    sound = random.normal(0, random.uniform(0.02, 0.15), num_samples)
    sound[start : start + length] += tone * np.hanning(length) ** 0.25
    loudness = random.uniform(0.1, 0.9) / np.abs(sound).max()
    return np.rint(32_767 * loudness * sound).astype("<i2")


def main() -> None:
    """Write all sounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--each", type=int, default=60, help="sounds of each class (60)")
    parser.add_argument("--seed", type=int, default=0, help="other numbers give other sounds (0)")
    arguments = parser.parse_args()
    if arguments.output.exists():
        sys.exit(f"{arguments.output} exists already. Name a new folder, or remove this one.")
    for label, name in enumerate(PITCHES):
        folder = arguments.output / name
        folder.mkdir(parents=True)
        for index in range(arguments.each):
            samples = draw_tone(name, np.random.default_rng((arguments.seed, label, index)))
            with wave.open(str(folder / f"{index:04d}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(samples.itemsize)
                file.setframerate(SAMPLE_RATE)
                file.writeframes(samples.tobytes())
    print(f"{len(PITCHES) * arguments.each} sounds in {arguments.output}")


if __name__ == "__main__":
    main()

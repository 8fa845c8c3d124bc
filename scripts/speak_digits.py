"""Let a speech synthesizer say the digits, as WAV files in train and test folders per class.

    apt install espeak-ng
    python scripts/speak_digits.py data/spoken            # 10 x 60 sounds to train on
    python scripts/speak_digits.py data/few --each 10

Twelve voices are for training and eight others for the 10 x 30 sounds of the test, all with random
speed, pitch, volume, sample rate and pauses.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

WORDS = "zero one two three four five six seven eight nine".split()
# What espeak-ng calls them: an accent, and a variant of the voice.
VOICES = {
    "train": [f"{accent}+{voice}" for accent in ("en-us", "en-gb") for voice in
              ("m1", "m3", "m5", "m7", "f1", "f3")],
    "test": [f"{accent}+{voice}" for accent in ("en-gb-scotland", "en-gb-x-rp") for voice in
             ("m2", "m4", "f2", "f4")],
}  # fmt: skip
SAMPLE_RATES = (8_000, 16_000, 22_050)  # samples per second


def spoken(word: str, voice: str, random: np.random.Generator) -> tuple[int, np.ndarray]:
    """Return the sample rate and the int16 samples of a spoken word."""
    speed, pitch = random.integers(110, 221), random.integers(20, 81)
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        options = ["-v", voice, "-s", str(speed), "-p", str(pitch), "-w", file.name]
        subprocess.run(["espeak-ng", *options, word], check=True)
        rate, samples = wavfile.read(file.name)
    wanted = int(random.choice(SAMPLE_RATES))
    resampled = resample_poly(samples.astype(float), wanted, rate)
    before, after = (random.uniform(0, 0.2, 2) * wanted).astype(int)
    quieter = 10 ** -random.uniform(0.1, 1.2)
    return wanted, np.pad(np.rint(quieter * resampled).astype(np.int16), (before, after))


def main() -> None:
    """Write all sounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--each", type=int, default=60, help="sounds per digit to train on (60)")
    arguments = parser.parse_args()
    output = arguments.output
    if output.exists():
        sys.exit(f"{output} exists already. Name a new folder, or remove this one.")
    if not shutil.which("espeak-ng"):
        sys.exit("espeak-ng is not installed. On Debian and Ubuntu: apt install espeak-ng")
    for split, each in (("train", arguments.each), ("test", 30)):
        for word in WORDS:
            (output / split / word).mkdir(parents=True)
            for index in range(each):
                random = np.random.default_rng((split == "test", WORDS.index(word), index))
                voice = str(random.choice(VOICES[split]))
                rate, samples = spoken(word, voice, random)
                wavfile.write(output / split / word / f"{index:04d}.wav", rate, samples)
    print(f"{len(WORDS) * (arguments.each + 30)} sounds in {output}")


if __name__ == "__main__":
    main()

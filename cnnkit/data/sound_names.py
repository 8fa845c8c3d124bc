"""Tell by their names which images of a data set are sounds."""

from __future__ import annotations

from collections.abc import Iterable


def num_sounds(paths: Iterable[str]) -> int:
    """Return how many of the files are WAV files.

    >>> num_sounds(["beeps/1.wav", "beeps/2.WAV", "cats/1.jpg"])
    2
    """
    return sum(path.lower().endswith(".wav") for path in paths)

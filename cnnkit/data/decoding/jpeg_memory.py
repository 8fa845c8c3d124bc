"""Tell how much memory it takes to decode a JPEG at a smaller size."""

from __future__ import annotations

from PIL.JpegImagePlugin import JpegImageFile


def undivided_bytes(image: JpegImageFile) -> int:
    """Return how much memory all of a progressive JPEG takes, whatever size it is decoded at.

    It takes two bytes for each sample of each channel. Of other JPEGs, a few rows are enough: 0.
    """
    if not image.info.get("progressive"):
        return 0
    width, height = image.size
    samples = [across * down for _, across, down, _ in image.layer]
    return 2 * width * height * sum(samples) // max(samples)

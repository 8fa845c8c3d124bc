"""Settings and pixels of single images."""

from __future__ import annotations

from cnnkit.data.pixels import PixelSettings


def settings(height=24, width=40, **changes):
    return PixelSettings(image_size=(height, width), **changes)

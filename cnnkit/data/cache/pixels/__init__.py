"""Decode each image once, and keep its pixels on disk or in memory for epochs and later runs."""

from cnnkit.data.cache.pixels.cached_pixels import open_pixels
from cnnkit.data.cache.pixels.store import PixelStore

__all__ = ["PixelStore", "open_pixels"]

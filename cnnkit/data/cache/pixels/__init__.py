"""Image files enter; the pixels of each different content leave, from disk, memory or anew."""

from cnnkit.data.cache.pixels.opening import open_pixels
from cnnkit.data.cache.pixels.store import PixelStore

__all__ = ["PixelStore", "open_pixels"]

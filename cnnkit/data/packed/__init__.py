"""Image files enter; the pixels of each different content leave, from disk, memory or anew."""

from cnnkit.data.packed.opening import open_pixels
from cnnkit.data.packed.store import PixelStore

__all__ = ["PixelStore", "open_pixels"]

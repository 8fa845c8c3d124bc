"""From one image file to one uint8 array: formats, bit depths, orientation, size."""

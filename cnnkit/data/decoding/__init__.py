"""What `data.pixels` needs to decode a file: formats, bit depths, size."""

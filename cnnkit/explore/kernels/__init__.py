"""Classic image kernels on a picture or a small matrix, with the arithmetic of every step."""

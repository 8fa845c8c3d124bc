"""Which images are probably mislabelled."""

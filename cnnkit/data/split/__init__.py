"""Which image is in train, validation or test."""

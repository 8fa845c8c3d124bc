"""Models that cnnkit did not write, and networks by name: how they are read as any other model."""

"""Images -> features: the numbers that a model computes before it decides on a class."""

"""Build a Keras model from a config, load one from a file, and what travels in a model's file."""

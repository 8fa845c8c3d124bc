"""From a config to a Keras model, and from a model file to a loaded one."""

"""Look at a config, a layer or a picture: tables of layers, kernels, feature maps and filters."""

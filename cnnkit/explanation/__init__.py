"""Why a model gave its answer: maps of an image, similar training images, a map of a split."""

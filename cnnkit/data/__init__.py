"""Read images from any source, check them, split them, and make batches of them."""

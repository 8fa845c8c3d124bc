"""What is kept between runs in the cache folder: pixels, features, built-in and known data sets."""

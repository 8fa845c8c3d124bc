"""Draw pictures of results as PNG files. Only this package imports matplotlib."""

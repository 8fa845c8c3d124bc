"""A page on which the layers of a config are changed, and their numbers follow."""

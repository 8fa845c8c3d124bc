"""Decide which image is in train, validation or test, and keep the decision in a manifest."""

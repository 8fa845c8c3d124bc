"""Exercises about the arithmetic of networks, with answers that can be checked."""

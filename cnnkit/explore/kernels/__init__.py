"""Kernels and a picture or a small matrix enter; responses and their arithmetic leave."""

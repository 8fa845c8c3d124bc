"""Backbones from TF Hub modules and SavedModel folders."""

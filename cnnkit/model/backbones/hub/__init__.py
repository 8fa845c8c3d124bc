"""Use modules of TF Hub, and other SavedModel folders, as backbones."""

"""A trained model enters; pictures and pages of what its layers see and have learned leave."""

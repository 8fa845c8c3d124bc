"""How sure a model really is, and when it should not answer at all."""

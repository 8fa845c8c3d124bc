"""Train a model from a config: everything between a config and a finished run folder.

Nothing is imported here, because most of the modules import TensorFlow, which takes seconds;
`resuming.py` does not, so a run that cannot be resumed is refused at once.
"""

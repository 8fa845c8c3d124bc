"""Score a model on images whose classes are known.

Nothing is imported here, so that reading predictions.csv waits for nothing else.
"""

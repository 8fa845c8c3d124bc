"""Grade configs that others wrote: read a rubric, judge the network, train it on hidden images.

No code of a submission runs: a config holds none, and what it names outside itself is refused.
"""

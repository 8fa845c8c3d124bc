"""Train a model from a config: everything between a config and a finished run folder."""

from __future__ import annotations

from cnnkit.training.plan import Plan, prepare
from cnnkit.training.run import resume, train

__all__ = ["Plan", "prepare", "resume", "train"]

"""Score a model on images whose classes are known."""

from cnnkit.evaluation.gates import check_requirements
from cnnkit.evaluation.scores import Evaluation
from cnnkit.evaluation.scoring import evaluate_model

__all__ = ["Evaluation", "check_requirements", "evaluate_model"]

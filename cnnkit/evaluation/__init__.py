"""Score a model on images whose classes are known."""

from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.evaluation.gates import check_requirements
from cnnkit.evaluation.scores import Evaluation, NotWrittenError

__all__ = ["Evaluation", "NotWrittenError", "check_requirements", "evaluate_model"]

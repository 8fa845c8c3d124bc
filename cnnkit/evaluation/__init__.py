"""Score a model on images whose classes are known."""

from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.evaluation.gates import check_requirements
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.evaluation.scores import Evaluation, NotWrittenError

__all__ = [
    "Evaluation",
    "NotWrittenError",
    "Predictions",
    "check_requirements",
    "evaluate_model",
    "read_predictions",
]

"""Metrics of probabilities and true labels. NumPy only: importable without Keras."""

from cnnkit.metrics.calibration_bins import CalibrationBins, calibration_error
from cnnkit.metrics.counts import CountMetrics, class_metrics, confusion_matrix, most_confused
from cnnkit.metrics.focal_loss import focal_losses
from cnnkit.metrics.probability_scores import brier_scores, log_loss, log_losses, ranks
from cnnkit.metrics.ranking import Ranking, rank_classes

# With more classes a matrix of them can neither be read nor drawn, and with 3,000 it has 9 million
# cells: then it gets a file of its own, and what lists every class shows only some of them.
MOST_CLASSES_IN_FULL = 60

__all__ = [
    "MOST_CLASSES_IN_FULL",
    "CalibrationBins",
    "CountMetrics",
    "Ranking",
    "brier_scores",
    "calibration_error",
    "class_metrics",
    "confusion_matrix",
    "focal_losses",
    "log_loss",
    "log_losses",
    "most_confused",
    "rank_classes",
    "ranks",
]

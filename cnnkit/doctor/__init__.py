"""What this machine has, and whether training and prediction work on it (`cnnkit doctor`)."""

from cnnkit.doctor.examination import Examination, examine

__all__ = ["Examination", "examine"]

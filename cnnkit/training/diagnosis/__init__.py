"""Say in words what is wrong with a training, from the files of its run; without TensorFlow."""

from __future__ import annotations

from cnnkit.training.diagnosis.diagnose_folds import FoldDiagnoses, diagnose, diagnose_folds
from cnnkit.training.diagnosis.diagnose_run import diagnose_run
from cnnkit.training.diagnosis.verdict import Change, Diagnosis, Verdict

__all__ = [
    "Change",
    "Diagnosis",
    "FoldDiagnoses",
    "Verdict",
    "diagnose",
    "diagnose_folds",
    "diagnose_run",
]

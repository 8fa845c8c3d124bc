"""Apply all rules to a run, and put the most important verdicts first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cnnkit.runs import Run
from cnnkit.training.diagnosis.evidence import Evidence, read_evidence
from cnnkit.training.diagnosis.fit_rules import flat, overfitting, still_improving
from cnnkit.training.diagnosis.rate_rules import (
    fine_tuning_harmed,
    learning_rate_too_high,
    learning_rate_too_low,
    loss_not_finite,
    nothing_learned,
)
from cnnkit.training.diagnosis.split_rules import (
    copies_between_splits,
    rare_classes_missed,
    validation_better,
    validation_too_small,
    worse_on_test,
)
from cnnkit.training.diagnosis.verdict import Diagnosis, Verdict

# The most important first. What a later verdict rests on may be the fault of an earlier one.
RULES: tuple[Callable[[Evidence], Verdict | None], ...] = (
    loss_not_finite,
    copies_between_splits,
    rare_classes_missed,
    nothing_learned,
    learning_rate_too_high,
    learning_rate_too_low,
    fine_tuning_harmed,
    worse_on_test,
    overfitting,
    validation_better,
    flat,
    still_improving,
    validation_too_small,
)
_CURVES = {"underfitting", "plateau", "still_improving", "validation_better", "overfitting"}
_CHANCE = {"labels_not_learned", "network_stuck"}
_RATES = {"learning_rate_too_high", "learning_rate_too_low"}
# Verdict -> those that it explains, which are not given then.
_EXPLAINS: Mapping[str, set[str]] = {
    "loss_not_finite": _CURVES | _RATES | _CHANCE | {"validation_too_small"},
    "rare_classes_missed": {*_CHANCE, "underfitting", "plateau"},
    "labels_not_learned": _CURVES | _RATES,
    "network_stuck": _CURVES | _RATES,
    "learning_rate_too_high": _CURVES,
    "learning_rate_too_low": _CURVES,
    "validation_better": {"underfitting", "plateau"},
}


def diagnose_run(run: Run) -> Diagnosis:
    """Return the verdicts on a run: what went wrong in its training, and what to change.

    Args:
        run: finished, failed or interrupted; what it has so far is judged.

    Raises:
        UsageError: a file of the run is missing or damaged.
    """
    evidence = read_evidence(run)
    verdicts = verdicts_on(evidence)
    healthy = "" if verdicts else _why_healthy(evidence)
    return Diagnosis(run.folder, verdicts, healthy, tuple(_not_judged(evidence)), evidence.error)


def verdicts_on(evidence: Evidence) -> tuple[Verdict, ...]:
    """Return the verdicts on a training, the most important first."""
    found: dict[str, Verdict] = {}
    for rule in RULES:
        verdict = rule(evidence)
        if verdict is None or verdict.name in found:
            continue
        if not any(verdict.name in _EXPLAINS.get(name, ()) for name in found):
            found[verdict.name] = verdict
    return tuple(found.values())


def _why_healthy(evidence: Evidence) -> str:
    curves = evidence.main
    if curves is None:
        return ""
    train, loss = curves.at_end("train_accuracy"), curves.train_loss
    text = (
        f"In epochs {curves.first_epoch} to {curves.last_epoch} the training loss fell from "
        f"{loss[0]:.3f} to {loss[-1]:.3f}."
    )
    if curves.has_validation:
        text += (
            f" In the last three epochs {train:.1%} of the training images and "
            f"{curves.at_end('val_accuracy'):.1%} of the validation images are right."
        )
    return text


def _not_judged(evidence: Evidence) -> list[str]:
    texts = []
    if evidence.main is None:
        texts.append("the curves, because no phase has three epochs.")
    if not evidence.size("validation"):
        texts.append("overfitting, because there are no validation images.")
    return texts

"""Where the model is worse: slices of the images, probabilities, worsened images."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnkit.errors import DataError
from cnnkit.evaluation.slices import ALPHA, Slice
from cnnkit.files import WITHOUT_MARK
from cnnkit.report.charts import Axis, dot_chart
from cnnkit.report.number_text import interval_text, percent
from cnnkit.report.run_facts import RunFacts, read_json
from cnnkit.report.section import Section
from cnnkit.report.sections.score_tables import OF_WORSENED, evaluate_command
from cnnkit.text import count_of, shown

_MOST_SLICES, _MOST_HARMLESS = 12, 5  # rows, if some are worse, or none
_NO_ANSWERS = "The answers to the single images are not stored."


def slices_section(facts: RunFacts, slices: Sequence[Slice] | None) -> Section:
    """Return the section of slices: kinds of images, each compared with all others.

    Args:
        facts: of the run.
        slices: from `find_slices`; None if the images were not measured.
    """
    title = "Weak spots"
    if facts.judged is None:
        return Section("slices", title, missing=_NO_ANSWERS, command=evaluate_command(facts))
    if slices is None:
        missing = "Kinds of images (dark, small, blurred ...) are not compared yet."
        return Section("slices", title, missing=missing, command=f"cnnkit report {facts.argument}")
    worse = [each for each in slices if each.is_worse]
    return Section(
        "slices",
        title,
        {
            "summary": _slices_summary(slices, worse),
            "alpha": ALPHA,
            "rows": [
                {
                    "name": each.name,
                    "images": f"{each.images:,}",
                    "accuracy": percent(each.accuracy),
                    "interval": interval_text("accuracy", (each.accuracy_low, each.accuracy_high)),
                    "rest": percent(each.rest_accuracy),
                    "expected": percent(each.expected_accuracy),
                    "p": f"{each.p_corrected:.2g}",
                    "is_worse": each.is_worse,
                }
                for each in worse[:_MOST_SLICES] or slices[:_MOST_HARMLESS]
            ],
        },
    )


def _slices_summary(slices: Sequence[Slice], worse: Sequence[Slice]) -> str:
    tried = count_of(len(slices), "kind")
    if not slices:
        return "There are too few images to compare kinds of images."
    if not worse:
        return (
            f"None of {tried} of images is significantly worse than the others. The ones with the "
            "lowest p-values:"
        )
    verb = "is" if len(worse) == 1 else "are"
    return f"{len(worse):,} of {tried} of images {verb} significantly worse than the others:"


def calibration_section(facts: RunFacts) -> Section:
    """Return the section that compares probabilities with how often they are right."""
    title = "Are the probabilities honest?"
    judged = facts.judged
    bins = None if judged is None else judged.metrics.get("reliability")
    if not bins:
        missing = "Confidence and accuracy were not compared."
        return Section("calibration", title, missing=missing, command=evaluate_command(facts))
    points = [(each["confidence"], each["accuracy"], each["images"]) for each in bins]
    ece, ends = judged.metrics["ece"], judged.metrics.get("intervals", {}).get("ece")
    share = Axis("mean confidence", 0, 1), Axis("accuracy", 0, 1)
    summary = "Accuracy by confidence: " + ", ".join(
        f"{accuracy:.0%} at {confidence:.0%}" for confidence, accuracy, _ in points
    )
    values = {
        "chart": dot_chart(points, *share, summary=summary),
        "bins": [
            (
                f"{each['from']:.0%} to {each['to']:.0%}",
                f"{each['images']:,}",
                percent(each["confidence"]),
                percent(each["accuracy"]),
            )
            for each in bins
        ],
        "ece": percent(ece),
        "interval": f"{percent(ends[0])} to {percent(ends[1])}" if ends else "",
        "verdict": _confidence_verdict(bins),
        "calibration": _calibration(facts),
        "command": f"cnnkit calibrate {facts.run.argument}",
    }
    return Section("calibration", title, values)


def _confidence_verdict(bins: Sequence[Mapping[str, Any]]) -> str:
    total = sum(each["images"] for each in bins)
    gap = sum(each["images"] * (each["confidence"] - each["accuracy"]) for each in bins) / total
    if abs(gap) < 0.02:
        return "On average, confidence and accuracy agree."
    how = "too sure of itself" if gap > 0 else "too hesitant"
    return (
        f"On average, the model is {how}: its confidence is {abs(gap) * 100:.1f} percentage points "
        f"{'above' if gap > 0 else 'below'} its accuracy."
    )


def _calibration(facts: RunFacts) -> dict[str, str] | None:
    path = facts.run.calibration
    if not path.is_file():
        return None
    found = read_json(path)
    try:
        thresholds = [each for each in found["thresholds"] if each is not None]
        lowest, highest = min(thresholds, default=0.0), max(thresholds, default=0.0)
        span = f"{lowest:.3f}" if lowest == highest else f"{lowest:.3f} to {highest:.3f}"
        return {
            "temperature": f"{found['temperature']:.3f}",
            "largest_distance": f"{found['largest_distance']:.3f}",
            "thresholds": span,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{shown(str(path))} is damaged: {error}. Write it again: cnnkit calibrate "
            f"{facts.argument}",
            path=str(path),
        ) from error


def robustness_section(facts: RunFacts) -> Section:
    """Return the section on worsened images, if they were scored."""
    title = "Worsened images"
    found = [name for name, each in facts.scores.items() if _corruptions(each.folder).is_file()]
    if not found and facts.folds:
        missing = "Worsened images are scored for single folds only."
        return Section("robustness", title, missing=missing)
    if not found and facts.are_sounds:
        missing = "Not computed: cnnkit worsens pictures (noise, blur ...), but no sounds."
        return Section("robustness", title, missing=missing)
    if not found:
        missing = "Not computed: how the accuracy falls with noise, blur, less light ..."
        command = f"{evaluate_command(facts)} --corruptions"
        return Section("robustness", title, missing=missing, command=command)
    scores = facts.scores[found[0]]
    by_kind: dict[str, list[float]] = {}
    for row in _rows(_corruptions(scores.folder)):
        by_kind.setdefault(row["corruption"], []).append(float(row["accuracy"]))
    order = sorted(by_kind.items(), key=lambda item: sum(item[1]))
    strengths = max(map(len, by_kind.values()))
    values = {
        "set": scores.name.removesuffix(OF_WORSENED),
        "clean": percent(scores.metrics["accuracy"]),
        "are_sounds": facts.are_sounds,
        "strengths": range(1, strengths + 1),
        "rows": [
            (kind.replace("_", " "), [percent(each) for each in accuracies], accuracies)
            for kind, accuracies in order
        ],
    }
    return Section("robustness", title, values)


def _corruptions(folder: Path) -> Path:
    return folder / "corruptions.csv"


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", **WITHOUT_MARK) as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            float(row["accuracy"]), row["corruption"]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(f"{shown(str(path))} is damaged: {error}.", path=str(path)) from error
    if not rows:
        raise DataError(f"{shown(str(path))} is damaged: it has no row.", path=str(path))
    return rows

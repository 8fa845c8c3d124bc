"""The wrong answers that the model was most sure of, with what it looked at if that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.evaluation.predictions import Predictions
from cnnkit.report.number_text import percent
from cnnkit.report.report_images import ReportImages
from cnnkit.report.run_facts import RunFacts
from cnnkit.report.section import Section
from cnnkit.report.sections.score_tables import evaluate_command
from cnnkit.text import count_of

MOST_ERRORS = 24
_MOST_UNSURE = 12


def confident_errors(predictions: Predictions) -> NDArray:
    """Return the positions of the wrong answers, the most confident first; at most 24."""
    wrong = np.flatnonzero(~predictions.is_correct)
    return wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:MOST_ERRORS]


def least_certain(predictions: Predictions) -> NDArray:
    """Return the positions of the images with the least probable answers; at most 12."""
    return np.argsort(predictions.confidence, kind="stable")[:_MOST_UNSURE]


def errors_section(
    facts: RunFacts,
    images: ReportImages,
    maps: Mapping[str, str],
    why_no_maps: str,
) -> Section:
    """Return the section of wrong answers.

    Args:
        facts: of the run.
        images: the small copies; those of the errors must be loaded.
        maps: path -> the `src` of a picture of its Grad-CAM.
        why_no_maps: a sentence, if there are none.
    """
    title = "Wrong answers"
    judged = facts.judged
    if judged is None or judged.predictions is None:
        missing = "The answers to the single images are not stored."
        return Section("errors", title, missing=missing, command=evaluate_command(facts))
    predictions = judged.predictions
    wrong = confident_errors(predictions)
    total = int((~predictions.is_correct).sum())
    more = f"; the {len(wrong)} most confident ones" if total > len(wrong) else ""
    kind = "image" if facts.folds else f"{judged.name} image"
    values = {
        "what": f"{count_of(total, 'wrong answer')} on {count_of(len(predictions), kind)}{more}.",
        "has_maps": bool(maps),
        "why_no_maps": why_no_maps,
        "errors": [_picture(facts, predictions, index, images, maps) for index in wrong],
        "unsure": [
            _picture(facts, predictions, index, images, {}) for index in least_certain(predictions)
        ],
    }
    return Section("errors", title, values)


def _picture(
    facts: RunFacts,
    predictions: Predictions,
    index: int,
    images: ReportImages,
    maps: Mapping[str, str],
) -> dict[str, Any]:
    names, path = predictions.class_names, predictions.paths[index]
    return {
        "path": facts.name_of(path),
        "image": images.in_next_place(path),
        "map": maps.get(path, ""),
        "label": names[predictions.labels[index]],
        "answer": names[predictions.predicted[index]],
        "probability": percent(float(predictions.confidence[index])),
        "is_right": bool(predictions.is_correct[index]),
    }

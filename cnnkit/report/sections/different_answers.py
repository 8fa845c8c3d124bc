"""Where the answers of several runs differ: pairs of classes, and single images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.comparing import Comparison
from cnnkit.comparison.same_images import positions_in
from cnnkit.metrics import confusion_matrix
from cnnkit.report.number_text import percent
from cnnkit.report.report_images import ReportImages
from cnnkit.report.section import Section
from cnnkit.text import count_of

_MOST_IMAGES = 60
_MOST_CONFUSIONS = 25


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of several runs, with images and classes in the order of the first run.

    Args:
        names: of the runs.
        paths: of the images.
        class_names: in label order.
        labels: (num_images,) of the true classes.
        predicted: (num_runs, num_images) labels.
        confidence: (num_runs, num_images), probabilities of the answers.
    """

    names: Sequence[str]
    paths: Sequence[str]
    class_names: Sequence[str]
    labels: NDArray
    predicted: NDArray
    confidence: NDArray

    def differing(self) -> NDArray:
        """Return the positions of the images that only some of the runs get right.

        Those come first about which runs are most sure of different answers.
        """
        right = self.predicted == self.labels
        some = np.flatnonzero(right.any(axis=0) & ~right.all(axis=0))
        sure_right = np.where(right, self.confidence, 0).max(axis=0)
        sure_wrong = np.where(right, 0, self.confidence).max(axis=0)
        return some[np.argsort(-np.minimum(sure_right, sure_wrong)[some], kind="stable")]


def answers_of(runs: Sequence[ComparedRun]) -> Answers:
    """Return the answers of runs on the same images."""
    first = runs[0]
    of_first = first.predictions
    label_of = {name: label for label, name in enumerate(of_first.class_names)}
    predicted, confidence = [], []
    for run in runs:
        own = run.predictions
        order = positions_in(run, first)
        as_first = np.array([label_of[name] for name in own.class_names])
        predicted.append(as_first[own.predicted[order]])
        confidence.append(own.confidence[order])
    return Answers(
        [run.name for run in runs],
        of_first.paths,
        of_first.class_names,
        of_first.labels,
        np.stack(predicted),
        np.stack(confidence),
    )


def paths_to_show(answers: Answers) -> list[str]:
    """Return the paths of the images that the section shows."""
    return [answers.paths[index] for index in answers.differing()[:_MOST_IMAGES]]


def confusions_section(comparison: Comparison, answers: Answers) -> Section:
    """Return the pairs of classes that the runs confuse most differently."""
    number = len(answers.class_names)
    matrices = np.stack(
        [
            confusion_matrix(labels=answers.labels, predictions=predicted, num_classes=number)
            for predicted in answers.predicted
        ]
    )
    spread = np.ptp(matrices, axis=0)
    np.fill_diagonal(spread, 0)
    order = np.argsort(-spread.ravel(), kind="stable")
    order = order[spread.ravel()[order] > 0]
    values = {
        "names": answers.names,
        "more": max(0, len(order) - _MOST_CONFUSIONS),
        "rows": [
            {
                "true": answers.class_names[place // number],
                "answer": answers.class_names[place % number],
                "counts": [int(matrix[divmod(place, number)]) for matrix in matrices],
                "images": int(matrices[0][place // number].sum()),
            }
            for place in order[:_MOST_CONFUSIONS].tolist()
        ],
    }
    return Section("confusion_changes", "Confusions", values)


def differing_section(answers: Answers, images: ReportImages) -> Section:
    """Return the images that only some of the runs get right, with all answers.

    Args:
        answers: of the runs.
        images: the small copies; those of `paths_to_show` must be loaded.
    """
    differing = answers.differing()
    shown = differing[:_MOST_IMAGES]
    more = f"; {len(shown)} of them are shown" if len(differing) > len(shown) else ""
    of_all = count_of(len(answers.paths), "image")
    values = {
        "what": f"Of {of_all}, only some of the runs are right on {len(differing):,}{more}.",
        "images": [_picture(answers, index, images) for index in shown.tolist()],
    }
    return Section("differing", "Images on which they differ", values)


def _picture(answers: Answers, index: int, images: ReportImages) -> Mapping[str, Any]:
    path = answers.paths[index]
    return {
        "path": path,
        "image": images.in_next_place(path),
        "label": answers.class_names[answers.labels[index]],
        "answers": [
            {
                "run": name,
                "answer": answers.class_names[predicted[index]],
                "probability": percent(float(confidence[index])),
                "is_right": bool(predicted[index] == answers.labels[index]),
            }
            for name, predicted, confidence in zip(
                answers.names, answers.predicted, answers.confidence, strict=True
            )
        ],
    }

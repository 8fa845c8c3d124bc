"""Which classes are taken for which others, with the images of each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnkit.evaluation.predictions import Predictions
from cnnkit.metrics import MOST_CLASSES_IN_FULL
from cnnkit.report.number_text import percent
from cnnkit.report.report_images import ReportImages, Thumbnail
from cnnkit.report.run_facts import RunFacts
from cnnkit.report.section import Section
from cnnkit.report.sections.score_tables import evaluate_command
from cnnkit.text import count_of

_MOST_OF_PAIR = 12  # images of a cell
_MOST_OF_RIGHT = 4  # of one on the diagonal
_MOST_PAIRS, _MOST_OF_LIST = 10, 30  # rows of the list below the matrix, and without one
_LEVELS = (0.02, 0.1, 0.3, 0.6)  # shares of a row from which on a cell has the next darker colour


class Cell(NamedTuple):
    """One pair of classes.

    Args:
        true: label of the true class.
        predicted: label of the answer.
        images: how many there are.
        shown: positions of those whose pictures are in the page, the most confident first.
    """

    true: int
    predicted: int
    images: int
    shown: NDArray


def find_cells(predictions: Predictions, most_images: int) -> list[Cell]:
    """Return all pairs of classes with images, the wrong ones with most images first.

    Args:
        predictions: the answers.
        most_images: how many pictures there may be in all; wrong answers come first.
    """
    number = len(predictions.class_names)
    pairs = predictions.labels.astype(np.int64) * number + predictions.predicted
    values, counts = np.unique(pairs, return_counts=True)
    order = np.lexsort((-counts, values // number == values % number))
    by_pair = np.lexsort((-predictions.confidence, pairs))  # the images of a pair are together
    begins = np.concatenate([[0], np.cumsum(counts)])
    cells, left = [], most_images
    for place in order:
        true, predicted = divmod(int(values[place]), number)
        most = min(left, _MOST_OF_RIGHT if true == predicted else _MOST_OF_PAIR)
        chosen = by_pair[begins[place] : begins[place + 1]][:most]
        left -= len(chosen)
        cells.append(Cell(true, predicted, int(counts[place]), chosen))
    return cells


def confusion_section(
    facts: RunFacts, cells: Sequence[Cell], images: ReportImages
) -> tuple[Section, dict[str, Any]]:
    """Return the section, and what its script needs: the images of each cell.

    Args:
        facts: of the run.
        cells: from `find_cells`; their images must be loaded.
        images: the small copies.
    """
    title = "Confusions"
    judged = facts.judged
    if judged is None or judged.predictions is None:
        missing = "The answers to the single images are not stored."
        section = Section("confusion", title, missing=missing, command=evaluate_command(facts))
        return section, {}
    predictions = judged.predictions
    names = predictions.class_names
    totals = np.bincount(predictions.labels, minlength=len(names))
    wrong = [cell for cell in cells if cell.true != cell.predicted]
    is_matrix = len(names) <= MOST_CLASSES_IN_FULL
    listed = wrong[: _MOST_PAIRS if is_matrix else _MOST_OF_LIST]
    values = {
        "set": judged.name,
        "names": names,
        "matrix": _matrix(cells, totals) if is_matrix else None,
        "pairs": [
            {
                "true": names[cell.true],
                "predicted": names[cell.predicted],
                "text": f"{cell.images:,} of {totals[cell.true]:,}",
                "share": percent(cell.images / totals[cell.true]),
                "key": _key(cell),
            }
            for cell in listed
        ],
        "more": len(wrong) - len(listed),
    }
    linked = cells if is_matrix else listed
    data = {_key(cell): _cell_data(cell, facts, predictions, images) for cell in linked}
    return Section("confusion", title, values), data


def _key(cell: Cell) -> str:
    return f"{cell.true}-{cell.predicted}"


def _matrix(cells: Sequence[Cell], totals: NDArray) -> list[list[dict[str, Any] | None]]:
    """Return the rows of the matrix; None is a pair without images."""
    number = len(totals)
    rows: list[list[dict[str, Any] | None]] = [[None] * number for _ in range(number)]
    for cell in cells:
        share = cell.images / totals[cell.true]
        rows[cell.true][cell.predicted] = {
            "images": cell.images,
            "level": int(np.searchsorted(_LEVELS, share, side="right")),
            "key": _key(cell),
        }
    return rows


def _cell_data(
    cell: Cell, facts: RunFacts, predictions: Predictions, images: ReportImages
) -> Mapping[str, Any]:
    names = predictions.class_names
    title = f"{names[cell.true]}, answered {names[cell.predicted]}"
    left = cell.images - len(cell.shown)
    return {
        "title": title,
        "count": count_of(cell.images, "image") + (f"; {left:,} are not shown" if left else ""),
        "images": [
            {
                "path": facts.name_of(predictions.paths[index]),
                "probability": percent(float(predictions.confidence[index])),
                **_picture(images.in_next_place(predictions.paths[index])),
            }
            for index in cell.shown
        ],
    }


def _picture(image: Thumbnail) -> Mapping[str, str]:
    facts = {"source": image.source, "same": image.same_as, "reason": image.reason}
    return {name: value for name, value in facts.items() if value}

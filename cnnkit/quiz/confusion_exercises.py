"""Exercises that read a small confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnkit.metrics import CountMetrics
from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.exercise import Exercise
from cnnkit.quiz.typed_answers import Answer, Choice, Decimal, Whole, decimal_text

_NEAR = 0.001
_CLASSES = (
    ("cat", "dog", "owl"),
    ("apple", "pear", "plum"),
    ("car", "bus", "tram"),
    ("oak", "elm", "fir"),
)


@dataclass(frozen=True)
class _Counts:
    """A confusion matrix: a row per true class, a column per predicted one."""

    classes: tuple[str, ...]
    matrix: np.ndarray

    @property
    def metrics(self) -> CountMetrics:
        return CountMetrics(np.diag(self.matrix), self.matrix.sum(axis=1), self.matrix.sum(axis=0))

    def lines(self) -> tuple[str, ...]:
        width = max(map(len, self.classes)) + 2
        first = max(len(f"true {name}") for name in self.classes)
        head = " " * first + "".join(name.rjust(width) for name in self.classes)
        rows = [
            f"true {name}".ljust(first) + "".join(str(count).rjust(width) for count in row)
            for name, row in zip(self.classes, self.matrix.tolist(), strict=True)
        ]
        return (" " * first + "  predicted", head, *rows)

    def share(self, label: int, axis: int) -> str:
        """Return a recall (axis 1) or a precision (axis 0) as `5/(5 + 1 + 0)`."""
        parts = self.matrix[label] if axis == 1 else self.matrix[:, label]
        return f"{self.matrix[label, label]}/({' + '.join(map(str, parts.tolist()))})"

    def exercise(self, question: str, answer: Answer, *solution: str) -> Exercise:
        given = {"classes": list(self.classes), "matrix": self.matrix.tolist()}
        return Exercise(question, answer, solution, self.lines(), given)


def _counts(draw: Draw, sizes: tuple[int, ...] = (2, 3)) -> _Counts:
    """Draw a matrix with a right prediction of each class, so that no share is 0/0."""
    number = draw.pick(sizes)
    matrix = np.array(draw.matrix(number, number, 0, 4))
    matrix[np.diag_indices(number)] = [draw.whole(2, 9) for _ in range(number)]
    return _Counts(draw.pick(_CLASSES)[:number], matrix)


def _decimal(value: float) -> Decimal:
    return Decimal(float(value), _NEAR)


def accuracy(draw: Draw) -> Exercise:
    """Ask for the accuracy."""
    counts = _counts(draw)
    right, total = int(np.trace(counts.matrix)), int(counts.matrix.sum())
    value = float(counts.metrics.headline()["accuracy"])
    words = ("What is the accuracy?", "Which share of all predictions is right?")
    terms = " + ".join(map(str, np.diag(counts.matrix).tolist()))
    return counts.exercise(
        draw.pick(words),
        _decimal(value),
        f"accuracy: ({terms})/{total} = {right}/{total} = {decimal_text(value)}",
    )


def recall(draw: Draw) -> Exercise:
    """Ask for the recall of a class."""
    counts = _counts(draw)
    label = draw.whole(0, len(counts.classes) - 1)
    name, value = counts.classes[label], float(counts.metrics.recall[label])
    words = (
        f"What is the recall of {name}?",
        f"Which share of the images of class {name} was predicted as {name} (the recall)?",
    )
    return counts.exercise(
        draw.pick(words),
        _decimal(value),
        f"recall of {name}, along its row: {counts.share(label, 1)} = {decimal_text(value)}",
    )


def precision(draw: Draw) -> Exercise:
    """Ask for the precision of a class."""
    counts = _counts(draw)
    label = draw.whole(0, len(counts.classes) - 1)
    name, value = counts.classes[label], float(counts.metrics.precision[label])
    words = (
        f"What is the precision of {name}?",
        f"Which share of the predictions {name} is right (the precision)?",
    )
    return counts.exercise(
        draw.pick(words),
        _decimal(value),
        f"precision of {name}, along its column: {counts.share(label, 0)} = {decimal_text(value)}",
    )


def macro_f1(draw: Draw) -> Exercise:
    """Ask for the mean F1 of the classes."""
    counts = _counts(draw)
    value = float(counts.metrics.headline()["macro_f1"])
    lines = []
    for label, name in enumerate(counts.classes):
        hits = counts.matrix[label, label]
        row, column = counts.matrix[label].sum(), counts.matrix[:, label].sum()
        f1 = decimal_text(counts.metrics.f1[label])
        lines.append(
            f"F1 of {name}: 2*{hits}/({row} + {column}) = {f1} (its precision is "
            f"{counts.share(label, 0)}, its recall {counts.share(label, 1)})"
        )
    terms = " + ".join(decimal_text(f1) for f1 in counts.metrics.f1)
    lines.append(f"macro F1: ({terms})/{len(counts.classes)} = {decimal_text(value)}")
    words = (
        "What is the macro F1, the mean of the F1 of all classes?",
        "Work out the F1 of each class. What is their mean (macro F1)?",
    )
    return counts.exercise(draw.pick(words), _decimal(value), *lines)


def balanced_accuracy(draw: Draw) -> Exercise:
    """Ask for the mean recall of the classes."""
    counts = _counts(draw)
    value = float(counts.metrics.headline()["balanced_accuracy"])
    terms = " + ".join(counts.share(label, 1) for label in range(len(counts.classes)))
    return counts.exercise(
        "What is the balanced accuracy, the mean of the recalls of all classes?",
        _decimal(value),
        f"balanced accuracy: ({terms})/{len(counts.classes)} = {decimal_text(value)}",
    )


def missed_images(draw: Draw) -> Exercise:
    """Ask how many images of a class were missed, or wrongly taken for it."""
    counts = _counts(draw, (3,))
    label = draw.whole(0, 2)
    name, is_missed = counts.classes[label], draw.pick((True, False))
    parts = counts.matrix[label] if is_missed else counts.matrix[:, label]
    others = np.delete(parts, label).tolist()
    missed = f"How many images of class {name} were predicted as another class?"
    taken = f"How many images of other classes were predicted as {name}?"
    return counts.exercise(
        missed if is_missed else taken,
        Whole(sum(others), "images"),
        f"{'row' if is_missed else 'column'} of {name}, without the right ones: "
        f"{' + '.join(map(str, others))} = {sum(others)}",
    )


def weakest_class(draw: Draw) -> Exercise | None:
    """Ask which class has the lowest recall."""
    counts = _counts(draw, (3,))
    recalls = counts.metrics.recall
    order = np.argsort(recalls)
    if recalls[order[1]] - recalls[order[0]] < 10 * _NEAR:
        return None  # two classes are too close to each other
    lines = [
        f"recall of {name}: {counts.share(label, 1)} = {decimal_text(recalls[label])}"
        for label, name in enumerate(counts.classes)
    ]
    answer = Choice(counts.classes, int(order[0]))
    return counts.exercise("Which class has the lowest recall?", answer, *lines)


CONFUSION_MATRIX = (
    accuracy,
    recall,
    precision,
    macro_f1,
    missed_images,
    weakest_class,
    balanced_accuracy,
)

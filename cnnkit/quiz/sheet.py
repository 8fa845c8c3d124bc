"""A sheet of exercises that follows from a seed, as text, Markdown or plain values, and its key."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cnnkit.quiz.confusion_exercises import CONFUSION_MATRIX
from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.exercise import Exercise, Kind
from cnnkit.quiz.matrix_exercises import CONVOLUTION, POOLING
from cnnkit.quiz.size_exercises import OUTPUT_SIZE, PADDING, STRIDE
from cnnkit.quiz.topic_names import TOPIC_NAMES
from cnnkit.quiz.transfer_exercises import TRANSFER
from cnnkit.quiz.weight_exercises import PARAMETERS, RECEPTIVE_FIELD

KINDS: dict[str, tuple[Kind, ...]] = {
    "convolution": CONVOLUTION,
    "output-size": OUTPUT_SIZE,
    "padding": PADDING,
    "stride": STRIDE,
    "pooling": POOLING,
    "parameters": PARAMETERS,
    "receptive-field": RECEPTIVE_FIELD,
    "confusion-matrix": CONFUSION_MATRIX,
    "transfer": TRANSFER,
}
_WIDTH = 80  # characters of a line of plain text
_NUMBERS = "A decimal may be a fraction such as 2/3. Sizes are height x width x channels."


@dataclass(frozen=True)
class Sheet:
    """Exercises in order.

    Args:
        seed: what they follow from.
        topics: what was asked for; all topics if empty.
        exercises: each with its topic.
    """

    seed: int
    topics: tuple[str, ...]
    exercises: tuple[Exercise, ...]

    @property
    def command(self) -> str:
        """The command that gives this sheet."""
        words = " ".join(["cnnkit quiz", *self.topics])
        return f"{words} --seed {self.seed} --count {len(self.exercises)}"


@dataclass(frozen=True)
class PrintedSheet:
    """A sheet to hand out, or its key.

    Args:
        sheet: the exercises.
        key: whether each exercise is followed by its answer and how it is worked out.
        markdown: whether `text` is Markdown; otherwise plain text.
    """

    sheet: Sheet
    key: bool = False
    markdown: bool = False

    def text(self) -> str:
        """Return the whole sheet."""
        title = "Key" if self.key else "Exercises"
        heading = f"# {title}" if self.markdown else f"{title}\n{'=' * len(title)}"
        command = f"`{self.sheet.command}`" if self.markdown else self.sheet.command
        # Not on the sheet itself: with its seed, everybody can print its key.
        source = [f"The sheet is printed by {command}.", ""] if self.key else []
        lines = [heading, "", *source, _NUMBERS]
        for number, exercise in enumerate(self.sheet.exercises, 1):
            mark = "## " if self.markdown else ""
            lines += ["", f"{mark}{number}. {exercise.topic}", ""]
            lines += question_lines(exercise, markdown=self.markdown)
            lines += ["", *self._answer_lines(exercise)]
        return "\n".join(lines)

    def _answer_lines(self, exercise: Exercise) -> list[str]:
        answer = exercise.answer
        if not self.key:
            return [f"Answer ({answer.form}):"]
        found = f"Answer: {answer.text}"
        near = f" (it may be off by {answer.tolerance:g})" if answer.tolerance else ""
        solution = solution_lines(exercise, markdown=self.markdown)
        return [f"**{found}**{near}" if self.markdown else f"{found}{near}", "", *solution]

    def as_dict(self) -> dict[str, Any]:
        """Return the sheet as plain values; with its answers if it is the key."""
        exercises = enumerate(self.sheet.exercises, 1)
        return {
            "seed": self.sheet.seed,
            "command": self.sheet.command,
            "exercises": [_plain(number, each, key=self.key) for number, each in exercises],
        }


def make_sheet(topics: Sequence[str], seed: int, count: int) -> Sheet:
    """Return a sheet; the same arguments give the same sheet.

    The topics take turns, and so do the kinds of exercises of each topic, in an order that the seed
    decides. A sheet with a larger count begins with the same exercises. None occurs twice.

    Args:
        topics: names of topics; empty for all of them.
        seed: a whole number of at least 0.
        count: number of exercises.
    """
    draw = Draw(seed)
    chosen = tuple(dict.fromkeys(topics)) or tuple(TOPIC_NAMES)
    kinds = {topic: _endless(draw.shuffled(KINDS[topic])) for topic in chosen}
    found: dict[tuple[str, ...], Exercise] = {}
    while len(found) < count:
        topic = chosen[len(found) % len(chosen)]
        kind = next(kinds[topic])
        exercise = _drawn(kind, draw)
        # Not by its words, of which a kind has several. A choice has nothing else.
        facts = exercise.given or exercise.question
        same = (kind.__name__, str(facts), exercise.answer.text if exercise.given else "")
        found.setdefault(same, replace(exercise, topic=topic, kind=kind.__name__))
    return Sheet(seed, tuple(dict.fromkeys(topics)), tuple(found.values()))


def _drawn(kind: Kind, draw: Draw) -> Exercise:
    while (exercise := kind(draw)) is None:
        pass
    return exercise


def _endless(kinds: Sequence[Kind]) -> Iterator[Kind]:
    while True:
        yield from kinds


def question_lines(exercise: Exercise, *, markdown: bool = False) -> list[str]:
    """Return the question, what it is about, and the sentences to choose from."""
    lines = [exercise.question] if markdown else textwrap.wrap(exercise.question, _WIDTH)
    if exercise.material:
        lines += ["", *_block(exercise.material, markdown=markdown)]
    if exercise.options:
        # As a list of Markdown, each option has its own line.
        lines += [
            "",
            *(f"- {option}" if markdown else f"  {option}" for option in exercise.options),
        ]
    return lines


def solution_lines(exercise: Exercise, *, markdown: bool = False) -> list[str]:
    """Return how the answer is worked out."""
    return _block(exercise.solution, markdown=markdown)


def _block(lines: Sequence[str], *, markdown: bool) -> list[str]:
    return ["```text", *lines, "```"] if markdown else [f"  {line}".rstrip() for line in lines]


def _plain(number: int, exercise: Exercise, *, key: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "number": number,
        "topic": exercise.topic,
        "kind": exercise.kind,
        "question": exercise.question,
        "material": list(exercise.material),
        "options": list(exercise.options),
        "answer_form": exercise.answer.form,
        "given": dict(exercise.given),
    }
    if key:
        answer = exercise.answer
        facts |= {"answer": answer.value, "answer_text": answer.text}
        facts |= {"tolerance": answer.tolerance, "solution": list(exercise.solution)}
    return facts

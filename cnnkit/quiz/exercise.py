"""One exercise: what is asked, what is given, the right answer, and how it is worked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnkit.quiz.drawn_numbers import Draw
from cnnkit.quiz.typed_answers import Answer, Choice


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Args:
        question: one paragraph.
        answer: the right answer, which can check a typed one.
        solution: how it is worked out, as lines.
        material: what the question is about, as lines whose columns are aligned.
        given: the same as plain values, for programs.
        topic: one of TOPIC_NAMES; set when the exercise is put on a sheet.
        kind: what sort of exercise of its topic it is; set like the topic.
    """

    question: str
    answer: Answer
    solution: tuple[str, ...]
    material: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    topic: str = ""
    kind: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """The sentences to choose from, with their letters."""
        if not isinstance(self.answer, Choice):
            return ()
        pairs = zip(self.answer.letters, self.answer.options, strict=True)
        return tuple(f"{letter}) {option}" for letter, option in pairs)


# Draws an exercise; None if the drawn numbers make none, for example one with two right answers.
Kind = Callable[[Draw], "Exercise | None"]

"""Ask the exercises of a sheet one by one, and check what is typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cnnkit.quiz.exercise import Exercise
from cnnkit.quiz.sheet import Sheet, question_lines, solution_lines
from cnnkit.quiz.typed_answers import UnreadableError


@dataclass
class Score:
    """What was answered so far.

    Args:
        sheet: the exercises.
        results: for each exercise that was answered or skipped, its topic and whether the answer
            was right.
    """

    sheet: Sheet
    results: list[tuple[str, bool]] = field(default_factory=list)

    def text(self) -> str:
        """Return the score in words, and which topics to practise."""
        asked, total = len(self.results), len(self.sheet.exercises)
        right = sum(is_right for _, is_right in self.results)
        wrong = list(dict.fromkeys(topic for topic, is_right in self.results if not is_right))
        verb = "is" if total - asked == 1 else "are"
        left = f" {total - asked} {verb} not answered." if asked < total else ""
        lines = [f"{right} of {asked} right.{left}"]
        if wrong:
            lines.append(f"Practise: cnnkit quiz {' '.join(wrong)}")
        return "\n".join([*lines, f"The same sheet again: {self.sheet.command}"])


def ask_all(score: Score, ask: Callable[[str], str], tell: Callable[[str], Any]) -> None:
    """Ask every exercise, and add the results to the score.

    Args:
        score: what is filled; if `ask` raises, it has the results until then.
        ask: shows a text and returns what was typed.
        tell: shows lines.
    """
    total = len(score.sheet.exercises)
    for number, exercise in enumerate(score.sheet.exercises, 1):
        tell("\n".join(["", f"{number} of {total}, {exercise.topic}", *question_lines(exercise)]))
        score.results.append((exercise.topic, _ask(exercise, ask, tell)))


def _ask(exercise: Exercise, ask: Callable[[str], str], tell: Callable[[str], Any]) -> bool:
    answer = exercise.answer
    tell(f"\nType {answer.form}. An empty line skips.")
    while typed := ask("> ").strip():
        try:
            is_right = answer.is_right(typed)
        except UnreadableError as error:
            tell(str(error))
            continue
        if is_right:
            tell("Right.")
            return True
        break
    tell(f"{'Wrong' if typed else 'Skipped'}. The answer is {answer.text}.")
    tell("\n".join(solution_lines(exercise)))
    return False

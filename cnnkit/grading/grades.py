"""The grades of submissions: as text for people, JSON, a CSV table and JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.errors import GateError
from cnnkit.files import atomic_write, write_csv
from cnnkit.grading.judging import Judgement
from cnnkit.grading.rubric import Rubric
from cnnkit.tables import table_text
from cnnkit.text import count_of, xml_text


@dataclass(frozen=True)
class Grade:
    """The grade of one submission.

    Args:
        file: the submission.
        judgements: one per criterion; none if it could not be read.
        message: why it could not be read.
    """

    file: str
    judgements: tuple[Judgement, ...] = ()
    message: str = ""

    @property
    def points(self) -> float:
        """All points that were reached."""
        return round(sum(judgement.points for judgement in self.judgements), 2)


@dataclass(frozen=True)
class Grades:
    """The grades of all submissions.

    Args:
        rubric: by which they were judged.
        grades: one per submission.
    """

    rubric: Rubric
    grades: tuple[Grade, ...]

    def is_passed(self, grade: Grade) -> bool:
        """Return whether a submission has reached the pass mark; an unreadable one never has."""
        return not grade.message and grade.points >= self.rubric.pass_mark

    @property
    def failure(self) -> GateError | None:
        """What ends the command with exit code 3, if a submission is below the pass mark."""
        below = [grade.file for grade in self.grades if not self.is_passed(grade)]
        if not below:
            return None
        noun = count_of(len(below), "submission is", "submissions are")
        mark = f"{self.rubric.pass_mark:g} {'point' if self.rubric.pass_mark == 1 else 'points'}"
        return GateError(f"{noun} below the pass mark of {mark}.")

    def text(self) -> str:
        """Return the sentences of each criterion; of several submissions also a table."""
        parts = [self._one_text(grade) for grade in self.grades]
        if len(self.grades) > 1:
            parts.append(self._table())
        return "\n\n".join(parts)

    def _one_text(self, grade: Grade) -> str:
        passed = "passed" if self.is_passed(grade) else "not passed"
        head = f"{grade.file}: {grade.points:g} of {self.rubric.total:g} points, {passed}"
        if grade.message:
            return "\n".join([head, *(f"  {line}" for line in grade.message.splitlines())])
        rows = [
            (f"  {each.points:g}/{each.criterion.points:g}", each.criterion.label, each.sentence)
            for each in grade.judgements
        ]
        width, names = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join([head, *(f"{a:<{width}}  {b:<{names}}  {c}" for a, b, c in rows)])

    def _table(self) -> str:
        rows = [
            (grade.file, f"{grade.points:g}", "yes" if self.is_passed(grade) else "no")
            for grade in self.grades
        ]
        return table_text(("submission", "points", "passed"), rows, right=("points",))

    def as_dict(self) -> dict[str, Any]:
        """Return what `grade --json` prints."""
        return {
            "title": self.rubric.title,
            "total": self.rubric.total,
            "pass_mark": self.rubric.pass_mark,
            "submissions": [
                {
                    "file": grade.file,
                    "points": grade.points,
                    "passed": self.is_passed(grade),
                    "message": grade.message,
                    "criteria": [judgement.as_dict() for judgement in grade.judgements],
                }
                for grade in self.grades
            ],
        }

    def write_table(self, path: Path) -> None:
        """Write a CSV file: a row per submission, with a column of points per criterion."""
        labels = _distinct([criterion.label for criterion in self.rubric.criteria])
        rows = []
        for grade in self.grades:
            given = [judgement.points for judgement in grade.judgements] or [0.0] * len(labels)
            row = {"submission": grade.file, "points": grade.points, "of": self.rubric.total}
            passed = "yes" if self.is_passed(grade) else "no"
            row |= {"passed": passed, "message": " ".join(grade.message.split())}
            rows.append(row | dict(zip(labels, given, strict=True)))
        write_csv(path, ["submission", "points", "of", "passed", "message", *labels], rows)

    def write_junit(self, path: Path) -> None:
        """Write a test suite per submission, with a test case per criterion."""
        from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

        report = JUnitXml("cnnkit grade")
        for grade in self.grades:
            suite = TestSuite(xml_text(grade.file))
            if grade.message:
                case = TestCase("config", classname="cnnkit.grade")
                case.result = [Error(xml_text(grade.message), "config")]
                suite.add_testcase(case)
            for judgement in grade.judgements:
                sentence = xml_text(judgement.sentence)
                case = TestCase(xml_text(judgement.criterion.label), classname="cnnkit.grade")
                case.system_out = sentence
                if not judgement.is_met:
                    case.result = [Failure(sentence, "criterion")]
                suite.add_testcase(case)
            report.add_testsuite(suite)
        with atomic_write(path, "wb") as file:
            file.write(b'<?xml version="1.0" encoding="utf-8"?>\n' + report.tostring() + b"\n")


def _distinct(labels: Sequence[str]) -> list[str]:
    """Return the labels, with a number after one that is used again."""
    found: list[str] = []
    for label in labels:
        number, candidate = 2, label
        while candidate in found:
            candidate, number = f"{label} {number}", number + 1
        found.append(candidate)
    return found

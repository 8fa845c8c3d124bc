"""Write the results of requirements as JUnit XML, which build servers show as tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnkit.evaluation.gates import Outcome
from cnnkit.files import atomic_write
from cnnkit.text import xml_text


def write_junit(outcomes: Sequence[Outcome], name: str, path: Path) -> None:
    """Write a test case per requirement; one that is not met is a failure.

    Args:
        outcomes: of the requirements.
        name: of what was scored, the name of the test suite.
        path: the XML file.
    """
    from junitparser import Failure, JUnitXml, TestCase, TestSuite

    suite = TestSuite(xml_text(name))
    for outcome in outcomes:
        sentence = xml_text(outcome.sentence)
        case = TestCase(xml_text(outcome.requirement), classname="cnnkit.evaluate")
        case.system_out = sentence
        if not outcome.is_met:
            case.result = [Failure(sentence, "requirement")]
        suite.add_testcase(case)
    report = JUnitXml("cnnkit evaluate")
    report.add_testsuite(suite)
    with atomic_write(path, "wb") as file:
        file.write(b'<?xml version="1.0" encoding="utf-8"?>\n' + report.tostring() + b"\n")

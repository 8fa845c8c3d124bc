"""What a check found enters; the text for people leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnkit.data.check import Checked
from cnnkit.data.check.faults import KINDS, SEVERITIES, Finding, Pair
from cnnkit.files import write_text
from cnnkit.text import count_of, first_few, shown

_SHOWN_FAULTS, _SHOWN_FACTS, _SHOWN_PATHS = 5, 2, 3
_TITLES = {"error": "Errors", "warning": "Warnings", "info": "For your information"}


def report_text(checked: Checked) -> str:
    """Return the findings by severity and kind, and a verdict as the last line."""
    lines = []
    for severity in SEVERITIES:
        of_kind: dict[str, list[Finding]] = {}
        for finding in checked.findings:
            if finding.severity == severity:
                of_kind.setdefault(finding.kind, []).append(finding)
        if of_kind:
            lines.append(_TITLES[severity])
            for kind, findings in of_kind.items():
                lines += _kind_lines(kind, findings)
            lines.append("")
    return "\n".join([*lines, verdict(checked)])


def write_list(checked: Checked, file: Path) -> str:
    """Write the files that errors and warnings name, one per line, and return how many."""
    files = checked.offending_files()
    write_text(file, "".join(f"{shown(each)}\n" for each in files))
    return f"{shown(str(file))}: {count_of(len(files), 'file')}"


def verdict(checked: Checked) -> str:
    """Return one sentence that says whether the data can be used."""
    what = f"{checked.source}: {count_of(checked.num_images, 'image')}"
    if checked.is_sound:
        return f"{what}, nothing wrong was found."
    counts = (count_of(checked.counts[severity], severity) for severity in ("error", "warning"))
    return ", ".join([what, *counts]) + "."


def _kind_lines(kind: str, findings: Sequence[Finding]) -> list[str]:
    facts = KINDS[kind]
    lines = [f"  {kind}  {len(findings):,}", f"      {facts.meaning}"]
    if facts.advice:
        lines.append(f"      {facts.advice}")
    limit = _SHOWN_FACTS if facts.severity == "info" else _SHOWN_FAULTS
    limit += len(findings) == limit + 1  # one more line would only say that there is one more
    lines += [f"    - {_finding_line(finding)}" for finding in findings[:limit]]
    if len(findings) > limit:
        lines.append(f"      and {len(findings) - limit:,} more")
    return lines


def _finding_line(finding: Finding) -> str:
    sign = " ~ " if finding.pairs else " = " if "duplicate" in finding.kind else ", "
    paths = sign.join(map(shown, finding.paths[:_SHOWN_PATHS]))
    if len(finding.paths) > _SHOWN_PATHS:
        paths += f" and {len(finding.paths) - _SHOWN_PATHS:,} more (--json names all)"
    measured = first_few((_measured(pair) for pair in finding.pairs), 1)
    return ": ".join(part for part in (paths, finding.detail, measured) if part)


def _measured(pair: Pair) -> str:
    mirrored = ", mirrored" if pair.mirrored else ""
    return f"{pair.distance} bits apart, correlation {pair.similarity:.3f}{mirrored}"

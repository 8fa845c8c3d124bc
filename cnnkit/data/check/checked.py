"""The result of a check: its findings in order, as text for people and as plain values for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnkit.data.check.fault_kinds import KINDS, SEVERITIES, Finding, Pair
from cnnkit.data.file_bytes import ImageFile
from cnnkit.files import write_text
from cnnkit.text import count_of, first_few, shown

_SHOWN_FAULTS, _SHOWN_FACTS, _SHOWN_PATHS = 5, 2, 3
_TITLES = {"error": "Errors", "warning": "Warnings", "info": "For your information"}


@dataclass(frozen=True, eq=False)
class Checked:
    """What the check of one source found.

    Args:
        source: the name of the source in messages.
        num_images: number of images that were read.
        findings: sorted by severity, kind and path.
        files: the images, and all other files of a folder, by their path in the findings.
        notes: sentences about corrected labels.
    """

    source: str
    num_images: int
    findings: tuple[Finding, ...]
    files: dict[str, ImageFile]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        source: str,
        num_images: int,
        findings: Iterable[Finding],
        files: dict[str, ImageFile],
        notes: Iterable[str] = (),
    ) -> Checked:
        """Return the result with its findings sorted."""
        return cls(source, num_images, tuple(sorted(findings, key=_order)), files, tuple(notes))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of findings by severity."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    @property
    def is_sound(self) -> bool:
        """Whether there is no error and no warning."""
        return not self.counts["error"] + self.counts["warning"]

    def offending_files(self) -> list[str]:
        """Return the files that errors and warnings name, each once.

        The first of several copies within one class is not among them, because it is the one to
        keep; nor are pictures that need nothing but a setting.
        """
        # A dict in place of a set, because it keeps the order of the findings.
        named: dict[str, None] = {}
        for finding in self.findings:
            if finding.severity != "info" and finding.kind != "dark_samples":
                # Of copies in one class, one can stay.
                keeps_first = finding.kind in ("duplicate", "near_duplicate")
                named.update(dict.fromkeys(finding.paths[1:] if keeps_first else finding.paths))
        return [str(self.files[path]) for path in named if path in self.files]

    def write_list(self, file: Path) -> str:
        """Write the offending files, one per line, and return a line that says how many."""
        files = self.offending_files()
        write_text(file, "".join(f"{shown(each)}\n" for each in files))
        return f"{shown(str(file))}: {count_of(len(files), 'file')}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            "images": self.num_images,
            "notes": list(self.notes),
            "counts": self.counts,
            "kinds": dict(Counter(finding.kind for finding in self.findings)),
            "findings": [
                {"severity": finding.severity, **asdict(finding)} for finding in self.findings
            ],
        }

    def text(self) -> str:
        """Return the findings by severity and kind; the last line is the verdict."""
        lines = []
        for severity in SEVERITIES:
            of_kind: dict[str, list[Finding]] = {}
            for finding in self.findings:
                if finding.severity == severity:
                    of_kind.setdefault(finding.kind, []).append(finding)
            if of_kind:
                lines.append(_TITLES[severity])
                for kind, findings in of_kind.items():
                    lines += _kind_lines(kind, findings)
                lines.append("")
        return "\n".join([*lines, self.verdict()])

    def verdict(self) -> str:
        """Return one sentence that says whether the data can be used."""
        what = f"{self.source}: {count_of(self.num_images, 'image')}"
        if self.is_sound:
            return f"{what}, nothing wrong was found."
        counts = (count_of(self.counts[severity], severity) for severity in ("error", "warning"))
        return ", ".join([what, *counts]) + "."


def _order(finding: Finding) -> tuple[int, int, tuple[str, ...]]:
    return SEVERITIES.index(finding.severity), list(KINDS).index(finding.kind), finding.paths


def _kind_lines(kind: str, findings: Sequence[Finding]) -> list[str]:
    facts = KINDS[kind]
    lines = [f"  {kind}  {len(findings):,}", f"      {facts.meaning}"]
    if facts.advice:
        lines.append(f"      {facts.advice}")
    limit = _SHOWN_FACTS if facts.severity == "info" else _SHOWN_FAULTS
    limit += len(findings) == limit + 1  # a line "and 1 more" would take as much room as the one
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

"""A config's data section enters; everything that is wrong with its images leaves, named by kind.

Nothing is changed: files are read, never written, moved or removed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from cnnkit.data.check.classes import class_findings
from cnnkit.data.check.duplicates import duplicate_findings
from cnnkit.data.check.facts import Facts, facts_of
from cnnkit.data.check.faults import KINDS, SEVERITIES, Finding
from cnnkit.data.check.folder_walk import FolderWalk
from cnnkit.data.parallel import in_threads
from cnnkit.data.records import ImageFile, ImageRecord, LocalFile, Source
from cnnkit.data.sources.builtin import BUILTIN_SOURCES
from cnnkit.data.sources.listing import only_classes, read_source
from cnnkit.data.sources.tfrecord_source import holds_tfrecords
from cnnkit.errors import DataError

Progress = Callable[[int, int], None]

_TINY = 32  # pixels


@dataclass(frozen=True, eq=False)
class Checked:
    """What the check of one source found.

    Args:
        source: how messages call it.
        num_images: number of images that were read.
        findings: sorted by severity, kind and path.
        files: the images and the files beside them, by their path in the findings.
    """

    source: str
    num_images: int
    findings: tuple[Finding, ...]
    files: dict[str, ImageFile]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of findings by severity."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    @property
    def is_sound(self) -> bool:
        """Whether there is no error and no warning."""
        return not self.counts["error"] + self.counts["warning"]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            "images": self.num_images,
            "counts": self.counts,
            "kinds": dict(Counter(finding.kind for finding in self.findings)),
            "findings": [
                {"severity": finding.severity, **asdict(finding)} for finding in self.findings
            ],
        }

    def offending_files(self) -> list[str]:
        """Return the files that errors and warnings name, each once.

        Of copies within one class the first is left out: it is the one to keep.
        """
        named: dict[str, None] = {}
        for finding in self.findings:
            if finding.severity != "info":
                kept_one = finding.kind in ("duplicate", "near_duplicate")
                named.update(dict.fromkeys(finding.paths[1:] if kept_one else finding.paths))
        return [str(self.files[path]) for path in named if path in self.files]


def check_data(
    data_config: Any,
    *,
    image_size: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Read every file of a source and report all that is wrong with it.

    Args:
        data_config: the `data` section.
        image_size: (height, width) that smaller images would be enlarged to; None where unknown.
        progress: called with (images read, images in all).

    Raises:
        DataError: there is no such source. Whatever is wrong inside of it is a finding.
    """
    listed = _list(data_config)
    source, findings = listed.source, listed.findings
    facts = _all_facts(source.records, progress)
    findings += [finding for fact in facts for finding in fact.findings]
    findings += listed.unexplained_refusal()
    findings += _size_findings(source.records, facts, image_size)
    findings += _changed(source.records, facts)
    findings += duplicate_findings(source.records, facts)
    if listed.refusal is None:
        contents = [fact.sha256 if fact.size else None for fact in facts]
        findings += class_findings(source, contents, data_config)
    files = {**listed.beside, **{record.path: record.file for record in source.records}}
    return Checked(source.name, len(facts), tuple(sorted(findings, key=_order)), files)


def _order(finding: Finding) -> tuple[int, int, tuple[str, ...]]:
    return SEVERITIES.index(finding.severity), list(KINDS).index(finding.kind), finding.paths


@dataclass(frozen=True, eq=False)
class _Listed:
    """What a source lists.

    Args:
        source: the images that training would use; where it would refuse the source, all there are.
        refusal: why training would refuse it; None where it would not.
        refused_path: the file or folder that the refusal is about, if it is a single one.
        findings: what was found without opening an image.
        beside: files of a folder, also those that are no images, by path.
    """

    source: Source
    refusal: str | None
    refused_path: str | None
    findings: list[Finding]
    beside: dict[str, ImageFile]

    def unexplained_refusal(self) -> list[Finding]:
        """Return the refusal as a finding, unless another finding is about the same path."""
        found = {os.path.join(self.source.name, f.paths[0]) for f in self.findings if f.paths}
        if self.refusal is None or (
            self.refused_path
            and os.path.normpath(self.refused_path) in set(map(os.path.normpath, found))
        ):
            return []
        return [Finding("unusable_source", (), self.refusal)]


def _list(data_config: Any) -> _Listed:
    path, refusal, refused_path = Path(data_config.source), None, None
    is_folder = str(path) not in BUILTIN_SOURCES and path.is_dir() and not holds_tfrecords(path)
    walk = FolderWalk(path) if is_folder else None
    try:
        source = read_source(data_config.source, data_config.shapes)
    except (DataError, OSError) as error:
        if not path.exists():
            raise
        source, refusal = Source(str(path), tuple(walk.records() if walk else ())), str(error)
        refused_path = error.path if isinstance(error, DataError) else error.filename
    findings = [*walk.findings, *walk.left_aside(source.records)] if walk else []
    if data_config.classes:
        source = only_classes(source, data_config.classes)
    beside = walk.files if walk else {}
    return _Listed(
        source,
        refusal,
        refused_path,
        findings,
        {path: LocalFile(place) for path, place in beside.items()},
    )


def _all_facts(records: Sequence[ImageRecord], progress: Progress | None) -> list[Facts]:
    facts: list[Facts] = []
    for part in in_threads(lambda _, record: facts_of(record), records, 16):
        facts += part
        if progress is not None:
            progress(len(facts), len(records))
    return facts


def _size_findings(
    records: Sequence[ImageRecord], facts: Sequence[Facts], image_size: tuple[int, int] | None
) -> list[Finding]:
    """Return images that are small beside the others, or beside what the model takes."""
    sizes = [(record.path, fact.size) for record, fact in zip(records, facts, strict=True)]
    known = [(path, size) for path, size in sizes if size is not None]
    usual = median(min(size) for _, size in known) if known else 0
    found = []
    for path, (height, width) in known:
        told = f"{width} x {height} pixels"
        if min(height, width) < min(_TINY, usual / 2):
            found.append(Finding("tiny", (path,), told))
        elif image_size and (height < image_size[0] or width < image_size[1]):
            found.append(Finding("enlarged", (path,), told))
    return found


def _changed(records: Sequence[ImageRecord], facts: Sequence[Facts]) -> list[Finding]:
    return [
        Finding("changed_content", (record.path,))
        for record, fact in zip(records, facts, strict=True)
        if record.sha256 and fact.sha256 and record.sha256 != fact.sha256
    ]

"""Check a data set: read every image and report what is wrong, by kind of fault.

Nothing is changed: files are read, never written, moved or removed. Each family of faults has its
own file here; `fault_kinds.py` has the table of all kinds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from cnnkit.config import DataConfig
from cnnkit.data.check.checked import Checked
from cnnkit.data.check.class_faults import class_findings
from cnnkit.data.check.copy_faults import copy_findings
from cnnkit.data.check.image_faults import facts_of, image_findings
from cnnkit.data.check.rate_faults import rate_findings
from cnnkit.data.check.source_faults import list_source
from cnnkit.data.corrected_labels import read_corrections, with_corrections
from cnnkit.data.file_contents import Progress
from cnnkit.data.parallel import compute_all
from cnnkit.data.sources.listing import ordered_classes

__all__ = ["Checked", "check_data"]


def check_data(
    data_config: DataConfig,
    *,
    image_size: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Read every file of a source and report everything that is wrong with it.

    Args:
        data_config: the `data` section.
        image_size: (height, width) that smaller images would be enlarged to; None if unknown.
        progress: called with (number of images read, number of all images).

    Raises:
        DataError: there is no such source, or `data.labels` is wrong. Whatever is wrong inside a
            source is a finding.
    """
    listed = list_source(data_config)
    class_names = ordered_classes(listed.source, data_config.classes)
    corrections = read_corrections(data_config.labels, class_names)
    records = listed.source.records
    examine = partial(facts_of, sample_range=data_config.sample_range)
    facts = compute_all(examine, [record.file for record in records], progress)
    hashes = [fact.sha256 or "" for fact in facts]
    notes: list[str] = []
    records = tuple(
        with_corrections(records, hashes, corrections, data_config.labels, notes.append)
    )
    findings = [*listed.findings, *image_findings(records, facts, image_size)]
    findings += listed.unusable_findings(findings)
    findings += copy_findings(records, facts)
    findings += rate_findings(records, facts)
    if listed.refusal is None:
        contents = [fact.sha256 if fact.size else None for fact in facts]
        source = replace(listed.source, records=records)
        findings += class_findings(source, contents, data_config)
    files = {**listed.files, **{record.path: record.file for record in records}}
    return Checked.of(listed.source.name, len(facts), findings, files, notes)

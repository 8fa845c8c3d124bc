"""List the images of a source, also of one that training would refuse, and say why it would."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cnnkit.config import DataConfig
from cnnkit.data.check.fault_kinds import Finding
from cnnkit.data.check.folder_faults import FolderWalk
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.records import Source
from cnnkit.data.sources.builtin_names import is_builtin
from cnnkit.data.sources.listing import only_classes, read_source
from cnnkit.data.sources.tfrecord_source import holds_tfrecords
from cnnkit.errors import DataError


@dataclass(frozen=True, eq=False)
class ListedSource:
    """The images of a source, and what is wrong with it before any image is opened.

    Args:
        source: the images that training would use; if it would refuse the source, all images.
        refusal: why training would refuse the source as a whole; None if it would not.
        findings: faults of folders and links.
        files: all files of a folder that are not hidden, by path; empty for other sources.
    """

    source: Source
    refusal: DataError | OSError | None
    findings: list[Finding]
    files: dict[str, LocalFile]

    def unusable_findings(self, others: Iterable[Finding]) -> list[Finding]:
        """Return the refusal as a finding, unless another error is about the very same path.

        Args:
            others: what was found so far.
        """
        if self.refusal is None:
            return []
        if _refused_path(self.refusal, self.source.name) in _paths_of_errors(others):
            return []
        return [Finding("unusable_source", (), str(self.refusal))]


def _refused_path(refusal: DataError | OSError, folder: str) -> str | None:
    """Return the file or folder that a refusal is about, as findings show it."""
    path = refusal.path if isinstance(refusal, DataError) else refusal.filename
    return None if path is None else os.path.relpath(path, folder).replace(os.sep, "/")


def _paths_of_errors(findings: Iterable[Finding]) -> set[str]:
    return {path for each in findings if each.severity == "error" for path in each.paths}


def list_source(data_config: DataConfig) -> ListedSource:
    """List the images of `data.source`.

    Raises:
        DataError: there is no such source.
    """
    path = Path(data_config.source)
    is_folder = not is_builtin(data_config.source) and path.is_dir() and not holds_tfrecords(path)
    walk = FolderWalk(path) if is_folder else None
    refusal = None
    try:
        source = read_source(
            data_config.source, data_config.shapes, weight_column=data_config.weight_column
        )
    # An OSError too: a folder that cannot be opened is a finding of the check.
    except (DataError, OSError) as error:
        # A wrong path is a mistake in the command, not a fault of the data.
        if not path.exists():
            raise
        source, refusal = Source(str(path), tuple(walk.records() if walk else ())), error
    findings = [*walk.findings, *walk.unused(source.records)] if walk else []
    if data_config.classes:
        source = only_classes(source, data_config.classes)
    files = {name: LocalFile(place) for name, place in walk.files.items()} if walk else {}
    return ListedSource(source, refusal, findings, files)

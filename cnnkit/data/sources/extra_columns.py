"""Read what a CSV or JSONL manifest says of its images besides their class: its other columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnkit.data.sources.csv_file import read_cells
from cnnkit.data.sources.json_lines import read_keys
from cnnkit.data.sources.manifest_paths import ManifestPaths
from cnnkit.data.sources.manifest_rows import COLUMNS

_READERS = {".csv": read_cells, ".tsv": read_cells, ".jsonl": read_keys, ".ndjson": read_keys}
_OF_CNNKIT = set(COLUMNS) - {"group"}


def extra_columns(manifest: Path, paths: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns that cnnkit does not need, and `group`: one text for each path.

    The text is empty if the manifest does not list the path, or has no value. Lists and objects of
    JSON Lines are left out.

    Args:
        manifest: a file that `read_source` can read; other files have no columns.
        paths: of images, as in its records.

    Raises:
        DataError: the file cannot be read.
    """
    read = _READERS.get(manifest.suffix.lower())
    if read is None or not manifest.is_file():
        return {}
    manifest_paths, position = ManifestPaths(manifest), {path: i for i, path in enumerate(paths)}
    columns: dict[str, list[str]] = {}
    for row in read(manifest):
        place, _ = manifest_paths.find(row.get("path", ""))
        index = position.get(manifest_paths.shown(place))
        if index is None:
            continue
        for name, text in row.items():
            if name not in _OF_CNNKIT:
                columns.setdefault(name, [""] * len(paths))[index] = text
    return {name: texts for name, texts in columns.items() if any(texts)}

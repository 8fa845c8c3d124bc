"""The folder that exports are written into, and what must not be in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnkit.errors import UsageError
from cnnkit.files import write_json
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME
from cnnkit.new_folders import check_writable
from cnnkit.output_guard import check_output
from cnnkit.runs import Run
from cnnkit.text import shown

PARITY_NAME = "parity.json"


def check_export_folder(run: Run, output: Path | None, names: Sequence[str]) -> Path:
    """Return the folder to write into, and refuse to replace what is not an earlier export.

    Args:
        run: whose folder `export` is the default.
        output: the folder that the user wants instead, or None.
        names: of the files and folders that will be written.

    Raises:
        UsageError: something else has one of the names, or nothing can be written.
    """
    folder = run.export if output is None else output
    check_writable(folder, "Choose another place with -o.")
    own = output is None or folder.resolve() == run.export.resolve()
    for name in (*names, LABELS_NAME, PARITY_NAME):
        target = folder / name
        if target.is_dir() and not (target / INFO_NAME).is_file():
            raise UsageError(
                f"{shown(str(target))} is a folder that cnnkit did not write. Move it to another "
                "place, choose other formats with --format, or another folder with -o."
            )
        check_output(target, "-o", (target.suffix,), overwrite=True, in_run=own)
        # What an earlier export has left may be replaced; parity.json tells that there was one.
        if not own and target.exists() and not (folder / PARITY_NAME).is_file():
            raise UsageError(
                f"{shown(str(target))} exists, and it is not of an earlier export. Choose another "
                "folder with -o."
            )
    return folder


def write_parity(
    folder: Path, *, limit: float, num_images: int, formats: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write parity.json; formats of an earlier export whose files are still there stay in it.

    Args:
        folder: of the exports.
        limit: of the difference of a probability.
        num_images: that the exports were compared on.
        formats: what is known of each new one.
    """
    earlier = {
        name: values
        for name, values in _earlier_formats(folder / PARITY_NAME).items()
        if name not in formats and (folder / str(values.get("file"))).exists()
    }
    write_json(
        folder / PARITY_NAME,
        {"limit": limit, "num_images": num_images, "formats": {**earlier, **formats}},
    )


def _earlier_formats(path: Path) -> dict[str, dict[str, Any]]:
    try:
        formats = json.loads(path.read_text(encoding="utf-8"))["formats"]
        return {name: values for name, values in formats.items() if isinstance(values, dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # there is none, or it is damaged: it is written again

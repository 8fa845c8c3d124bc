"""What an export has written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.export.formats import FORMATS
from cnnkit.tables import table_text
from cnnkit.text import quoted


@dataclass(frozen=True)
class Export:
    """The files of one export.

    Args:
        folder: where they are.
        formats: for each format its `file`, its size in `bytes`, and `max_difference` and
            `top1_agreement` as from `check_parity`.
        run_status: of the run: finished, interrupted, ...
    """

    folder: Path
    formats: dict[str, dict[str, Any]]
    run_status: str

    def as_dict(self) -> dict[str, Any]:
        """Return the folder, the status of the run and the formats, ready for JSON."""
        return {
            "folder": str(self.folder),
            "run_status": self.run_status,
            "formats": self.formats,
        }

    def text(self) -> str:
        """Return a table with one row per file, and a command that uses the first of them."""
        rows = [
            [
                str(self.folder / values["file"]),
                f"{values['bytes'] / 1e6:.2f} MB",
                f"{values['max_difference']:.1e}",
                f"{values['top1_agreement']:.2f}",
            ]
            for values in self.formats.values()
        ]
        numbers = ["size", "max_difference", "top1_agreement"]
        use = FORMATS[next(iter(self.formats))].use.format(quoted(rows[0][0]))
        return table_text(["file", *numbers], rows, right=numbers) + f"\nnext: {use}"

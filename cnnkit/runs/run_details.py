"""Everything about one run: how it was trained, its metrics, its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.runs.run_entry import RunEntry
from cnnkit.runs.run_files import contents_of
from cnnkit.runs.run_list import entry_of, local_time
from cnnkit.tables import table_text
from cnnkit.text import count_of, duration_text, shown, size_text


@dataclass(frozen=True)
class RunDetails:
    """What `cnnkit runs show` prints.

    Args:
        entry: the run.
        num_bytes: the size of the files that cnnkit wrote.
        sizes: the size of each entry of the run folder.
        others: paths in the run folder that cnnkit did not write.
    """

    entry: RunEntry
    num_bytes: int
    sizes: Mapping[str, int]
    others: tuple[str, ...]

    def text(self) -> str:
        """Return the facts, a table of the metrics and a table of the files."""
        info = self.entry.info
        facts = {
            "run": shown(str(self.entry.folder)),
            "status": self.entry.status,
            "problem": self.entry.problem,
            "started": local_time(info.get("started")),
            "took": _duration(self.entry.number("seconds")),
            "folds": self._folds(),
            "epochs": self._epochs(),
            "parameters": _count(self.entry.number("parameters")),
            "data": self._data(),
            "size": size_text(self.num_bytes),
        }
        lines = [f"{key:<11} {value}" for key, value in facts.items() if value]
        parts = ["\n".join(lines), self._metrics_table(), self._files_table()]
        if self.others:
            parts.append(f"Not written by cnnkit: {', '.join(map(shown, self.others))}")
        return "\n\n".join(part for part in parts if part)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.entry.as_dict(),
            "bytes": self.num_bytes,
            "files": dict(self.sizes),
            "others": list(self.others),
        }

    def _epochs(self) -> str:
        epochs, best = self.entry.number("epochs"), self.entry.number("best_epoch")
        if epochs is None:
            return ""
        return f"{epochs:.0f}" if best is None else f"{epochs:.0f}, the best is epoch {best:.0f}"

    def _folds(self) -> str:
        folds = self.entry.num_folds
        return "" if folds is None else f"{folds}; the metrics are their means"

    def _data(self) -> str:
        images = self.entry.num_images
        source = shown(self.entry.shown_source)
        return source if images is None else f"{source}, {count_of(images, 'image')}"

    def _metrics_table(self) -> str:
        metrics = self.entry.metrics
        names = list(dict.fromkeys(name for values in metrics.values() for name in values))
        rows = [
            [name, *(_number(values.get(name)) for values in metrics.values())] for name in names
        ]
        return table_text(["metric", *metrics], rows, right=list(metrics)) if rows else ""

    def _files_table(self) -> str:
        rows = [[shown(name), size_text(size)] for name, size in self.sizes.items()]
        return table_text(["file", "size"], rows, right=["size"]) if rows else ""


def run_details(folder: Path) -> RunDetails:
    """Return what is known of a run folder, however damaged it is.

    Args:
        folder: as from `run_folder`.
    """
    found = contents_of(folder)
    sizes: dict[str, int] = {}
    for path in found.written:
        first, *more = path.relative_to(folder).parts
        name = f"{first}/" if more else first
        sizes[name] = sizes.get(name, 0) + path.stat().st_size
    others = tuple(path.relative_to(folder).as_posix() for path in found.others)
    entry = entry_of(folder) or RunEntry(folder, "incomplete")
    return RunDetails(entry, found.num_bytes, sizes, others)


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else duration_text(seconds)


def _count(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"

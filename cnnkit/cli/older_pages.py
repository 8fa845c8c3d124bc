"""Say which pages of a run do not have the newest results."""

from __future__ import annotations

from pathlib import Path

from cnnkit.text import quoted


def older_pages(folder: Path) -> list[str]:
    """Return the command that writes the pages of a run again; nothing if it has none."""
    pages = [name for name in ("report.html", "model_card.md") if (folder / name).is_file()]
    if not pages:
        return []
    verb = "do" if len(pages) > 1 else "does"
    return [f"{' and '.join(pages)} {verb} not have this yet: cnnkit report {quoted(folder)}"]

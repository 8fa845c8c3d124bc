"""What a check found enters; the text for people and the sheet of look-alikes leave."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from PIL import Image, ImageDraw

from cnnkit.data.check import Checked
from cnnkit.data.check.kinds import KINDS, SEVERITIES, Finding, Pair
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.records import count_of, first_few
from cnnkit.runs import atomic_write

_SHOWN_FAULTS, _SHOWN_FACTS = 5, 2
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
    lines += [f"    - {_finding_line(finding)}" for finding in findings[:limit]]
    if len(findings) > limit:
        lines.append(f"      and {len(findings) - limit:,} more")
    return lines


def _finding_line(finding: Finding) -> str:
    sign = " ~ " if finding.pairs else " = " if "duplicate" in finding.kind else ", "
    paths = sign.join(finding.paths[:3])
    if len(finding.paths) > 3:
        paths += f" and {len(finding.paths) - 3:,} more"
    measured = first_few((_measured(pair) for pair in finding.pairs), 1)
    return ": ".join(part for part in (paths, finding.detail, measured) if part)


def _measured(pair: Pair) -> str:
    mirrored = ", mirrored" if pair.mirrored else ""
    return f"{pair.distance} bits apart, correlation {pair.similarity:.3f}{mirrored}"


# --- the sheet of pairs

_SIDE, _LABEL, _GAP = 200, 30, 10
_COLUMNS, _MOST_PAIRS = 3, 60


def write_contact_sheet(checked: Checked, path: Path) -> tuple[int, int]:
    """Draw pairs of near duplicates side by side with their paths, as a PNG file.

    One pair of each group comes first, then a second one, and so on.

    Returns:
        How many pairs are drawn, and how many there are.
    """
    by_rank = zip_longest(*(finding.pairs for finding in checked.findings))
    pairs = list(dict.fromkeys(pair for rank in by_rank for pair in rank if pair))
    shown = pairs[:_MOST_PAIRS]
    rows = max(1, -(-len(shown) // _COLUMNS))
    width, height = 2 * _SIDE + _GAP, _SIDE + _LABEL + _GAP
    sheet = Image.new("RGB", (_COLUMNS * (width + _GAP) + _GAP, rows * height + _GAP), "white")
    for index, pair in enumerate(shown):
        row, column = divmod(index, _COLUMNS)
        _draw_pair(sheet, pair, checked, (_GAP + column * (width + _GAP), _GAP + row * height))
    if not shown:
        ImageDraw.Draw(sheet).text((_GAP, _GAP), "no near duplicates", fill="black")
    with atomic_write(path, "wb") as stream:
        sheet.save(stream, "PNG")
    return len(shown), len(pairs)


def _draw_pair(sheet: Image.Image, pair: Pair, checked: Checked, corner: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(sheet)
    for step, path in enumerate(pair.paths):
        left, top = corner[0] + step * _SIDE, corner[1]
        file = checked.files[path]
        pixels = read_pixels(file, PixelSettings((_SIDE, _SIDE), resize="pad", background=230))
        sheet.paste(Image.fromarray(pixels), (left, top))
        for line, text in enumerate(_two_lines(path)):
            draw.text((left + 2, top + _SIDE + 12 * line), text, fill="black")
    draw.rectangle((*corner, corner[0] + 2 * _SIDE - 1, corner[1] + _SIDE - 1), outline="grey")


def _two_lines(path: str) -> tuple[str, str]:
    """Return the folder and the name, short enough to be drawn, in characters that can be."""
    folder, name = os.path.split(path)
    return _short(folder), _short(name)


def _short(text: str, most: int = 32) -> str:
    text = text.encode("ascii", "replace").decode()
    return text if len(text) <= most else f"...{text[3 - most :]}"

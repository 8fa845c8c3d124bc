"""A comparison as tables for a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.config_differences import ConfigDifference
from cnnkit.comparison.pair import Pair, p_text
from cnnkit.tables import table_text
from cnnkit.text import shown, size_text

_WIDEST, _BEFORE = 60, 20  # characters of a cell, and of it before the first difference
_NARROW = (
    "(The bootstrap's interval is too narrow if so few images differ; the exact test decides.)"
)


def runs_table(runs: Sequence[ComparedRun], pairs: Sequence[Pair]) -> str:
    """Return one row per run, the best first; columns that no run has a value for are left out.

    Args:
        runs: in the order of the rows.
        pairs: of the first run with each other one.
    """
    by_name = {name: pair for pair in pairs for name in (pair.first, pair.second)}
    columns: dict[str, list[str]] = {
        "run": [shown(run.name) for run in runs],
        "accuracy": [f"{run.accuracy:.4f}" for run in runs],
        "95% interval": [_interval(run) for run in runs],
        "folds": [_folds(run) for run in runs],
        "macro_f1": [f"{run.macro_f1:.4f}" for run in runs],
        "log_loss": [f"{run.log_loss:.4f}" for run in runs],
        "parameters": [_number(run.parameters) for run in runs],
        "size": ["" if run.num_bytes is None else size_text(run.num_bytes) for run in runs],
        "ms/image": ["" if run.milliseconds is None else f"{run.milliseconds:.2f}" for run in runs],
    }
    if len(pairs) > 1:
        columns["against the best"] = ["best", *(_against(by_name[run.name]) for run in runs[1:])]
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    right = [name for name in kept if name not in ("run", "against the best")]
    table = table_text(list(kept), list(zip(*kept.values(), strict=True)), right=right)
    narrow = len(pairs) > 1 and any(pair.has_narrow_interval for pair in pairs)
    return f"{table}\n{_NARROW}" if narrow else table


def pair_text(pair: Pair) -> str:
    """Return the difference with its interval, and on how many images who is right."""
    first, second = shown(pair.first), shown(pair.second)
    rows = [
        ("both right", f"{pair.both_right:,}"),
        (f"only {first} right", f"{pair.only_first:,}"),
        (f"only {second} right", f"{pair.only_second:,}"),
        ("both wrong", f"{pair.both_wrong:,}"),
    ]
    images = table_text(["images", ""], rows, right=[""])
    metrics = table_text(
        ["metric", "difference", "95% interval"],
        [
            [name, f"{each.difference:+.4f}", f"{each.low:+.4f} to {each.high:+.4f}"]
            for name, each in pair.metrics.items()
        ],
        right=["difference"],
    )
    lines = [f"{second} minus {first}: {pair.difference_text()}"]
    if pair.has_narrow_interval:
        lines.append(_NARROW)
    return "\n".join([*lines, "", metrics, "", images])


def differences_table(runs: Sequence[ComparedRun], differences: Sequence[ConfigDifference]) -> str:
    """Return one row per key in which the configs differ, or a sentence that they do not.

    What is as in the config of the first run is "same", so that long values are there once.
    """
    if not all(run.config for run in runs):
        return ""
    if not differences:
        return "The configs are the same."
    rows = []
    for each in differences:
        for cells in each.rows():
            first, *others = shortened(cells)
            same = [cell == cells[0] for cell in cells[1:]]
            texts = [
                "same" if is_same else shown(cell)
                for is_same, cell in zip(same, others, strict=True)
            ]
            rows.append([each.key, shown(first), *texts])
    return table_text(["config", *(shown(run.name) for run in runs)], rows)


def shortened(cells: Sequence[str]) -> list[str]:
    """Return cells that are not too wide, with the place where they begin to differ.

    >>> shortened(["a: 1, " * 20 + "b: 2", "a: 1, " * 20 + "b: 3"])[1]
    '... : 1, a: 1, a: 1, b: 3'
    """
    differ = len(os.path.commonprefix(list(cells)))
    start = differ - _BEFORE if differ > _WIDEST - _BEFORE else 0
    return [_part(cell, start) if len(cell) > _WIDEST else cell for cell in cells]


def _part(cell: str, start: int) -> str:
    end = "" if len(cell) <= start + _WIDEST else " ..."
    return ("... " if start else "") + cell[start : start + _WIDEST].strip() + end


def _interval(run: ComparedRun) -> str:
    low, high = run.accuracy_interval
    return f"{low:.3f} to {high:.3f}"


def _folds(run: ComparedRun) -> str:
    if run.fold_mean is None:
        return ""
    return f"{run.fold_mean:.4f} \N{PLUS-MINUS SIGN} {run.fold_spread:.4f}"


def _against(pair: Pair) -> str:
    low, high = pair.interval
    counts = f"{pair.only_second:,} against {pair.only_first:,}"
    words = "worse" if pair.is_distinguishable else "not distinguishable"
    return (
        f"{words}, {counts} images ({p_text(pair.corrected_p_value)}), "
        f"{100 * pair.difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    )


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"

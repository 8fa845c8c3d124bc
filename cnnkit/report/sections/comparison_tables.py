"""What a comparison of runs says, as tables: the verdict, the runs, each pair, the configs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.comparing import Comparison
from cnnkit.comparison.pair import Pair, p_text
from cnnkit.report.number_text import interval_text, percent
from cnnkit.report.section import Section
from cnnkit.text import count_of, size_text

_MOST_CARDS = 6


def verdict_section(comparison: Comparison) -> Section:
    """Return the first section: which run is better, or that they cannot be told apart."""
    first = comparison.runs[0]
    values = {
        "verdict": comparison.verdict,
        "images": count_of(len(first.predictions), "image"),
        "evaluation": comparison.evaluation,
        "cards": [_card(run) for run in comparison.runs[:_MOST_CARDS]],
    }
    return Section("verdict", "In short", values)


def _card(run: ComparedRun) -> dict[str, str]:
    return {
        "title": run.name,
        "value": percent(run.accuracy),
        "interval": interval_text("accuracy", run.accuracy_interval),
    }


def runs_section(comparison: Comparison) -> Section:
    """Return the table of the runs: accuracy with its interval, size, latency, the test."""
    pairs = {name: pair for pair in comparison.pairs for name in (pair.first, pair.second)}
    rows = [_run(run, comparison, pairs[run.name]) for run in comparison.runs]
    columns = {
        "folds": "folds",
        "parameters": "parameters",
        "size": "size of model.tflite",
        "milliseconds": "ms per image",
        "against": "against the best",
    }
    shown = {key: title for key, title in columns.items() if any(row[key] for row in rows)}
    return Section("runs", "The runs", {"rows": rows, "columns": shown})


def _run(run: ComparedRun, comparison: Comparison, pair: Pair) -> dict[str, Any]:
    several = len(comparison.pairs) > 1
    return {
        **_card(run),
        "is_best": run is comparison.best,
        "macro_f1": percent(run.macro_f1),
        "log_loss": f"{run.log_loss:.3f}",
        "folds": run.fold_mean
        and f"{percent(run.fold_mean)} \N{PLUS-MINUS SIGN} {100 * run.fold_spread:.1f}",
        "parameters": run.parameters and f"{run.parameters:,}",
        "size": run.num_bytes and size_text(run.num_bytes),
        "milliseconds": run.milliseconds and f"{run.milliseconds:.2f}",
        "against": _against(pair) if several and run is not comparison.best else "",
    }


def _against(pair: Pair) -> str:
    words = "worse" if pair.is_distinguishable else "not distinguishable"
    return f"{words} ({p_text(pair.corrected_p_value)})"


def pairs_section(comparison: Comparison) -> Section:
    """Return for each pair on how many images who is right, and the differences of metrics."""
    return Section("pairs", "Image by image", {"pairs": list(_pairs(comparison))})


def _pairs(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for pair in comparison.pairs:
        counts = {
            "both right": pair.both_right,
            f"only {pair.first} right": pair.only_first,
            f"only {pair.second} right": pair.only_second,
            "both wrong": pair.both_wrong,
        }
        yield {
            "title": f"{pair.second} and {pair.first}",
            "verdict": pair.verdict(),
            "difference": f"{pair.second} minus {pair.first}: {pair.difference_text()}.",
            "narrow": pair.has_narrow_interval,
            "counts": {
                name: {"number": f"{number:,}", "share": percent(number / pair.num_images)}
                for name, number in counts.items()
            },
            "metrics": {
                name.replace("_", " "): (
                    f"{each.difference:+.3f}",
                    f"{each.low:+.3f} to {each.high:+.3f}",
                )
                for name, each in pair.metrics.items()
            },
        }


def configs_section(comparison: Comparison) -> Section:
    """Return the keys in which the configs of the runs differ."""
    title = "What was asked"
    if not all(run.config for run in comparison.runs):
        without = next(run.name for run in comparison.runs if not run.config)
        return Section("configs", title, missing=f"{without} has no config to compare.")
    rows = [
        # None is "as in the first run": long values are there once.
        {"key": each.key, "cells": [first, *(None if cell == first else cell for cell in others)]}
        for each in comparison.differences
        for first, *others in each.rows()
    ]
    values = {"names": [run.name for run in comparison.runs], "rows": rows}
    return Section("configs", title, values)

"""Export runs to every format, score each file on the test images, and print two markdown tables.

    cnnkit train sign_digits.yaml && cnnkit train transfer.yaml && cnnkit train hub.yaml
    python scripts/export_results.py runs/sign_digits runs/transfer runs/hub

`difference` is the largest difference of a probability from that of the Keras model on the stored
images. `accuracy` is that of the test images, with the 95% interval of its difference from that of
the run's own model.tflite; `same` is the share of test images that get the same answer. `ms` is the
median time for one decoded image. The second table has accuracy, size and time only, a row per run.
The exports are written into a temporary folder.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cnnkit.export import FORMATS, export_run
from cnnkit.export.judgement import HeldOut
from cnnkit.runs import Run
from cnnkit.runtimes import predictor_of

_EVERYTHING = 100.0  # percentage points: no format is refused


def main() -> None:
    """Export, score and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    names = [name for name, kind in FORMATS.items() if kind.is_installed()]
    parser.add_argument("--formats", nargs="+", choices=names, default=names, metavar="FORMAT")
    arguments = parser.parse_args()
    found = [row for folder in arguments.runs for row in rows(Run(folder), arguments.formats)]
    columns = ["run", "format", "size", "ms", "difference", "accuracy", "points (95%)", "same"]
    print_table(columns, found)
    print()
    short: dict[str, list[str]] = {}
    for name, _, size, milliseconds, _, accuracy, *_ in found:
        short.setdefault(name, [name]).append(f"{accuracy}, {size}, {milliseconds} ms")
    print_table(["run", *arguments.formats], short.values())


def print_table(columns: list[str], table: Iterable[list[str]]) -> None:
    """Print a markdown table."""
    for cells in (columns, ["---"] * len(columns), *table):
        print(f"| {' | '.join(cells)} |")


def rows(run: Run, names: list[str]) -> Iterator[list[str]]:
    """Yield the cells of a row per format."""
    held_out = HeldOut(run, predictor_of(run.tflite), print)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "export"
        formats = export_run(run, names, output=output, allow_drop=_EVERYTHING).formats
        for name, values in formats.items():
            judgement = values.get("judgement")
            if judgement is None:
                path = output / values["file"] / FORMATS[name].model
                judgement = held_out.judge(predictor_of(path)).as_dict()
            yield [run.name, name, *cells(values, judgement)]


def cells(values: dict[str, Any], judgement: dict[str, Any]) -> list[str]:
    """Return size, time, difference, accuracy with its interval, and agreement."""
    low, high = (100 * end for end in judgement["interval"])
    points = 100 * (judgement["accuracy"] - judgement["original_accuracy"])
    return [
        f"{values['bytes'] / 1e6:.2f} MB",
        f"{judgement['milliseconds']:.1f}",
        f"{values['max_difference']:.0e}",
        f"{judgement['accuracy']:.3f}",
        f"{points:+.1f} ({low:+.1f} to {high:+.1f})",
        f"{judgement['agreement']:.1%}",
    ]


if __name__ == "__main__":
    main()

"""`cnnkit data split`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, print_json, say
from cnnkit.cli.data_argument import data_section, is_config
from cnnkit.cli.options import json_option, set_option
from cnnkit.text import shown

if TYPE_CHECKING:
    from cnnkit.data.split.division import Division


@click.command(cls=Command)
@click.argument("source", metavar="SOURCE|CONFIG")
@click.option(
    "-o",
    "--output",
    metavar="FILE.csv",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The manifest to write. By default NAME.split.csv beside the source called NAME.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="K",
    help="Write K manifests, FILE.fold1.csv and so on; in each, another fold is the test split.",
)
@set_option
@json_option
def split(
    source: str,
    output: Path | None,
    folds: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Divide the images and write which one is for what, as a CSV file that `train` accepts.

    Where the file exists, its images keep their side, and new ones are added.
    """
    from cnnkit.data.split.division import divide, divide_into_folds
    from cnnkit.progress import report_for

    section = data_section(source, overrides)
    file = output or _default_output(section.source)
    report = report_for(sys.stderr)
    with report.counting("reading images") as progress:
        told = {"note": report.note, "progress": progress}
        if folds is None:
            made = [divide(section, file, **told)]
        else:
            made = divide_into_folds(section, file, folds, **told)
    if as_json:
        return print_json({"manifests": [division.as_dict() for division in made]})
    click.echo(_class_table(made[0]) if len(made) == 1 else _fold_table(made))
    _say_what_next(made, source, overrides)
    if overrides:
        say(f"when images have come: {_again(source, output, folds, overrides)}")


def _default_output(source: str) -> Path:
    path = Path(source)
    name = path.name if path.is_dir() else path.stem
    return path.parent / f"{name}.split.csv"


def _say_what_next(made: Sequence[Division], source: str, overrides: tuple[str, ...]) -> None:
    say(
        "Nothing was decoded: `cnnkit data check "
        f"{shlex.quote(str(made[0].file))}` finds files that cannot be."
    )
    for division in made:
        say(f"next: {_train_command(division.file, source, overrides)}")


def _again(source: str, output: Path | None, folds: int | None, overrides: tuple[str, ...]) -> str:
    """Return the command that brings the manifest up to date, with the same rules."""
    options = ["-o", str(output)] if output else []
    options += ["--folds", str(folds)] if folds else []
    return shlex.join(["cnnkit", "data", "split", source, *options, *_sets(overrides)])


def _train_command(file: Path, source: str, overrides: tuple[str, ...]) -> str:
    if is_config(source):  # a path in --set is relative to the config
        place = os.path.relpath(file, os.path.dirname(source))
    else:
        place = os.path.abspath(file)
    config = source if is_config(source) else "CONFIG"
    sets = _sets((*overrides, f"data.source={place}"))
    return shlex.join(["cnnkit", "train", config, *sets])


def _sets(overrides: Iterable[str]) -> list[str]:
    return [word for text in overrides for word in ("--set", text)]


def _class_table(division: Division) -> str:
    from cnnkit.text import count_of

    names = list(next(iter(division.counts.values())))
    rows = [[shown(name), *(counts[name] for counts in division.counts.values())] for name in names]
    totals = [sum(counts.values()) for counts in division.counts.values()]
    table = _table([["class", *division.counts], *rows, ["all", *totals]])
    changes = [
        f"{count_of(division.kept, 'image')} kept {'its' if division.kept == 1 else 'their'} side",
        f"{count_of(division.new, 'is', 'are')} new",
        f"{count_of(division.gone, 'is', 'are')} gone",
    ]
    if division.relabelled:
        changes.append(f"{division.relabelled:,} changed class")
    return f"{table}\n{shown(str(division.file))}: {', '.join(changes)}"


def _fold_table(made: Sequence[Division]) -> str:
    splits = list(made[0].counts)
    rows = [
        [
            shown(str(division.file)),
            *(sum(division.counts[split].values()) for split in splits),
            division.kept,
            division.new,
            division.gone,
        ]
        for division in made
    ]
    return _table([["file", *splits, "kept", "new", "gone"], *rows])


def _table(rows: Sequence[Sequence[str | int]]) -> str:
    """Return lines of columns; the first is text, the others are numbers below their names."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    )

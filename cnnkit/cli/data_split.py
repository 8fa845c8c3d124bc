"""`cnnkit data split`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.data_argument import data_section, is_config
from cnnkit.cli.options import json_option, output_option, set_option
from cnnkit.text import as_argument, command_line, quoted

if TYPE_CHECKING:
    from cnnkit.data.split.division import Division


@click.command(cls=Command, examples=["cnnkit data split photos/ -o split.csv"])
@click.argument("source", metavar="SOURCE|CONFIG")
@output_option(
    "The manifest to write. Default: NAME.split.csv next to the source called NAME.",
    metavar="FILE.csv",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="K",
    help="Write K manifests, FILE.fold1.csv and so on; each has a different fold as test split.",
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
    """Divide images into train, validation and test, and write a manifest that `train` accepts.

    The manifest is a CSV file. If it exists, its images stay in their split, and new images are
    added. Any other file, and the manifest of other images, is never replaced.
    """
    from cnnkit.data.split.division import divide, divide_into_folds
    from cnnkit.data.split.manifest_tables import Manifests
    from cnnkit.progress import report_for

    section = data_section(source, overrides)
    file = output or _default_output(section.source)
    report = report_for(sys.stderr)
    with report.counting("reading images") as progress:
        options = {"note": report.note, "progress": progress}
        if folds is None:
            made = [divide(section, file, **options)]
        else:
            made = divide_into_folds(section, file, folds, **options)
    hints = [*_what_next(made, source, overrides), *_again(source, output, folds, overrides)]
    show(Manifests(made), as_json, hints)


def _default_output(source: str) -> Path:
    path = Path(source)
    name = path.name if path.is_dir() else path.stem
    return path.parent / f"{name}.split.csv"


def _what_next(made: Sequence[Division], source: str, overrides: tuple[str, ...]) -> Iterator[str]:
    yield (
        # Only the bytes were read, because splits depend on their hashes alone.
        f"No image was decoded: `cnnkit data check {quoted(made[0].file)}` finds files "
        "that cannot be decoded."
    )
    for division in made:
        yield f"next: {_train_command(division.file, source, overrides)}"


def _again(
    source: str, output: Path | None, folds: int | None, overrides: tuple[str, ...]
) -> Iterator[str]:
    """Yield the command that updates the manifest by the same rules, if rules were given."""
    if overrides:
        options = ["-o", as_argument(output)] if output else []
        options += ["--folds", str(folds)] if folds else []
        words = ["cnnkit", "data", "split", as_argument(source), *options, *_sets(overrides)]
        yield f"when you have added images: {command_line(*words)}"


def _train_command(file: Path, source: str, overrides: tuple[str, ...]) -> str:
    if is_config(source):  # a path in --set is relative to the config
        place = os.path.relpath(file, os.path.dirname(source))
    else:
        place = os.path.abspath(file)
    config = as_argument(source) if is_config(source) else "CONFIG"
    sets = _sets((*overrides, f"data.source={place}"))
    return command_line("cnnkit", "train", config, *sets)


def _sets(overrides: Iterable[str]) -> list[str]:
    return [word for text in overrides for word in ("--set", text)]

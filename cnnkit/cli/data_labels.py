"""`cnnkit data labels`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.data_argument import is_config
from cnnkit.cli.options import (
    json_option,
    number_option,
    output_option,
    overwrite_option,
    runs_option,
    set_option,
)
from cnnkit.text import command_line, quoted

if TYPE_CHECKING:
    from cnnkit.config import Config


@click.command(cls=Command, examples=["cnnkit data labels photos.yaml -o labels.csv"])
@click.argument("source", metavar="RUN|CONFIG")
@output_option(
    "The list to write; the contact sheet gets the same name with .png. Default: NAME.labels.csv "
    "in this folder.",
    metavar="FILE.csv",
)
@number_option("--folds", default=5, least=2, most=100, help="How many models are made.")
@set_option
@overwrite_option
@runs_option
@json_option
def labels(
    source: str,
    output: Path | None,
    folds: int,
    overrides: tuple[str, ...],
    overwrite: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """List all images, those whose label is probably wrong first, and draw the first ones.

    Each image is judged by a model that has not seen it. With a backbone that takes seconds once
    its features are known; otherwise a network is trained for each fold. Fill in the column
    new_label of the list and set data.labels to it: images are known by their content, and nothing
    is moved.
    """
    from cnnkit.output_guard import PICTURE, check_output

    config, name = _config(source, overrides, runs_folder)
    file = output or Path(f"{name}.labels.csv")
    sheet = file.with_suffix(".png")
    inputs = [source, config.data.source, *([config.data.labels] if config.data.labels else [])]
    check_output(file, "--output", (".csv",), overwrite=overwrite, inputs=inputs)
    check_output(sheet, "--output", PICTURE, overwrite=overwrite, inputs=inputs)
    # Only now: this imports TensorFlow, which takes seconds, and mistakes should show at once.
    from cnnkit.data.sources.builtin import make_builtin
    from cnnkit.label_review.out_of_sample import out_of_sample
    from cnnkit.label_review.review import Review
    from cnnkit.progress import report_for

    report = report_for(sys.stderr)
    make_builtin(config.data, report)
    review = Review(out_of_sample(config, folds, report), file, sheet)
    review.write()
    train = command_line("cnnkit", "train", source if is_config(source) else "CONFIG")
    say(f"The list is in {quoted(file)}, its first images are drawn in {quoted(sheet)}.")
    hint = f"next: fill in new_label, then {train} --set data.labels={quoted(file.absolute())}"
    show(review, as_json, [hint])


def _config(source: str, overrides: tuple[str, ...], runs_folder: Path) -> tuple[Config, str]:
    from cnnkit.config import load_config
    from cnnkit.runs import find_run

    if is_config(source):
        return load_config(source, overrides), Path(source).stem
    run = find_run(source, runs_folder, say)
    return load_config(run.config, overrides), run.name

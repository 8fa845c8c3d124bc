"""`cnnkit watch`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, say
from cnnkit.cli.model_options import any_model_options
from cnnkit.cli.options import number_option, output_option, runs_option
from cnnkit.errors import UsageError
from cnnkit.text import count_of

if TYPE_CHECKING:
    from cnnkit.foreign.how_to_read import HowToRead


@click.command(
    cls=Command,
    examples=[
        "cnnkit watch incoming/ -o answers.jsonl",
        "cnnkit watch incoming/ -o answers.jsonl --sort-into sorted/ --once",
    ],
)
@click.argument("folder", type=click.Path(file_okay=False))
@output_option("The file to which answers are added as JSON lines; its name ends in .jsonl.")
@any_model_options
@number_option("--topk", default=1, help="How many classes to name per image.")
@click.option(
    "--sort-into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy each image into the folder of its class inside this folder.",
)
@click.option(
    "--quiet-seconds",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="A file that has not changed for so long is whole and is answered.",
)
@click.option("--once", is_flag=True, help="Answer what is there, and end.")
@runs_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print each answer on stdout, too, as a line of JSON."
)
def watch(
    folder: str,
    output: Path | None,
    model: str | None,
    how: HowToRead,
    topk: int,
    sort_into: Path | None,
    quiet_seconds: float,
    once: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Predict the images that appear in a folder, until it is stopped.

    Each file is answered once, also after a restart: the answers in --output say which were. A file
    that changes is answered again.
    """
    from cnnkit.foreign.chosen_model import find_chosen, load_chosen
    from cnnkit.prediction import predict
    from cnnkit.prediction.watched_folder import (
        WatchedFolder,
        add_answer,
        answered,
        copy_sorted,
    )

    _check_places(folder, output, sort_into)
    path = find_chosen(model, runs_folder, say)
    predictor = load_chosen(path, how, say)
    say(f"model: {path}")
    watched = WatchedFolder(folder, answered(output), 0 if once else quiet_seconds)
    number = 0
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("a", encoding="utf-8") as file:
        try:
            while True:
                versions = {version[0]: version for version in watched.new()}
                for prediction in predict(predictor, iter(versions)):
                    line = add_answer(file, prediction, versions[prediction.path], topk)
                    if as_json:
                        click.echo(line)
                    if sort_into is not None:
                        copy_sorted(prediction, sort_into)
                    number += 1
                for note in watched.notes():
                    say(note)
                if once:
                    break
                time.sleep(min(1.0, quiet_seconds / 2) or 0.1)
        except KeyboardInterrupt:  # the usual end
            pass
    say(f"{count_of(number, 'image')} answered.")


def _check_places(folder: str, output: Path | None, sort_into: Path | None) -> None:
    if not Path(folder).is_dir():
        raise UsageError(f"{folder} is not a folder. Name the folder in which images appear.")
    if output is None or output.suffix.lower() != ".jsonl":
        raise UsageError("Name the file for the answers with --output; its name ends in .jsonl.")
    inside = Path(folder).resolve()
    for option, place in (("--output", output), ("--sort-into", sort_into)):
        if place is not None and place.resolve().is_relative_to(inside):
            raise UsageError(
                f"{option} {place} is inside the watched folder. Choose another place."
            )

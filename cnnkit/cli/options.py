"""Options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from cnnkit.runs import RUNS_FOLDER

Decorator = Callable[[Callable], Callable]

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the config, as in training.epochs=3. Repeatable.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else."
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace the files to write where they exist."
)
runs_option = click.option(
    "--runs-folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS_FOLDER,
    show_default=True,
    envvar="CNNKIT_RUNS",
    help="Where run folders are.",
)
model_option = click.option(
    "--model",
    metavar="RUN|FILE",
    help="A run folder or name, or a model file. Without it, the newest finished run.",
)
num_classes_option = click.option(
    "--num-classes",
    type=click.IntRange(min=2),
    help="Number of classes where the data is not at hand.",
)


def short_options(command: Callable) -> Callable:
    """Add the three short ways to override what everybody changes."""
    for name, key in (("epochs", "training"), ("batch-size", "data"), ("seed", "training")):
        command = click.option(
            f"--{name}", type=int, help=f"Same as --set {key}.{name.replace('-', '_')}=N."
        )(command)
    return command


def with_short(
    overrides: tuple[str, ...], epochs: int | None, batch_size: int | None, seed: int | None
) -> tuple[str, ...]:
    """Return the overrides with the short options behind them."""
    short = {"training.epochs": epochs, "data.batch_size": batch_size, "training.seed": seed}
    return (*overrides, *(f"{key}={value}" for key, value in short.items() if value is not None))


def one_model(run: str | None, model: str | None) -> str | None:
    """Return what names the model: the argument or `--model`, not both."""
    if run and model:
        raise click.UsageError(f"Name the model once: {run}, or --model {model}.")
    return run or model

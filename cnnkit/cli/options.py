"""Options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from cnnkit.default_folders import RUNS_FOLDER

Decorator = Callable[[Callable], Callable]

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the config, for example training.epochs=3. Repeatable.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else."
)
overwrite_option = click.option(
    "--overwrite",
    is_flag=True,
    help="Replace files that exist. A picture that cnnkit did not draw, a file that the command "
    "reads, or a file of a run is never replaced.",
)
runs_option = click.option(
    "--runs-folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS_FOLDER,
    show_default=True,
    envvar="CNNKIT_RUNS",
    help="The folder that holds the run folders.",
)
model_option = click.option(
    "--model",
    metavar="RUN|FILE",
    help="A run folder or name, or a model file. Default: the newest finished run.",
)
# For commands that look into layers, which an exported file no longer has.
keras_model_option = click.option(
    "--model",
    metavar="RUN|FILE",
    help="A run folder or name, or a .keras file in a run. Default: the newest finished run.",
)
num_classes_option = click.option(
    "--num-classes",
    type=click.IntRange(min=2),
    help="The number of classes, if the data is not on this machine.",
)
layer_option = click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help="Draw only this convolutional layer, for example conv_2. Repeatable. Default: all.",
)


def _use_device(context: click.Context, parameter: click.Parameter, name: str | None) -> None:
    if name is not None:
        # Only if it is asked for: this imports TensorFlow, which takes seconds.
        from cnnkit.device_choice import use_device

        use_device(name)


# For commands whose model Keras computes; a .tflite file always computes on the CPU.
device_option = click.option(
    "--device",
    metavar="DEVICE",
    callback=_use_device,
    expose_value=False,
    help="What Keras computes on: cpu, or a GPU such as gpu:1. Default: the first GPU, or the CPU "
    "if there is none.",
)


def output_option(help: str, default: str | None = None, metavar: str | None = None) -> Decorator:
    """Return `-o/--output` for a file to write."""
    return click.option(
        "-o",
        "--output",
        metavar=metavar,
        type=click.Path(path_type=Path, dir_okay=False),
        default=default,
        show_default=default is not None,
        help=help,
    )


def number_option(
    *names: str, default: int, least: int = 1, most: int | None = None, help: str
) -> Decorator:
    """Return an option for a whole number from `least` to `most`, whose default is shown."""
    return click.option(
        *names,
        type=click.IntRange(min=least, max=most),
        default=default,
        show_default=True,
        help=help,
    )


def pictures_option(default: str) -> Decorator:
    """Return `--output` for a folder of pictures; `default` is relative to the run folder."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        help="The folder to write to: a new or an empty one, or with --overwrite one that features "
        f"or filters wrote. Default: {default} in the run folder, or if it exists, the same name "
        "followed by -2, -3, ...",
    )


def short_options(command: Callable) -> Callable:
    """Add short ways to override the three keys that are changed most often."""
    for name, key in (("epochs", "training"), ("batch-size", "data"), ("seed", "training")):
        # Any whole number: the config knows the allowed range, and its message names the key.
        command = click.option(
            f"--{name}", type=int, help=f"Same as --set {key}.{name.replace('-', '_')}=N."
        )(command)
    return command


def with_short(
    overrides: tuple[str, ...], epochs: int | None, batch_size: int | None, seed: int | None
) -> tuple[str, ...]:
    """Return the overrides followed by the short options, so that the short options win."""
    short = {"training.epochs": epochs, "data.batch_size": batch_size, "training.seed": seed}
    return (*overrides, *(f"{key}={value}" for key, value in short.items() if value is not None))


def one_model(run: str | None, model: str | None) -> str | None:
    """Return the name of the model: the argument or `--model`, not both."""
    if run and model:
        raise click.UsageError(f"Name the model once: {run}, or --model {model}.")
    return run or model

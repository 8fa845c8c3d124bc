"""`cnnkit embed`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.model_options import any_model_options
from cnnkit.cli.options import json_option, output_option, overwrite_option, runs_option
from cnnkit.errors import UsageError

if TYPE_CHECKING:
    from cnnkit.foreign.how_to_read import HowToRead


@click.command(
    cls=Command,
    examples=[
        "cnnkit embed photos/ -o features.npy",
        "cnnkit embed photos/ -o features.parquet --model EfficientNetLite0",
    ],
)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@output_option("The file to write, .npy or .parquet. It appears when all features are computed.")
@any_model_options
@overwrite_option
@click.option(
    "--allow-errors", is_flag=True, help="Exit with 0 even if some images cannot be read."
)
@runs_option
@json_option
def embed(
    images: tuple[str, ...],
    output: Path | None,
    model: str | None,
    how: HowToRead,
    overwrite: bool,
    allow_errors: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Compute the features of images: what the model knows before it decides on a class.

    They are the input of the last dense layer, as float32, one row per image in the order of the
    images. With FILE.npy, the paths are in FILE.paths.csv; Parquet has them in a column. An image
    that cannot be read is named, has no row, and the exit code is 1. Images are files, folders,
    globs, archives, addresses, or - for a list on stdin.
    """
    from cnnkit.data.sources.ignored import Ignored
    from cnnkit.embedding.embed_images import embed_images
    from cnnkit.embedding.feature_extractor import feature_extractor
    from cnnkit.foreign.chosen_model import find_chosen, load_chosen
    from cnnkit.runs import note_unfinished, run_around

    path = find_chosen(model, runs_folder, say)
    output = _checked(output, images, path, overwrite)
    if model is None:
        say(f"model: {path}")
    if run := run_around(path):
        note_unfinished(run, say)
    extractor = feature_extractor(load_chosen(path, how, say))
    ignored = Ignored()
    done = embed_images(_found(images, ignored), extractor, output, path, say)
    for sentence in ignored.notes():
        say(sentence)
    show(done, as_json, failure=None if allow_errors else done.failure())


def _checked(output: Path | None, images: tuple[str, ...], model: Path, overwrite: bool) -> Path:
    from cnnkit.embedding.embed_images import FORMATS
    from cnnkit.embedding.feature_files import paths_file
    from cnnkit.output_guard import STDIN, check_output

    if output is None:
        raise UsageError("Name the file for the features: --output FILE.npy or FILE.parquet.")
    inputs = [*images, STDIN, model]
    check_output(output, "--output", tuple(FORMATS), overwrite=overwrite, inputs=inputs)
    if output.suffix.lower() == ".parquet":
        from cnnkit.prediction.parquet_output import check_parquet

        return check_parquet(output)
    check_output(paths_file(output), "--output", (".csv",), overwrite=overwrite, inputs=inputs)
    return output


def _found(images: tuple[str, ...], ignored: Any) -> Iterator[Any]:
    from cnnkit.prediction.image_sources import ImageSources

    sources = ImageSources()
    for image in images:
        if image == "-":
            from cnnkit.cli.path_list import paths_in

            yield from map(sources.named, paths_in(sys.stdin.buffer))
        else:
            yield from sources.find([image], ignored)

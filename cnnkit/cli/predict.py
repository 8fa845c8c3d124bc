"""`cnnkit predict`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnkit.cli.command import Command, say
from cnnkit.cli.model_options import any_model_options
from cnnkit.cli.options import number_option, output_option, overwrite_option, runs_option
from cnnkit.cli.predict_merge import merge
from cnnkit.errors import UsageError
from cnnkit.text import count_of

if TYPE_CHECKING:
    from cnnkit.data.sources.ignored import Ignored
    from cnnkit.foreign.how_to_read import HowToRead
    from cnnkit.prediction.kept_answers import KeptAnswers


@click.command(
    cls=Command,
    commands={"merge": merge},
    examples=[
        "cnnkit predict photo.jpg --topk 3",
        "cnnkit predict photo.jpg --model EfficientNetLite0",
        "cnnkit predict photo.jpg --model model.tflite --labels labels.txt --scaling tf",
        "cnnkit predict holiday/ -o answers.csv --resume",
        "cnnkit predict holiday/ -o answers-2.csv --shard 2/8",
        "find holiday -name '*.jpg' -print0 | cnnkit predict - -0 --json",
    ],
)
@click.argument("images", metavar="IMAGE...", nargs=-1)
@any_model_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "jsonl", "parquet"]),
    help="How to write predictions. Default: csv, jsonl or parquet if the name of --output ends "
    "so; table otherwise.",
)
@number_option("--topk", default=1, help="How many classes to show per image.")
@output_option("Write to this file instead of stdout. It appears when all images are predicted.")
@overwrite_option
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an interrupted prediction with the answers in OUTPUT.partial. If OUTPUT is "
    "complete, nothing is done.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Predict only the I-th of N parts of the images, for I from 1 to N, in any order and on "
    "any computer. `cnnkit predict merge` joins the answers.",
)
@click.option(
    "-0", "null", is_flag=True, help="Paths on stdin end with a NUL byte, not with a newline."
)
@click.option("--stdin-image", is_flag=True, help="Read the bytes of one image file from stdin.")
@click.option(
    "--allow-private-addresses",
    "allow_private",
    is_flag=True,
    help="Also read http and https addresses of this computer and of private networks.",
)
@click.option(
    "--allow-errors", is_flag=True, help="Exit with 0 even if some images cannot be read."
)
@runs_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON lines on stdout: one for each image, then one for each ignored file.",
)
def predict(
    images: tuple[str, ...],
    model: str | None,
    how: HowToRead,
    format_: str | None,
    topk: int,
    output: Path | None,
    overwrite: bool,
    resume: bool,
    shard: str | None,
    null: bool,
    stdin_image: bool,
    allow_private: bool,
    allow_errors: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Predict the classes of images: files, folders, globs, archives, addresses, or - for stdin.

    Addresses begin with http:// or https://, or with s3://, gs:// and others that fsspec reads. On
    stdin, each line is a path or an address.

    An image that cannot be read gets a row with its error, the other images are predicted, and the
    exit code is 1. A model that `cnnkit calibrate` has calibrated answers "unknown", with the
    reason, to images that it is not sure of or that are of another kind. --json is the same as
    --format jsonl.

    `cnnkit predict merge` joins the answers of several parts; a folder of this name is ./merge.
    """
    _check_images(images, stdin_image)
    if resume and _is_complete(output, overwrite):
        say(f"{output} is complete.")
        return
    from cnnkit.data.sources.ignored import Ignored
    from cnnkit.foreign.chosen_model import find_chosen, load_chosen
    from cnnkit.output_guard import ANSWERS, STDIN, check_output
    from cnnkit.prediction import is_one_image
    from cnnkit.prediction import predict as predict_images
    from cnnkit.prediction.output_formats import format_of, with_pace, write_predictions
    from cnnkit.runs import note_unfinished, run_around

    format_ = "jsonl" if as_json else format_ or format_of(output)
    if format_ == "parquet":
        from cnnkit.prediction.parquet_output import check_parquet

        check_parquet(output)
    belongs_here = _parts(shard)
    path = find_chosen(model, runs_folder, say)
    files = [*images, STDIN, path, *path.rglob("*")]  # a SavedModel is a folder
    check_output(output, "--output", ANSWERS, overwrite=overwrite, inputs=files)
    if model is None:
        say(f"model: {path}")
    if run := run_around(path):
        note_unfinished(run, say)
    predictor = load_chosen(path, how, say)
    ignored = Ignored()
    sources: Iterable[Any] = [sys.stdin.buffer.read()] if stdin_image else images
    if not is_one_image(sources):
        sources = _found(images, null, ignored, allow_private)
    if belongs_here is not None:
        sources = filter(belongs_here, sources)
    facts = (path, predictor.info.class_names, how.options())
    with _kept(output, *facts, resume, overwrite) as kept:
        answers = predict_images(predictor, sources, kept)
        if output or not sys.stdout.isatty():  # on a screen the answers themselves show the pace
            answers = with_pace(answers, say)
        total, failed = write_predictions(
            answers,
            predictor.info.class_names,
            format_,
            topk,
            output,
            ignored,
            is_calibrated=predictor.info.calibration is not None,
        )
    _say_what_is_missing(ignored, total, failed, shard is not None)
    if failed and not allow_errors:
        sys.exit(1)


def _say_what_is_missing(ignored: Ignored, total: int, failed: int, is_part: bool) -> None:
    for sentence in ignored.notes():
        say(sentence)
    if not total:
        say(
            "None of the images belongs to this part."
            if is_part
            else "There are no paths on standard input."
        )
    if failed:
        say(
            "The image could not be read."
            if total == 1
            else f"{failed} of {total} images could not be read."
        )


def _is_complete(output: Path | None, overwrite: bool) -> bool:
    """Tell whether an earlier command has written all answers, so that --resume has none to add."""
    if output is None:
        raise UsageError("--resume continues a file of answers: name it with --output.")
    from cnnkit.prediction.kept_answers import partial_path

    return output.is_file() and not overwrite and not partial_path(output).exists()


def _parts(shard: str | None) -> Callable[[object], bool] | None:
    """Return the test whether an image belongs to the part that --shard names."""
    if shard is None:
        return None
    from cnnkit.prediction import name_of
    from cnnkit.prediction.shard import Shard

    part = Shard.parse(shard)
    return lambda image: part.has(name_of(image))


@contextlib.contextmanager
def _kept(
    output: Path | None,
    model: Path,
    class_names: tuple[str, ...],
    how: Mapping[str, Any],
    resume: bool,
    overwrite: bool,
) -> Iterator[KeptAnswers | None]:
    """Keep answers beside a file until it is complete; a screen, a pipe or a device has none."""
    if output is None or (output.exists() and not output.is_file()):
        yield None
        return
    from cnnkit.prediction.kept_answers import kept_answers, partial_path

    options = {"resume": resume, "overwrite": overwrite, "how": how}
    with kept_answers(output, model, class_names, **options) as kept:
        try:
            yield kept
        except KeyboardInterrupt as interrupt:
            are = "is" if kept.num_answers == 1 else "are"
            raise KeyboardInterrupt(
                f"Interrupted. {count_of(kept.num_answers, 'answer')} {are} kept in "
                f"{partial_path(output)}. To continue, add --resume to the same command."
            ) from interrupt


def _check_images(images: tuple[str, ...], stdin_image: bool) -> None:
    if bool(images) == stdin_image:
        raise UsageError(
            "Name the images: files, folders, globs, or - for paths on stdin; or use "
            "--stdin-image alone."
        )
    # Python has None here if the program was started without standard input.
    if sys.stdin is None and (stdin_image or "-" in images):
        raise UsageError("Standard input is closed, so nothing can be read from it.")


def _found(
    images: tuple[str, ...], null: bool, ignored: Ignored, allow_private: bool
) -> Iterator[Any]:
    from cnnkit.prediction.image_sources import ImageSources

    sources = ImageSources(allow_private=allow_private)
    for image in images:
        if image == "-":
            from cnnkit.cli.path_list import paths_in

            yield from map(sources.named, paths_in(sys.stdin.buffer, null=null))
        else:
            yield from sources.find([image], ignored)

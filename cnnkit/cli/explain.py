"""`cnnkit explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.model_options import any_model_options
from cnnkit.cli.options import device_option, json_option, number_option, runs_option
from cnnkit.errors import UsageError

if TYPE_CHECKING:
    from cnnkit.foreign.how_to_read import HowToRead

# Written out, because the help must not import what needs NumPy.
_METHODS = (
    "grad-cam",
    "grad-cam++",
    "layer-cam",
    "saliency",
    "smooth-grad",
    "integrated-gradients",
    "occlusion",
)


@click.command(
    cls=Command,
    examples=[
        "cnnkit explain photo.jpg",
        "cnnkit explain photo.jpg --class cat --against dog --method layer-cam",
        "cnnkit explain --errors --model runs/photos --neighbours 6",
        "cnnkit explain --map test",
    ],
)
@click.argument("images", metavar="IMAGE...", nargs=-1, type=click.Path())
@any_model_options
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice([*_METHODS, "all"]),
    default=["grad-cam"],
    show_default=True,
    help="How to explain. Repeatable, or all. Occlusion works for every model file, and without "
    "TensorFlow.",
)
@click.option(
    "--class", "class_name", metavar="CLASS", help="Explain this class. Default: the predicted one."
)
@click.option("--against", metavar="CLASS", help="Explain why not this class instead.")
@click.option(
    "--layer",
    metavar="NAME",
    help="The layer that grad-cam, grad-cam++ and layer-cam look at. A wrong name lists all. "
    "Default: the last one that sees places.",
)
@click.option(
    "--errors",
    is_flag=True,
    help="Explain the most confident mistakes of an evaluation of the run: why the wrong class, "
    "and not the right one.",
)
@click.option(
    "--evaluation",
    metavar="NAME",
    help="The folder in evaluation/ of the run with the mistakes for --errors: a split, or the "
    "name that `cnnkit evaluate --data` gave. Default: test.",
)
@click.option(
    "--images",
    "num_images",
    type=click.IntRange(min=1),
    help="How many mistakes --errors explains. Default: 12.",
)
@click.option(
    "--faithfulness",
    is_flag=True,
    help="Score each map: remove the pixels that it marks (deletion, small is good), and show them "
    "alone (insertion, large is good).",
)
@number_option(
    "--neighbours",
    default=0,
    least=0,
    most=60,
    help="Show this many training images that look most like the image to the model.",
)
@click.option(
    "--map",
    "split",
    type=click.Choice(["train", "validation", "test"]),
    help="Instead of explaining images, draw all images of a split on a page, similar ones close "
    "together.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new or an empty folder for the results. Default: explanation/ of the run.",
)
@device_option
@runs_option
@json_option
def explain(
    images: tuple[str, ...],
    model: str | None,
    how: HowToRead,
    methods: tuple[str, ...],
    class_name: str | None,
    against: str | None,
    layer: str | None,
    errors: bool,
    evaluation: str | None,
    num_images: int | None,
    faithfulness: bool,
    neighbours: int,
    split: str | None,
    output: Path | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Show which parts of images speak for an answer: files, folders or globs.

    Writes a picture, the maps as NumPy arrays and a JSON file into a folder per image.
    """
    if [bool(images), errors, split is not None].count(True) != 1:
        raise UsageError(
            "Name the images: files, folders or globs; or use --errors or --map alone."
        )
    if not errors and (evaluation or num_images):
        raise UsageError("--evaluation and --images belong to --errors.")
    if split is not None:
        return _draw_map(model, split, runs_folder, output, as_json)
    from cnnkit.explanation.explain_images import Question, explain_images
    from cnnkit.explanation.mistakes import MistakesToExplain
    from cnnkit.progress import report_for

    mistakes = MistakesToExplain(evaluation or "test", num_images or 12) if errors else None
    chosen = _METHODS if "all" in methods else tuple(dict.fromkeys(methods))
    question = Question(chosen, class_name, against, layer, faithfulness, neighbours)
    options = {"how": how, "errors": mistakes, "output": output, "report": report_for(sys.stderr)}
    found = explain_images(images, model, runs_folder, question, **options)
    if mistakes and not found.images and not found.errors:
        say(f"The evaluation {mistakes.evaluation} of the run has no mistake.")
    show(found, as_json, failure=found.failure())


def _draw_map(
    model: str | None, split: str, runs_folder: Path, output: Path | None, as_json: bool
) -> None:
    from cnnkit.explanation.split_map import draw_split_map
    from cnnkit.progress import report_for

    report = report_for(sys.stderr)
    show(draw_split_map(model, split, runs_folder, output=output, report=report), as_json)

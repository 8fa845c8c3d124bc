"""`cnnkit explain`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import json_option, model_option, runs_option
from cnnkit.errors import UsageError

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
        "cnnkit explain --errors --model runs/photos",
    ],
)
@click.argument("images", metavar="IMAGE...", nargs=-1, type=click.Path())
@model_option
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
    help="Explain the 12 most confident mistakes of the run's evaluation on its test images: why "
    "the wrong class, and not the right one.",
)
@click.option(
    "--faithfulness",
    is_flag=True,
    help="Score each map: remove the pixels that it marks (deletion, small is good), and show them "
    "alone (insertion, large is good).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new or an empty folder for the results. Default: explanation/ of the run.",
)
@runs_option
@json_option
def explain(
    images: tuple[str, ...],
    model: str | None,
    methods: tuple[str, ...],
    class_name: str | None,
    against: str | None,
    layer: str | None,
    errors: bool,
    faithfulness: bool,
    output: Path | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Show which parts of images speak for an answer: files, folders or globs.

    Writes a picture, the maps as NumPy arrays and a JSON file into a folder per image.
    """
    if bool(images) == errors:
        raise UsageError("Name the images: files, folders or globs; or use --errors alone.")
    from cnnkit.explanation.explain_images import Question, explain_images
    from cnnkit.progress import report_for

    chosen = _METHODS if "all" in methods else tuple(dict.fromkeys(methods))
    question = Question(chosen, class_name, against, layer, faithfulness)
    options = {"errors": errors, "output": output, "report": report_for(sys.stderr)}
    found = explain_images(images, model, runs_folder, question, **options)
    if not found.images and not found.errors:
        say("The run made no mistake on its test images.")
    show(found, as_json, failure=found.failure())

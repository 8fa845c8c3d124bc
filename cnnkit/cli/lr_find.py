"""`cnnkit lr-find`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    device_option,
    json_option,
    output_option,
    overwrite_option,
    set_option,
)


@click.command("lr-find", cls=Command, examples=["cnnkit lr-find photos.yaml -o loss.png"])
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@output_option("Also draw the loss over the learning rate into this .png or .svg file.")
@overwrite_option
@device_option
@json_option
def lr_find(
    path: Path, overrides: tuple[str, ...], output: Path | None, overwrite: bool, as_json: bool
) -> None:
    """Suggest a learning rate: train some steps with one that rises, and see when the loss falls.

    It takes at most 141 steps of the first phase and writes no run. The suggestion is a place to
    start from, not the best value.
    """
    from cnnkit.config import load_config
    from cnnkit.output_guard import DRAWING, check_output
    from cnnkit.progress import report_for

    check_output(output, "--output", DRAWING, overwrite=overwrite, inputs=[path])
    config = load_config(path, overrides)
    # Only now: this imports TensorFlow, which takes seconds, and mistakes should show at once.
    from cnnkit.training.learning_rate_range import find_learning_rate

    found = find_learning_rate(config, report_for(sys.stderr))
    if output:
        from cnnkit.plots.learning_rate_range_plot import plot_learning_rate_range

        drawn = (found.learning_rates, found.losses, found.smoothed)
        plot_learning_rate_range(*drawn, found.fall, found.suggestion, output)
        say(f"The drawing is in {output}.")
    show(found, as_json)

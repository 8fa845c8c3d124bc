"""`cnnkit schedule`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import (
    json_option,
    output_option,
    overwrite_option,
    set_option,
    short_options,
    with_short,
)


@click.command(cls=Command, examples=["cnnkit schedule photos.yaml -o learning_rate.png"])
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@short_options
@output_option("Also draw the learning rate of every step into this .png or .svg file.")
@overwrite_option
@json_option
def schedule(
    path: Path,
    overrides: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    seed: int | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Show the learning rate of every step that `train` would take.

    It is the product of the optimizer's learning rate, the warm-up and the schedule of each phase.
    Nothing is trained.
    """
    from cnnkit.config import load_config
    from cnnkit.output_guard import DRAWING, check_output
    from cnnkit.progress import report_for
    from cnnkit.training.planned_rates import planned_rates

    check_output(output, "--output", DRAWING, overwrite=overwrite, inputs=[path])
    config = load_config(path, with_short(overrides, epochs, batch_size, seed))
    found = planned_rates(config, report_for(sys.stderr))
    if output:
        from cnnkit.plots.rates_plot import plot_rates

        plot_rates([(one.label, one.num_epochs, one.rates) for one in found.phases], output)
        say(f"The drawing is in {output}.")
    show(found, as_json, notes=found.notes)

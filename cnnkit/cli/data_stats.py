"""`cnnkit data stats`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.data_argument import data_section, is_config
from cnnkit.cli.options import json_option, overwrite_option, set_option


@click.command(cls=Command, examples=["cnnkit data stats photos/ --plot stats.png"])
@click.argument("source", metavar="SOURCE|CONFIG")
@set_option
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also draw the counts, sizes and values into this PNG file.",
)
@overwrite_option
@json_option
def stats(
    source: str, overrides: tuple[str, ...], plot: Path | None, overwrite: bool, as_json: bool
) -> None:
    """Count the images per class and split, and report their sizes, formats, mean and deviation.

    With a config, the split is the one that training makes, and mean and deviation are those of the
    pixels that the model sees.
    """
    from cnnkit.data.stats import data_stats
    from cnnkit.output_guard import PICTURE, check_output
    from cnnkit.progress import report_for

    # Before the images are read, which may take minutes.
    check_output(plot, "--plot", PICTURE, overwrite=overwrite, inputs=[source])
    section = data_section(source, overrides)
    report = report_for(sys.stderr)
    with report.counting("reading images") as progress:
        found = data_stats(section, as_configured=is_config(source), progress=progress)
    for sentence in found.left_aside:
        report.note(sentence)
    if plot:
        from cnnkit.plots.stats_charts import plot_data_stats

        plot_data_stats(found, plot)
        say(f"The plot is in {plot}.")
    show(found, as_json)

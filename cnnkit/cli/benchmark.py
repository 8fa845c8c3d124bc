"""`cnnkit benchmark`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.model_options import foreign_model_options
from cnnkit.cli.options import (
    json_option,
    number_option,
    output_option,
    overwrite_option,
    runs_option,
)
from cnnkit.errors import UsageError

if TYPE_CHECKING:
    from cnnkit.foreign.how_to_read import HowToRead


@click.command(
    cls=Command,
    examples=[
        "cnnkit benchmark runs/photos -o times.png",
        "cnnkit benchmark EfficientNetLite0 EfficientNetLite2 --threads 1",
    ],
)
@click.argument("models", metavar="[RUN|FILE|NETWORK]...", nargs=-1)
@click.option(
    "--threads",
    metavar="N,...",
    help="The numbers of cores to measure with. Default: 1 and all.",
)
@click.option(
    "--batch-sizes",
    metavar="N,...",
    default="1,32",
    show_default=True,
    help="How many images to give at a time.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.01),
    default=2.0,
    show_default=True,
    help="How long to time each number of cores and each batch size.",
)
@number_option(
    "--images", "num_images", default=500, help="How many images, at most, all models answer."
)
@click.option(
    "--data",
    type=click.Path(),
    help="Images with known classes, instead of the test images of the run.",
)
@foreign_model_options
@output_option("Draw the times into this PNG or SVG file.")
@overwrite_option
@runs_option
@json_option
def benchmark(
    models: tuple[str, ...],
    threads: str | None,
    batch_sizes: str,
    seconds: float,
    num_images: int,
    data: str | None,
    how: HowToRead,
    output: Path | None,
    overwrite: bool,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Measure the files of a run, or several models: size, accuracy, time, memory.

    Of a run, the best weights and all exported files are measured. Each model is measured in a
    process of its own. Its answers to test images are compared with the true classes and with the
    answers of the original, which is the first model of the table.
    """
    from cnnkit.benchmark.benchmarked import Plan
    from cnnkit.benchmark.benchmarked import benchmark as measure_models
    from cnnkit.benchmark.contestant import contestants_of
    from cnnkit.output_guard import DRAWING, check_output
    from cnnkit.progress import report_for

    check_output(output, "--output", DRAWING, overwrite=overwrite)
    plan = Plan(_threads(threads), _numbers("--batch-sizes", batch_sizes), seconds, num_images)
    found = contestants_of(models, runs_folder, say)
    result = measure_models(found, plan, how, data=data, note=say, report=report_for(sys.stderr))
    if output is not None:
        result.draw(output)
    show(result, as_json, notes=result.failures(), failure=result.failure())


def _numbers(option: str, text: str) -> list[int]:
    numbers = [int(each) for each in text.split(",") if each.strip().isdigit()]
    if len(numbers) != text.count(",") + 1 or min(numbers) < 1:
        raise UsageError(f"{option} {text}: give whole numbers of at least 1, such as 1,8.")
    return sorted(set(numbers))


def _threads(text: str | None) -> list[int]:
    from cnnkit.usable_cores import can_limit_cores, usable_cores

    cores = usable_cores()
    if text is None:
        return sorted({1, cores}) if can_limit_cores() else [cores]
    numbers = _numbers("--threads", text)
    if numbers[-1] > cores:
        raise UsageError(f"--threads {text}: this process may use {cores} cores.")
    if numbers != [cores] and not can_limit_cores():
        raise UsageError(f"--threads {text}: this system always uses all {cores} cores.")
    return numbers

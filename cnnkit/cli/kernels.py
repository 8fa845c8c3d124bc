"""`cnnkit kernels` and `cnnkit convolve`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cnnkit.cli.command import Command, print_json
from cnnkit.cli.options import json_option, overwrite_option

_MOST_DIGITS = 9


class _Pair(click.ParamType):
    """`2` for rows and columns alike, or `ROWS,COLUMNS`."""

    name = "N|ROWS,COLUMNS"

    def __init__(self, least: int, *, both: bool = False) -> None:
        self._least, self._both = least, both

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Return (rows, columns)."""
        if isinstance(value, tuple):
            return value
        parts = value.split(",")
        if max(map(len, parts)) > _MOST_DIGITS:
            self.fail(f'"{value}" is too large.')
        if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
            parts = []
        numbers = [int(part) for part in parts]
        if not numbers or min(numbers) < self._least or (self._both and len(numbers) < 2):
            one = "" if self._both else "one whole number or "
            self.fail(f'expected {one}two, as in 2,1, of at least {self._least}, not "{value}".')
        return numbers[0], numbers[-1]


_STEPS = (
    click.option("--stride", type=_Pair(1), help="Steps of the kernel. Without it, 1."),
    click.option(
        "--padding",
        type=click.Choice(["valid", "same"]),
        help="valid: the kernel stays inside (this is the default). same: zeros around it, so that "
        "the output at stride 1 is as large as the input.",
    ),
    click.option("--pad", type=_Pair(1), help="A border of this size on each side instead."),
    click.option(
        "--pad-mode",
        type=click.Choice(["zeros", "edge", "reflect"]),
        help="What the border holds: zeros (the default), the nearest number, or a mirror image.",
    ),
    click.option("--dilation-rate", type=_Pair(1), help="Distance of neighbours in the window."),
    click.option("--relu", is_flag=True, help="Then replace negative numbers by 0."),
    click.option("--pool", type=click.Choice(["max", "average"]), help="Then pool."),
    click.option("--pool-size", type=_Pair(1), help="Window of the pooling. Without it, 2."),
    click.option("--pool-stride", type=_Pair(1), help="Its steps. Without it, its size."),
    click.option(
        "--pool-padding",
        type=click.Choice(["valid", "same"]),
        help="valid: windows that run over the edge are dropped (this is the default). same: they "
        "count, with what of them is inside.",
    ),
)


def _step_options(command: Callable) -> Callable:
    for option in reversed(_STEPS):
        command = option(command)
    return command


@click.command(cls=Command)
@click.option(
    "--input",
    "input_",
    required=True,
    metavar="MATRIX|FILE",
    help='Rows of numbers: "[[1,2],[3,4]]", or a .csv, .yaml or .json file.',
)
@click.option(
    "--kernel",
    metavar="NAME|MATRIX|FILE",
    help="An operator (cnnkit kernels --list), a matrix, or a file. Without it there is no "
    "convolution.",
)
@_step_options
@click.option("--flatten", is_flag=True, help="Then write the rows one behind the other.")
@click.option(
    "--steps",
    "most",
    type=click.IntRange(min=0),
    default=64,
    show_default=True,
    help="How many windows to print of each operation, 0 for the results alone.",
)
@json_option
def convolve(input_: str, kernel: str | None, most: int, as_json: bool, **options: Any) -> None:
    """Convolve or pool a small matrix and print every window, product and sum.

    \b
    cnnkit convolve --input "[[1,2,0],[0,1,3],[2,1,1]]" --kernel "[[1,0],[0,1]]" --relu
    cnnkit convolve --input matrix.csv --pool max --pool-padding same

    As in a layer of a CNN the kernel is not turned around (cross-correlation). Rows and columns are
    counted from 0. Numbers of an added border stand in square brackets.
    """
    from cnnkit.explore.kernels.matrices import read_matrix, read_operator
    from cnnkit.explore.kernels.stages import chain_of, check_without_kernel, run_chain
    from cnnkit.explore.kernels.worked import work_json, work_text

    chain = chain_of(**options)
    if kernel is None:
        check_without_kernel(options)
    values = read_matrix(input_, "--input")
    stages = run_chain(values, None if kernel is None else read_operator(kernel), chain)
    if as_json:
        return print_json(work_json(values, stages, most))
    click.echo(work_text(values, stages, most))


@click.command(cls=Command)
@click.argument("image", required=False, type=click.Path(path_type=Path))
@click.option(
    "--kernel",
    "kernels_",
    multiple=True,
    metavar="NAME|MATRIX|FILE",
    help='An operator, a matrix "[[0,1,0],...]", or a .yaml file of own kernels (name: matrix). '
    "Repeatable. Without it, all operators.",
)
@click.option("--list", "list_", is_flag=True, help="Print the operators and their matrices.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The PNG file to draw. Without it kernels.png, or none with --worked.",
)
@overwrite_option
@click.option(
    "--size",
    type=click.IntRange(min=8, max=1024),
    default=256,
    show_default=True,
    help="Most pixels of the longer side: a larger image is made smaller first.",
)
@click.option("--grayscale", is_flag=True, help="Filter grey levels, not red, green and blue.")
@_step_options
@click.option(
    "--worked",
    type=_Pair(0, both=True),
    metavar="ROW,COLUMN",
    help="Print the multiply-and-sum of this pixel of the convolution's output.",
)
@json_option
def kernels(
    image: Path | None,
    kernels_: tuple[str, ...],
    list_: bool,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
    size: int,
    grayscale: bool,
    worked: tuple[int, int] | None,
    **steps: Any,
) -> None:
    """Filter an image with the classic kernels of image processing, and draw the results.

    \b
    cnnkit kernels photo.jpg                                      all of them, in a grid
    cnnkit kernels photo.jpg --kernel sobel_x --relu --pool max   step by step
    cnnkit kernels photo.jpg --kernel sobel_x --worked 10,20      one pixel by hand

    As in a layer of a CNN a kernel is not turned around (cross-correlation). Each channel is
    filtered by itself. Rows and columns are counted from 0.
    """
    if list_:
        return _print_operators(as_json)
    if image is None:
        raise click.UsageError("Name an image, or give --list.")
    from cnnkit.explore.kernels.pictures import draw, filter_picture
    from cnnkit.explore.kernels.stages import chain_of
    from cnnkit.files import PICTURE, check_output

    file = output or (None if worked else Path("kernels.png"))
    check_output(file, "--output", PICTURE, overwrite=overwrite)
    chain = chain_of(**steps)
    answers = filter_picture(image, kernels_, chain, size=size, grayscale=grayscale, worked=worked)
    if file:
        draw(answers, file)
    if as_json:
        return print_json(answers.as_dict(file))
    click.echo(answers.text() + (f"\n\n{file}" if file else ""))


def _print_operators(as_json: bool) -> None:
    from cnnkit.explore.kernels.worked import operators_json, operators_text

    print_json(operators_json()) if as_json else click.echo(operators_text())

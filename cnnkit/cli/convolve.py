"""`cnnkit convolve`."""

from __future__ import annotations

from typing import Any

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.convolution_options import convolution_options
from cnnkit.cli.options import json_option, number_option


@click.command(
    cls=Command,
    examples=[
        'cnnkit convolve --input "[[1,2,0],[0,1,3],[2,1,1]]" --kernel "[[1,0],[0,1]]" --relu',
        "cnnkit convolve --input matrix.csv --pool max --pool-padding same",
    ],
)
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
    help="An operator (cnnkit kernels --list), a matrix, or a file. Default: no convolution.",
)
@convolution_options
@click.option("--flatten", is_flag=True, help="Then write the rows one after the other.")
@number_option(
    "--steps",
    "most",
    default=64,
    least=0,
    help="How many windows to print per operation; 0 prints only the results.",
)
@json_option
def convolve(input_: str, kernel: str | None, most: int, as_json: bool, **options: Any) -> None:
    """Convolve or pool a small matrix and print every window, product and sum.

    As in a layer of a CNN, the kernel is not flipped (cross-correlation). Rows and columns
    are counted from 0. Numbers of an added border are in square brackets.
    """
    from cnnkit.explore.kernels.worked_example import work_out

    show(work_out(input_, kernel, most, **options), as_json)

"""`cnnkit kernels`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.convolution_options import Pair, convolution_options
from cnnkit.cli.options import json_option, number_option, output_option, overwrite_option


@click.command(
    cls=Command,
    examples=[
        "cnnkit kernels photo.jpg                                      # all of them, in a grid",
        "cnnkit kernels photo.jpg --kernel sobel_x --relu --pool max   # step by step",
        "cnnkit kernels photo.jpg --kernel sobel_x --worked 10,20      # one pixel by hand",
    ],
)
@click.argument("image", required=False, type=click.Path(path_type=Path))
@click.option(
    "--kernel",
    "kernels_",
    multiple=True,
    metavar="NAME|MATRIX|FILE",
    help='An operator, a matrix "[[0,1,0],...]", or a .yaml file of your own kernels '
    "(name: matrix). Repeatable. Default: all operators.",
)
@click.option("--list", "list_", is_flag=True, help="Print the operators and their matrices.")
@output_option("The PNG file to draw. Default: kernels.png, or none with --worked.")
@overwrite_option
@number_option(
    "--size",
    default=256,
    least=8,
    most=1024,
    help="The largest length of the longer side, in pixels. A larger image is scaled down first.",
)
@click.option("--grayscale", is_flag=True, help="Filter grey levels, not red, green and blue.")
@convolution_options
@click.option(
    "--worked",
    type=Pair(0, both=True),
    metavar="ROW,COLUMN",
    help="Print how this pixel of the convolution's output is multiplied and summed.",
)
@json_option
def kernels(
    image: Path | None,
    kernels_: tuple[str, ...],
    list_: bool,
    output: Path | None,
    overwrite: bool,
    worked: tuple[int, int] | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Filter an image with the classic kernels of image processing, and draw the results.

    As in a layer of a CNN, a kernel is not flipped (cross-correlation). Each channel is
    filtered separately. Rows and columns are counted from 0.
    """
    from cnnkit.explore.kernels.filtered_picture import filter_picture
    from cnnkit.explore.kernels.matrix_text import OperatorList
    from cnnkit.output_guard import PICTURE, check_output

    if list_:
        return show(OperatorList(), as_json)
    if image is None:
        raise click.UsageError("Name an image, or give --list.")
    file = output or (None if worked else Path("kernels.png"))
    check_output(file, "--output", PICTURE, overwrite=overwrite, inputs=[image])
    show(filter_picture(image, kernels_, file=file, worked=worked, **options), as_json)

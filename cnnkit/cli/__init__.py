"""The command line: words enter, one function is called, its result is printed.

Nothing heavy is imported here: `--help` needs click alone.
"""

from __future__ import annotations

import click

from cnnkit.cli.cache import cache
from cnnkit.cli.config import config
from cnnkit.cli.data import data
from cnnkit.cli.evaluate import evaluate
from cnnkit.cli.export import export
from cnnkit.cli.features import features, filters
from cnnkit.cli.init import init
from cnnkit.cli.kernels import convolve, kernels
from cnnkit.cli.model import build, summary
from cnnkit.cli.models import models
from cnnkit.cli.predict import predict
from cnnkit.cli.train import train
from cnnkit.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION)
def main() -> None:
    """Image classification from one YAML file: build, train, evaluate, predict, export.

    \b
    cnnkit train configs/digits_lenet5.yaml    a built-in data set, ready to go
    cnnkit predict photo.jpg                   with the newest finished run
    """


for command in (
    *(init, config, data, models, summary, build),
    *(train, evaluate, predict, export),
    *(features, filters, kernels, convolve, cache),
):
    main.add_command(command)

"""The command line: one file per command, which reads options, calls one function and prints.

Nothing heavy is imported here, so that `cnnkit --help` needs only click, and the file of a command
is imported when the command is used.
"""

from __future__ import annotations

import click

from cnnkit.cli.command import Group
from cnnkit.version import VERSION


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples=["cnnkit train configs/digits_lenet5.yaml", "cnnkit predict photo.jpg"],
)
@click.version_option(VERSION)
def main() -> None:
    """Image classification from one YAML file: build, train, evaluate, predict, export.

    Run `cnnkit COMMAND --help` for the options of a command.
    """


main.add_section("Data", ["init", "data", "cache"])
main.add_section("Model", ["config", "models", "summary", "build", "kernels", "convolve"])
main.add_section("Train", ["train", "tune", "schedule", "lr-find", "runs"])
main.add_section(
    "Judge", "evaluate diagnose calibrate compare report explain features filters".split()
)
main.add_section("Use", ["predict", "serve", "watch", "embed", "export", "benchmark", "doctor"])
main.add_section("Teach", ["what-if", "quiz", "code", "grade"])

"""`cnnkit doctor`."""

from __future__ import annotations

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import device_option, json_option


@click.command(cls=Command, examples=["cnnkit doctor"])
@device_option
@json_option
def doctor(as_json: bool) -> None:
    """Say what this machine has, and whether training, conversion and decoding work on it.

    Ten training steps are compared with stored numbers, and speeds are measured for a few seconds.
    The output is one block to paste into a report of a problem. The exit code is 1 if a check
    fails.
    """
    from cnnkit.doctor import examine
    from cnnkit.errors import CnnkitError

    found = examine()
    failed = ", ".join(found.failed)
    failure = CnnkitError(f"Does not work on this machine: {failed}.") if failed else None
    show(found, as_json, failure=failure)

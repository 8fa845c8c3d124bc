"""`cnnkit diagnose`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, say, show
from cnnkit.cli.options import json_option, runs_option


@click.command(cls=Command, examples=["cnnkit diagnose runs/photos"])
@click.argument("run", metavar="[RUN]", required=False)
@runs_option
@json_option
def diagnose(run: str | None, runs_folder: Path, as_json: bool) -> None:
    """Say what went wrong in a training, why it matters, and which line of the config to change.

    Looks at the curves, the metrics and the splits of a run; without RUN, at the newest finished
    one. Of a cross-validation, all folds are judged. Nothing is trained, scored or written.
    """
    from cnnkit.training.diagnosis import diagnose as diagnose_any

    diagnosis = diagnose_any(run, runs_folder, say)
    show(diagnosis, as_json, diagnosis.hints())

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
    from cnnkit.runs import find_run
    from cnnkit.runs.fold_runs import find_folds
    from cnnkit.training.diagnosis import diagnose_folds, diagnose_run

    if run is not None and (folds := find_folds(run, runs_folder)):
        show(diagnose_folds(folds), as_json)
        return
    found = find_run(run, runs_folder, say)
    diagnosis = diagnose_run(found)
    show(diagnosis, as_json, diagnosis.hints())

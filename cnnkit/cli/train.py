"""`cnnkit train`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, print_json
from cnnkit.cli.options import json_option, runs_option, set_option, short_options, with_short

if TYPE_CHECKING:
    from cnnkit.runs import Run


@click.command(cls=Command)
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@short_options
@click.option("--name", help="Name of the run. By default that of the config file.")
@runs_option
@click.option("--dry-run", is_flag=True, help="Check the data and the model, train nothing.")
@json_option
def train(
    path: Path,
    overrides: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    seed: int | None,
    name: str | None,
    runs_folder: Path,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train the model of a config and keep everything in a new run folder.

    Ctrl-C ends it cleanly: the best weights so far are kept, and the exit code is 130.
    """
    from cnnkit.config import load_config

    config = load_config(path, with_short(overrides, epochs, batch_size, seed))
    from cnnkit.progress import report_for
    from cnnkit.training import prepare
    from cnnkit.training import train as train_config

    report = report_for(sys.stderr)
    if dry_run:
        plan = prepare(config, report).describe()
        return print_json(plan) if as_json else click.echo(_plan_text(plan))
    run = train_config(config, name=name or path.stem, runs_folder=runs_folder, report=report)
    print_json({"run": str(run.folder), **run.info()}) if as_json else click.echo(_end_text(run))


def _plan_text(plan: dict) -> str:
    lines = [f"classes: {len(plan['classes'])} ({', '.join(plan['classes'][:10])})"]
    lines += [f"{split}: {sum(counts.values())} images" for split, counts in plan["counts"].items()]
    lines.append(f"parameters: {plan['parameters']:,}")
    lines.append("Nothing was trained (--dry-run).")
    return "\n".join(lines)


def _end_text(run: Run) -> str:
    info = run.info()
    lines = [f"best epoch {info['best_epoch']} of {info['epochs']}, {info['seconds']:.0f} s"]
    for split, metrics in info["metrics"].items():
        lines.append(
            f"{split:<10}  accuracy {metrics['accuracy']:.4f}  macro_f1 {metrics['macro_f1']:.4f}"
            f"  log_loss {metrics['log_loss']:.4f}  ({metrics['num_images']} images)"
        )
    lines += [f"run         {run.folder}", f"curves      {run.plot('curves')}"]
    folder = shlex.quote(str(run.folder))
    lines.append(f"next        cnnkit predict IMAGE --model {folder}")
    if "test" in info["metrics"]:
        lines.append(f"            cnnkit evaluate {folder}")
    lines.append(f"            cnnkit export {folder}")
    return "\n".join(lines)

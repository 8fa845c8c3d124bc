"""`cnnkit runs ...`: list, show, remove and rename runs, and choose the best one."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, Group, ask_to_remove, show
from cnnkit.cli.options import json_option, runs_option

_split_option = click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    default="test",
    show_default=True,
    help="The split whose metrics are shown.",
)


@click.group(
    cls=Group,
    default_command="list",
    examples=["cnnkit runs list --sort log_loss", "cnnkit runs rm photos-2"],
)
def runs() -> None:
    """List, show, remove and rename runs. Without a command: list."""


@click.command("list", cls=Command, examples=["cnnkit runs list --sort minutes"])
@click.option(
    "--sort",
    default="started",
    metavar="COLUMN",
    show_default=True,
    help="run, status, epochs, minutes, parameters, images, data, started, or a metric such as "
    "log_loss, which is then shown. The best metric and the newest run come first, otherwise the "
    "smallest value.",
)
@click.option("--reverse", is_flag=True, help="Sort the other way round.")
@_split_option
@runs_option
@json_option
def list_all(sort: str, reverse: bool, split: str, runs_folder: Path, as_json: bool) -> None:
    """List all runs with their status, metric, minutes and data.

    A run that was killed before it had a run.json is listed as incomplete, one with missing or
    unreadable files as damaged. The folds of a cross-validation are one line, with their means.
    """
    from cnnkit.runs.run_list import list_runs, sort_runs
    from cnnkit.runs.study_runs import studies_in
    from cnnkit.text import quoted

    found = sort_runs(list_runs(runs_folder), sort, split=split, reverse=reverse)
    hints = [
        f"{study.name} is a study of `cnnkit tune`. Its runs: cnnkit runs --runs-folder "
        f"{quoted(study)} --split validation"
        for study in studies_in(runs_folder)
    ]
    show(found, as_json, hints)


@click.command("show", cls=Command, examples=["cnnkit runs show photos"])
@click.argument("run")
@runs_option
@json_option
def show_one(run: str, runs_folder: Path, as_json: bool) -> None:
    """Show how one run was trained, its metrics, and the sizes of its files."""
    from cnnkit.runs.removal import run_folder
    from cnnkit.runs.run_details import run_details

    show(run_details(run_folder(run, runs_folder)), as_json)


@click.command(cls=Command, examples=["cnnkit runs best --metric log_loss"])
@click.option("--metric", default="accuracy", show_default=True, help="Such as log_loss.")
@click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="The split that decides. A run that was chosen by the test split looks better on it than "
    "it is.",
)
@click.option(
    "--data", metavar="SOURCE", help="Only runs on these images, as `cnnkit runs` shows them."
)
@runs_option
@json_option
def best(metric: str, split: str, data: str | None, runs_folder: Path, as_json: bool) -> None:
    """Print the folder of the finished run with the best metric.

    Only runs on the same images can be compared. `cnnkit compare` tells whether the best one is
    better than the others by more than chance.
    """
    from cnnkit.runs.run_list import best_run, list_runs

    found = best_run(list_runs(runs_folder), metric, split=split, data=data)
    show(found, as_json, notes=found.notes)


@click.command(cls=Command, examples=["cnnkit runs rm photos-2 photos-3"])
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@runs_option
@json_option
def rm(names: tuple[str, ...], yes: bool, runs_folder: Path, as_json: bool) -> None:
    """Remove runs, after a question. Files that cnnkit did not write are kept.

    A run that is being trained is never removed.
    """
    from cnnkit.runs.removal import plan_removal, remove_runs, run_folder

    # A run that is named twice is removed once.
    folders = list(dict.fromkeys(run_folder(name, runs_folder) for name in names))
    removal = plan_removal(folders)
    if not yes:
        ask_to_remove(removal.question())
    remove_runs(removal)
    show(removal, as_json)


@click.command(cls=Command, examples=["cnnkit runs rename photos-2 photos-large"])
@click.argument("run")
@click.argument("name", metavar="NEW-NAME")
@runs_option
@json_option
def rename(run: str, name: str, runs_folder: Path, as_json: bool) -> None:
    """Give a run another name."""
    from cnnkit.runs.removal import rename_run, run_folder

    show(rename_run(run_folder(run, runs_folder), name), as_json)


runs.add_section("Commands", [list_all, show_one, best, rm, rename])

"""`cnnkit tune`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import json_option, runs_option, set_option, short_options, with_short

if TYPE_CHECKING:
    from cnnkit.tuning.study_settings import Effort


@click.command(
    cls=Command,
    examples=[
        "cnnkit tune photos.yaml --trials 40",
        "cnnkit tune photos.yaml --minutes 60 --workers 2",
        "cnnkit tune --resume runs/photos-tune",
    ],
)
@click.argument("path", metavar="[CONFIG]", required=False, type=click.Path(path_type=Path))
@set_option
@short_options
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many trials the study shall have. Default: 20, or with --minutes no limit.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="M",
    help="Begin no trial that would not end within M minutes. The final trainings come after that.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many processes train at the same time. Each needs the memory of a training.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=0),
    metavar="N",
    help="At the end, train the best config and the unchanged one with N other seeds. Default: 3.",
)
@click.option(
    "--sampler",
    type=click.Choice(["tpe", "random"]),
    metavar="tpe|random",
    help="How values are chosen: by what was good so far (Parzen estimators), or at random. "
    "Default: tpe.",
)
@click.option(
    "--metric",
    type=click.Choice(["accuracy", "log_loss"]),
    metavar="accuracy|log_loss",
    help="The score of the validation images that decides. Default: accuracy.",
)
@click.option(
    "--no-pruning",
    is_flag=True,
    help="Train every trial to its end, also if half of the others were better after as many "
    "epochs.",
)
@click.option(
    "--storage",
    metavar="URL",
    help="A database for the study, which several machines can share. Default: an SQLite file in "
    "the folder of the study.",
)
@click.option("--name", help="The name of the study. Default: the name of the config and -tune.")
@click.option(
    "--dry-run", is_flag=True, help="Show what is searched and how long it takes; train nothing."
)
@click.option(
    "--resume",
    is_flag=False,
    # The name of the study is optional: without one the value is an empty text.
    flag_value="",
    metavar="[STUDY]",
    help="Instead of CONFIG: continue a study, or help the process that is working on it. Default: "
    "the one that was changed last.",
)
@runs_option
@json_option
def tune(
    path: Path | None,
    overrides: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    seed: int | None,
    trials: int | None,
    minutes: float | None,
    workers: int,
    seeds: int | None,
    sampler: str | None,
    metric: str | None,
    no_pruning: bool,
    storage: str | None,
    name: str | None,
    dry_run: bool,
    resume: str | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Search the values of a config that give the best validation score.

    The section `search` of the config names the keys and what to try for each. Every trial is a run
    in the folder of the study. The test images are only used at the end: the best config and the
    unchanged one are trained with other seeds, and their test scores say whether the search has won
    anything.
    """
    from cnnkit.progress import report_for
    from cnnkit.training.cluster import check_one_machine
    from cnnkit.tuning.study_settings import Effort
    from cnnkit.tuning.tune_config import resume_tuning
    from cnnkit.tuning.tune_config import tune as tune_config

    check_one_machine("cnnkit tune")
    overrides = with_short(overrides, epochs, batch_size, seed)
    effort = Effort(trials, minutes, workers, seeds)
    common = {"storage": storage, "runs_folder": runs_folder, "report": report_for(sys.stderr)}
    if resume is not None:
        fixed = [path, sampler, metric, name, *overrides]
        if any(value is not None for value in fixed) or no_pruning or dry_run:
            raise click.UsageError(
                "--resume continues a study as it was begun. With it, only --trials, --minutes, "
                "--workers, --seeds and --storage can be given."
            )
        result = resume_tuning(resume or None, effort=effort, **common)
    elif path is None:
        raise click.UsageError("Missing argument 'CONFIG' (or --resume).")
    elif dry_run:
        result = _dry_run(path, overrides, effort)
    else:
        result = tune_config(
            path,
            overrides,
            name=f"{path.stem}-tune" if name is None else name,
            effort=effort,
            sampler=sampler or "tpe",
            metric=metric or "accuracy",
            prunes=not no_pruning,
            **common,
        )
    show(result, as_json)


def _dry_run(path: Path, overrides: tuple[str, ...], effort: Effort) -> object:
    from cnnkit.progress import report_for
    from cnnkit.tuning.tune_dry_run import dry_run_tuning

    return dry_run_tuning(path, overrides, effort, report_for(sys.stderr))

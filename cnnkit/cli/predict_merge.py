"""`cnnkit predict merge`."""

from __future__ import annotations

from pathlib import Path

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import json_option, output_option, overwrite_option
from cnnkit.errors import UsageError


@click.command(
    "merge",
    cls=Command,
    examples=["cnnkit predict merge answers-*.csv -o answers.csv"],
)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@output_option(
    "The file to write; its name ends in .csv, .jsonl or .parquet, like those of the files."
)
@overwrite_option
@json_option
def merge(files: tuple[Path, ...], output: Path | None, overwrite: bool, as_json: bool) -> None:
    """Join the answers of `cnnkit predict --shard`, in the order of the paths.

    A row that several files have in the same way appears once. Files of different models are
    refused.
    """
    from cnnkit.output_guard import ANSWERS, check_output

    if output is None:
        raise UsageError("Name the file to write with --output.")
    check_output(output, "--output", ANSWERS, overwrite=overwrite, inputs=files)
    if {path.suffix.lower() for path in (*files, output)} == {".parquet"}:
        from cnnkit.prediction.merged_parquet import merge_parquet

        show(merge_parquet(files, output), as_json)
    else:
        from cnnkit.prediction.merged_answers import merge_answers

        show(merge_answers(files, output), as_json)

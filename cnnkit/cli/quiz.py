"""`cnnkit quiz`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import click

from cnnkit.cli.command import Command, show
from cnnkit.cli.options import json_option, number_option
from cnnkit.quiz.topic_names import TOPIC_NAMES

if TYPE_CHECKING:
    from cnnkit.quiz.sheet import Sheet

_MOST = 200
_SHORT_SEEDS = 100_000  # a seed that nobody chose should still be easy to type
_HELP = """Ask exercises about the arithmetic of CNNs and check the answers.

The exercises are asked one by one, and a wrong answer is followed by its solution. Ctrl-C or Ctrl-D
ends, with the score so far. --markdown, --key and --json print a whole sheet instead; the JSON has
the answers only with --key.

\b
Topics (default: all, in turn):
"""


@click.command(
    cls=Command,
    help=_HELP + "\n".join(f"  {name:<18}{about}" for name, about in TOPIC_NAMES.items()),
    examples=[
        "cnnkit quiz padding stride",
        "cnnkit quiz --seed 3 --markdown > sheet.md",
        "cnnkit quiz --seed 3 --markdown --key > key.md",
    ],
)
@click.argument("topics", metavar="[TOPIC]...", nargs=-1, type=click.Choice(list(TOPIC_NAMES)))
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    help="Which sheet: the same seed gives the same exercises. Default: another one each time.",
)
@number_option("--count", default=10, most=_MOST, help="Number of exercises.")
@click.option("--markdown", is_flag=True, help="Print the sheet as Markdown, to hand it out.")
@click.option("--key", is_flag=True, help="Print the answers too, and how they are worked out.")
@json_option
def quiz(
    topics: tuple[str, ...], seed: int | None, count: int, markdown: bool, key: bool, as_json: bool
) -> None:
    """Ask exercises, or print a sheet of them or its key."""
    from cnnkit.quiz.sheet import PrintedSheet, make_sheet

    if key and seed is None:
        raise click.UsageError("--key needs --seed, the seed of the sheet that was handed out.")
    if markdown and as_json:
        raise click.UsageError("Give --markdown or --json, not both.")
    seed = random.randrange(_SHORT_SEEDS) if seed is None else seed
    sheet = make_sheet(topics, seed, count)
    if markdown or key or as_json:
        hints = [] if key else [f"The key of this sheet: {sheet.command} --key"]
        show(PrintedSheet(sheet, key=key, markdown=markdown), as_json, hints)
    else:
        _ask(sheet)


def _ask(sheet: Sheet) -> None:
    from cnnkit.quiz.questioning import Score, ask_all

    score = Score(sheet)
    try:
        ask_all(score, input, click.echo)
    except (EOFError, KeyboardInterrupt) as end:
        click.echo()  # after the prompt
        if isinstance(end, KeyboardInterrupt):
            raise
    finally:
        click.echo(score.text())

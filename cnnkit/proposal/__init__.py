"""Propose a commented config for a data set, with a reason for each choice."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.config import BUILT_IN_SOURCES, DataConfig, config_from_text, load_config
from cnnkit.files import write_text
from cnnkit.progress import Report
from cnnkit.proposal.duration import multiply_adds_per_second, training_seconds
from cnnkit.proposal.findings import Choice, Findings, look_at
from cnnkit.proposal.proposed_data import data_choices, image_size
from cnnkit.proposal.proposed_model import (
    augmentation_choices,
    model_choices,
    training_choices,
)
from cnnkit.proposal.recipes import Recipe, best_recipe, fastest_recipe, recipe_for
from cnnkit.text import count_of, duration_text, quoted, shown

__all__ = [
    "Findings",
    "Proposal",
    "look_at",
    "propose",
    "relative_source",
    "write_proposal",
]

_WIDTH = 100


def propose(
    findings: Findings, source: str, recipe: Recipe | None = None, seconds: float | None = None
) -> str:
    """Return the YAML text.

    Args:
        findings: what `look_at` returned.
        source: `data.source` as the config will have it.
        recipe: image size, epochs and network; by default the best one without regard to time.
        seconds: the expected duration of the training, for the comment at the top.
    """
    recipe = recipe or best_recipe(findings)
    size = image_size(findings, recipe)
    return "\n".join(
        [
            *_header(findings, seconds),
            "data:",
            *_lines(data_choices(findings, source, size)),
            "augmentation:",
            *_lines(augmentation_choices(findings)),
            "model:",
            *_lines(model_choices(findings, size, recipe.network)),
            "training:",
            *_lines(training_choices(findings, recipe)),
        ]
    )


@dataclass(frozen=True, eq=False)
class Proposal:
    """A config that was written.

    Args:
        file: the YAML file.
        findings: what it is based on.
        expected_seconds: of `cnnkit train` with it on this computer.
        fits: whether that is within the minutes that were asked for.
    """

    file: Path
    findings: Findings
    expected_seconds: float
    fits: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        notes = list(self.findings.notes)
        return {
            "config": str(self.file),
            "images": self.findings.num_images,
            "expected_seconds": round(self.expected_seconds),
            "left_aside": notes,
        }

    def text(self) -> str:
        """Return the name of the file."""
        return shown(str(self.file))

    def time_note(self) -> str:
        """Return a sentence about the expected duration."""
        note = f"Training takes about {duration_text(self.expected_seconds)} on this computer."
        if self.fits:
            return note
        return f"{note} No proposal is faster. Give more --minutes, or train on fewer images."

    def next_commands(self) -> list[str]:
        """Return the commands that a user would type next."""
        config = quoted(self.file)
        return [f"cnnkit {command} {config}" for command in ("data preview", "summary", "train")]


def write_proposal(
    data_config: DataConfig,
    output: Path,
    report: Report,
    *,
    from_scratch: bool = False,
    minutes: float | None = None,
) -> Proposal:
    """Look at a data set and write a config for it.

    Args:
        data_config: a `data` section with the source.
        output: the YAML file to write.
        report: shows the progress and notes about the source.
        from_scratch: whether to propose no pretrained network.
        minutes: how long the training may take on this computer; None for no limit.

    Raises:
        DataError: the source cannot be read.
    """
    with report.counting("looking at images") as progress:
        findings = look_at(data_config, progress, from_scratch=from_scratch)
    for sentence in findings.notes:
        report.note(sentence)
    source = relative_source(findings.data_source, output)
    speed = multiply_adds_per_second()

    def seconds_of(recipe: Recipe) -> float:
        return training_seconds(
            findings, config_from_text(propose(findings, source, recipe)), speed
        )

    limit = math.inf if minutes is None else 60 * minutes
    recipe = recipe_for(findings, seconds_of, limit) or fastest_recipe(findings)
    seconds = seconds_of(recipe)
    write_text(output, propose(findings, source, recipe, seconds) + "\n")
    load_config(output)  # a proposal that training would refuse must fail here
    return Proposal(output, findings, seconds, fits=seconds <= limit)


def relative_source(source: str, config: Path) -> str:
    """Return a source as a config names it: relative to the config, unless that leads far up."""
    if source in BUILT_IN_SOURCES:
        return source
    relative = os.path.relpath(source, config.absolute().parent)
    path = source if relative.startswith(os.path.join("..", "..")) else relative
    return f"./{path}" if path in BUILT_IN_SOURCES else path  # a folder named like a built-in set


def _lines(choices: Sequence[Choice]) -> Iterator[str]:
    for choice in choices:
        indent = choice.yaml[: len(choice.yaml) - len(choice.yaml.lstrip())]
        if choice.reason:
            yield from textwrap.wrap(
                choice.reason, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
        yield choice.yaml


def _header(findings: Findings, seconds: float | None) -> list[str]:
    counts = findings.class_counts
    smallest, largest = min(counts.values()), max(counts.values())
    each = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    has_both = "validation" in findings.splits and "test" in findings.splits
    purpose = "to train on" if has_both else "before the split"
    # Images that were not opened are counted, though some of them may turn out to be broken.
    most = "" if findings.all_opened else "at most "
    opened = "All of them" if findings.all_opened else f"{len(findings.facts):,} of them"
    text = (
        f"Written by `cnnkit init` for {most}{count_of(findings.num_images, 'image')} {purpose}, "
        f"in {count_of(len(counts), 'class', 'classes')} of {each} images. {opened} were opened. "
        "Change whatever you know better: docs/config.md describes every key."
    )
    if seconds is not None:
        text += f" Training takes about {duration_text(seconds)} on the computer of `cnnkit init`."
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")

"""A data set enters; a commented config that trains on it leaves, with a reason for each choice."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.config import load_config
from cnnkit.data.sources.builtin import BUILTIN_SOURCES
from cnnkit.files import write_text
from cnnkit.proposal.findings import Choice, Findings, look_at
from cnnkit.proposal.proposed_data import data_choices, image_size
from cnnkit.proposal.proposed_model import (
    augmentation_choices,
    model_choices,
    training_choices,
)
from cnnkit.text import count_of, shown

__all__ = ["Findings", "Proposal", "look_at", "propose", "relative_source", "write_proposal"]

_WIDTH = 100


def propose(findings: Findings, source: str) -> str:
    """Return the YAML text.

    Args:
        findings: what `look_at` saw.
        source: data.source as the config is to have it.
    """
    size = image_size(findings)
    return "\n".join(
        [
            *_header(findings),
            "data:",
            *_lines(data_choices(findings, source, size)),
            "augmentation:",
            *_lines(augmentation_choices(findings)),
            "model:",
            *_lines(model_choices(findings, size)),
            "training:",
            *_lines(training_choices(findings)),
        ]
    )


@dataclass(frozen=True)
class Proposal:
    """A config that was written.

    Args:
        config: its file.
        num_images: how many images its source has.
        notes: one sentence on each kind of file that is not used.
    """

    config: Path
    num_images: int
    notes: Sequence[str]

    def text(self) -> str:
        """Return the name of the file."""
        return shown(str(self.config))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        notes = list(self.notes)
        return {"config": str(self.config), "images": self.num_images, "left_aside": notes}


def write_proposal(findings: Findings, output: Path) -> Proposal:
    """Write the config, and read it as training will."""
    source = findings.data_source
    write_text(output, propose(findings, relative_source(source, output)) + "\n")
    load_config(output)
    return Proposal(output, findings.num_images, findings.source.notes)


def relative_source(source: str, config: Path) -> str:
    """Return a source as a config in another place names it: relative, where it lies beside."""
    if source in BUILTIN_SOURCES:
        return source
    relative = os.path.relpath(source, config.absolute().parent)
    path = source if relative.startswith(os.path.join("..", "..")) else relative
    return f"./{path}" if path in BUILTIN_SOURCES else path


def _lines(choices: Sequence[Choice]) -> Iterator[str]:
    for choice in choices:
        indent = choice.yaml[: len(choice.yaml) - len(choice.yaml.lstrip())]
        if choice.reason:
            yield from textwrap.wrap(
                choice.reason, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
        yield choice.yaml


def _header(findings: Findings) -> list[str]:
    counts = findings.class_counts
    smallest, largest = min(counts.values()), max(counts.values())
    each = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    purpose = (
        "to train on"
        if "validation" in findings.splits and "test" in findings.splits
        else "before the split"
    )
    opened = "All were" if findings.all_opened else f"{len(findings.facts):,} of them were"
    text = (
        f"Written by `cnnkit init` for {'' if findings.all_opened else 'at most '}"
        f"{count_of(findings.num_images, 'image')} {purpose}, in "
        f"{count_of(len(counts), 'class', 'classes')} of {each}. {opened} opened. "
        "Change what you know better: docs/config.md has every key."
    )
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")

"""A data set enters; a commented config that trains on it leaves, with a reason for each choice."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnnkit.data.builtin import BUILTIN_SOURCES
from cnnkit.data.records import count_of
from cnnkit.proposal.data_section import data_choices, image_size
from cnnkit.proposal.findings import Choice, Findings, look_at
from cnnkit.proposal.model_sections import augmentation_choices, layer_choices, training_choices

__all__ = ["Findings", "look_at", "propose", "relative_source"]

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
            "  layers:",
            *_lines(layer_choices(findings, size)),
            "training:",
            *_lines(training_choices(findings)),
        ]
    )


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
    opened = len(findings.facts)
    text = (
        f"Written by `cnnkit init` for {count_of(findings.num_images, 'training image')} in "
        f"{count_of(len(counts), 'class', 'classes')}; {min(counts.values()):,} to "
        f"{max(counts.values()):,} a class. "
        + ("All" if opened == findings.num_images else f"{opened:,}")
        + " of them were opened. Change what you know better: docs/config.md has every key."
    )
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")

"""Write a comparison of runs as one HTML file that needs no network."""

from __future__ import annotations

from pathlib import Path

from cnnkit.comparison.compared_runs import ComparedRun
from cnnkit.comparison.comparing import Comparison
from cnnkit.config import load_config
from cnnkit.files import write_text
from cnnkit.pages import render_page
from cnnkit.report.report_images import ReportImages, folders_of
from cnnkit.report.section import Section
from cnnkit.report.sections.comparison_tables import (
    configs_section,
    pairs_section,
    runs_section,
    verdict_section,
)
from cnnkit.report.sections.different_answers import (
    answers_of,
    confusions_section,
    differing_section,
    paths_to_show,
)
from cnnkit.report.sections.overlaid_curves import overlaid_section
from cnnkit.runs import Run
from cnnkit.text import first_few


def write_comparison_page(comparison: Comparison, path: Path) -> None:
    """Write the page.

    Args:
        comparison: of two runs or more.
        path: the HTML file; it is replaced if it exists.

    Raises:
        UsageError: the config of a run cannot be read.
    """
    names = first_few([run.name for run in comparison.runs])
    page = render_page(
        "cnnkit.report",
        "report.html",
        title=f"Comparison: {names}",
        name=names,
        sections=_sections(comparison),
        data={"cells": {}},
    )
    write_text(path, page)


def _sections(comparison: Comparison) -> list[Section]:
    answers = answers_of(comparison.runs)
    images = _images(comparison.runs[0])
    images.load(paths_to_show(answers))
    return [
        verdict_section(comparison),
        runs_section(comparison),
        pairs_section(comparison),
        configs_section(comparison),
        overlaid_section(comparison),
        confusions_section(comparison, answers),
        differing_section(answers, images),
    ]


def _images(run: ComparedRun) -> ReportImages:
    """Return the images of a run by the paths of its predictions."""
    hashes = dict(zip(run.predictions.paths, run.contents, strict=True)) if run.contents else {}
    if run.path.is_file():
        return ReportImages([run.path.parent, Path()], hashes, None)
    data = load_config(Run(run.path).config).data
    return ReportImages([*folders_of(data), run.path, Path()], hashes, data.sample_range)

"""Write the report of a run: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnkit.data.check import Checked, check_data
from cnnkit.errors import DataError
from cnnkit.evaluation.slices import Slice, find_slices
from cnnkit.files import write_text
from cnnkit.pages import render_page
from cnnkit.progress import Report
from cnnkit.report.image_columns import with_measures
from cnnkit.report.report_images import ReportImages, folders_of
from cnnkit.report.run_facts import RunFacts, fold_facts, run_facts
from cnnkit.report.section import Section
from cnnkit.report.sections.confusions import Cell, confusion_section, find_cells
from cnnkit.report.sections.error_gallery import confident_errors, errors_section, least_certain
from cnnkit.report.sections.handover import exports_section, reproduction_section
from cnnkit.report.sections.headline import headline_section
from cnnkit.report.sections.learning_curves import curves_section, find_verdicts
from cnnkit.report.sections.network import network_section
from cnnkit.report.sections.own_images import data_section, sample_paths, samples_section
from cnnkit.report.sections.request import request_section
from cnnkit.report.sections.score_tables import classes_section, metrics_section
from cnnkit.report.sections.weak_spots import (
    calibration_section,
    robustness_section,
    slices_section,
)
from cnnkit.runs import Run
from cnnkit.runs.fold_runs import FoldRuns
from cnnkit.text import shown, size_text

# Pictures in the confusion matrix: at the end of a training, and if there is time.
_FEW_PICTURES, _MANY_PICTURES = 120, 360
_MOST_CHECKED = 20_000  # images that are read to find faults of the data


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written.

    Args:
        path: of the HTML file.
        num_bytes: its size.
        sections: what is in it, and what is not.
        model_card: the model card, if it was written too.
    """

    path: Path
    num_bytes: int
    sections: Sequence[Section]
    model_card: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return {
            "report": str(self.path),
            "model_card": None if self.model_card is None else str(self.model_card),
            "bytes": self.num_bytes,
            "sections": [each.as_dict() for each in self.sections],
        }

    def text(self) -> str:
        """Return the file, its size, and which commands would add to it."""
        lines = [f"{shown(str(self.path))}  {size_text(self.num_bytes)}"]
        if self.model_card is not None:
            lines.append(shown(str(self.model_card)))
        absent = [each for each in self.sections if each.values is None and each.command]
        lines += [f"{each.title}: nothing yet. {each.command}" for each in absent]
        return "\n".join(lines)


def write_report(
    of: Run | FoldRuns,
    output: Path | None = None,
    *,
    quick: bool = False,
    report: Report | None = None,
) -> WrittenReport:
    """Write the report of a run or of a cross-validation.

    Args:
        of: the run; it need not be finished.
        output: the file; by default `report.html` in its folder.
        quick: leave out what takes long: Grad-CAM, the comparison of kinds of images, a check of
            all images.
        report: shows the progress.

    Raises:
        UsageError: files of the run are missing or damaged.
        DataError: results of an evaluation are damaged.
    """
    report = report or Report()
    facts = fold_facts(of) if isinstance(of, FoldRuns) else run_facts(of)
    content = _Content(facts, quick, report)
    path = output or of.report
    write_text(path, content.page())
    return WrittenReport(path, path.stat().st_size, content.sections)


class _Content:
    """What is on the page; reading its images and computing what takes long is done once.

    Args:
        facts: of the run.
        quick: whether what takes long is left out.
        report: shows the progress.
    """

    def __init__(self, facts: RunFacts, quick: bool, report: Report) -> None:
        self._facts = facts
        self._report = report
        self._quick = quick
        self._images = _images_of(facts)
        judged = facts.judged
        self._predictions = None if judged is None else judged.predictions
        most = _FEW_PICTURES if quick else _MANY_PICTURES
        self._cells: list[Cell] = (
            [] if self._predictions is None else find_cells(self._predictions, most)
        )
        self._images.load(self._wanted())
        self._cell_data: Mapping[str, Any] = {}
        self.sections = [*self._sections()]

    def page(self) -> str:
        """Return the page."""
        facts = self._facts
        return render_page(
            "cnnkit.report",
            "report.html",
            title=f"Report: {facts.name}",
            name=facts.name,
            sections=self.sections,
            data={"cells": self._cell_data},
        )

    def _wanted(self) -> Iterator[str]:
        """Yield the paths of all images that the page shows."""
        for paths in sample_paths(self._facts).values():
            yield from paths
        if (predictions := self._predictions) is None:
            return
        shown_cells = [cell.shown for cell in self._cells]
        for some in (confident_errors(predictions), least_certain(predictions), *shown_cells):
            yield from (predictions.paths[index] for index in some)

    def _sections(self) -> Iterator[Section]:
        facts = self._facts
        maps, why_no_maps = self._maps()
        samples = samples_section(facts, self._images)
        errors = errors_section(facts, self._images, maps, why_no_maps)
        # After them, because its images are only there with a script, and theirs without, too.
        confusion, self._cell_data = confusion_section(facts, self._cells, self._images)
        verdicts = find_verdicts(facts)
        yield headline_section(facts, verdicts)
        yield request_section(facts.config)
        yield data_section(facts, self._checked())
        yield samples
        yield curves_section(facts, verdicts)
        yield metrics_section(facts)
        yield classes_section(facts)
        yield confusion
        yield errors
        yield slices_section(facts, self._slices())
        yield calibration_section(facts)
        yield robustness_section(facts)
        yield network_section(facts)
        yield exports_section(facts)
        yield reproduction_section(facts)

    def _maps(self) -> tuple[Mapping[str, str], str]:
        facts, predictions = self._facts, self._predictions
        if predictions is None:
            return {}, ""
        if not facts.run.best.is_file():
            return {}, f"Without {shown(str(facts.run.best))} there is no Grad-CAM."
        if self._quick:
            return {}, f"What the model looked at is added by: cnnkit report {facts.argument}"
        from cnnkit.report.error_maps import error_maps, fold_error_maps

        wrong = confident_errors(predictions).tolist()
        if facts.folds:
            return fold_error_maps(facts.folds, predictions, wrong, self._images, self._report)
        return error_maps(facts.run, predictions, wrong, self._images, self._report)

    def _slices(self) -> Sequence[Slice] | None:
        if self._predictions is None or self._quick:
            return None
        measured = with_measures(self._predictions, self._images, self._facts.config, self._report)
        return find_slices(measured)

    def _checked(self) -> Checked | None:
        facts = self._facts
        if (
            self._quick
            or len(facts.split_rows) > _MOST_CHECKED
            or not folders_of(facts.config.data)
        ):
            return None
        # The images may have been moved since: the page then says so in their places.
        with suppress(DataError), self._report.counting("checking images") as progress:
            return check_data(facts.config.data, progress=progress)
        return None


def _images_of(facts: RunFacts) -> ReportImages:
    data = facts.config.data
    folders = [*([facts.folder] if facts.folds else []), *folders_of(data)]
    hashes = {row["path"]: row["sha256"] for row in facts.split_rows}
    return ReportImages(folders, hashes, data.sample_range)

"""Write the model card of exported files: that of the run, and what was measured of each file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from cnnkit.errors import CnnkitError
from cnnkit.export import Export
from cnnkit.export.formats import FORMATS
from cnnkit.files import write_text
from cnnkit.report.card_text import code, markdown_table
from cnnkit.report.model_card import FILE_NAME, card_text
from cnnkit.report.run_facts import run_facts
from cnnkit.runs import Run
from cnnkit.text import size_text


def write_exported_card(run: Run, export: Export, note: Callable[[str], None]) -> None:
    """Write model_card.md beside the exported files; only a finished run has one.

    Args:
        run: that was exported.
        export: what was written.
        note: called with a sentence if results of the run are damaged, so that there is no card.
    """
    if export.run_status != "finished" or not export.formats:
        return
    try:
        lines = [card_text(run_facts(run), _model(export)).rstrip("\n"), "", *_section(export)]
    except CnnkitError as error:
        note(f"The files are exported, but not {FILE_NAME}: {error}")
        return
    write_text(export.folder / FILE_NAME, "\n".join(lines) + "\n")


def _model(export: Export) -> str:
    """Return the model that the examples of the card use: model.tflite, if there is one."""
    name = "tflite" if "tflite" in export.formats else next(iter(export.formats))
    return (Path(export.formats[name]["file"]) / FORMATS[name].model).as_posix()


def _section(export: Export) -> Iterator[str]:
    yield from ("## Exported files", "")
    yield (
        "The labels, pixel settings and calibration are inside each file. Its answers were "
        "compared with those of the Keras model on stored images."
    )
    yield ""
    header = ["format", "file", "size", "milliseconds", "largest difference of a probability"]
    rows = [
        [
            name,
            code(values["file"]),
            size_text(values["bytes"]),
            f"{values['milliseconds']:.1f}",
            f"{values['max_difference']:.1e}",
        ]
        for name, values in export.formats.items()
    ]
    yield from markdown_table(header, rows)
    if sentences := list(export.sentences()):
        yield ""
        yield from (f"- {sentence}" for sentence in sentences)

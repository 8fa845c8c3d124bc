"""Score a predictions.csv, of an evaluation or of another tool: no model and no image is needed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cnnkit.comparison.compared_runs import Note, contents_of
from cnnkit.errors import UsageError
from cnnkit.evaluation.details import Details
from cnnkit.evaluation.gates import check_metric_names, parse_requirement
from cnnkit.evaluation.images_of_table import images_of_table
from cnnkit.evaluation.no_worse import read_baseline
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.evaluation.result_folder import check_result_folder
from cnnkit.evaluation.scores import Evaluation, NotWrittenError
from cnnkit.runs import run_around
from cnnkit.text import count_of, first_few, shown


def evaluate_predictions(
    file: str | os.PathLike[str],
    *,
    output: Path | None = None,
    overwrite: bool = False,
    requirements: Sequence[str] = (),
    on_lower: bool = False,
    no_worse_than: str | None = None,
    runs_folder: Path,
    note: Note,
) -> Evaluation:
    """Return the scores of the answers in a file.

    Args:
        file: a CSV as `read_predictions` reads it, or the folder of a predictions.csv.
        output: a folder for the results; None writes nothing.
        overwrite: whether results in `output` may be replaced.
        requirements: only their names are checked here; `check_requirements` checks them.
        on_lower: whether each of them needs an interval.
        no_worse_than: another run, or file of predictions, that becomes the `baseline`.
        runs_folder: where the name of that run is looked up.
        note: called with each sentence for the user.

    Raises:
        UsageError: `output` or a requirement is refused, or there is no such other run.
        DataError: the file cannot be read.
        NotWrittenError: the results cannot be written.
    """
    for requirement in requirements:
        parse_requirement(requirement)
    table = Path(file)
    if table.is_dir():
        table = table / "predictions.csv"
        if not table.exists():
            raise UsageError(
                f"{shown(str(file))} has no predictions.csv. Give a CSV file, or the folder of an "
                "evaluation, such as runs/photos/evaluation/test."
            )
    if output is not None:
        check_result_folder(output, overwrite=overwrite, inputs=[table])
    predictions = read_predictions(table)
    if repeated := [path for path, count in Counter(predictions.paths).items() if count > 1]:
        note(
            f"{shown(str(table))} has {count_of(len(repeated), 'path')} more than once "
            f"({first_few(repeated)}). Each of these rows is scored."
        )
    check_metric_names(requirements, predictions.class_names, on_lower=on_lower)
    baseline = None
    if no_worse_than is not None:
        baseline = read_baseline(
            no_worse_than,
            runs_folder,
            evaluation=_evaluation_of(table),
            class_names=predictions.class_names,
            note=note,
        )
    details = Details(predictions, images_of_table(table))
    run = run_around(table)
    evaluation = Evaluation(
        output,
        predictions,
        details=details,
        baseline=baseline,
        contents=contents_of([run], predictions.paths, _evaluation_of(table)) if run else None,
    )
    if output is not None:
        try:
            evaluation.write()
        except OSError as error:
            raise NotWrittenError(evaluation, error) from error
    return evaluation


def _evaluation_of(table: Path) -> str:
    """Return the name of the evaluation that wrote a file; of a file of another tool, `test`."""
    folder = table.resolve().parent
    return folder.name if folder.parent.name == "evaluation" else "test"

"""Measure the images of stored answers, so that kinds of images can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from cnnkit.config import Config
from cnnkit.data.file_bytes import ImageFile
from cnnkit.data.parallel import compute_all
from cnnkit.data.pixels import PixelSettings
from cnnkit.data.sources.extra_columns import extra_columns
from cnnkit.errors import DataError, ImageError
from cnnkit.evaluation.image_measures import MEASURES, read_and_measure
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import is_reserved
from cnnkit.progress import Report
from cnnkit.report.report_images import ReportImages


def with_measures(
    predictions: Predictions, images: ReportImages, config: Config, report: Report
) -> Predictions:
    """Return the predictions with a column for each measure, and those of the user's own CSV.

    Columns that `cnnkit evaluate` has stored are kept. An image that cannot be read has no measure.

    Args:
        predictions: the answers.
        images: finds the files.
        config: of the run; its pixel settings say what the model sees.
        report: shows the progress.
    """
    if set(MEASURES) <= set(predictions.columns):
        return predictions
    files = [images.find(path) for path in predictions.paths]
    measure = partial(_measures, settings=PixelSettings.of(config.data))
    with report.counting("measuring images") as progress:
        rows = compute_all(measure, files, progress)
    columns = {name: [row.get(name, "") for row in rows] for name in MEASURES}
    try:
        own = extra_columns(Path(config.data.source), predictions.paths)
    except DataError:  # the table was removed or changed since the training
        own = {}
    own = {name: texts for name, texts in own.items() if not is_reserved(name)}
    return replace(predictions, columns={**predictions.columns, **columns, **own})


def _measures(file: ImageFile | None, settings: PixelSettings) -> Mapping[str, str]:
    if file is None:
        return {}
    try:
        return read_and_measure(file, settings)[1]
    except ImageError:
        return {}

"""Let a model answer images with known classes, and measure the images on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.records import ImageRecord
from cnnkit.data.sound_names import num_sounds
from cnnkit.data.sources.extra_columns import extra_columns
from cnnkit.data.unreadable import report_unreadable
from cnnkit.errors import DataError, ImageError
from cnnkit.evaluation.corruptions import CORRUPTIONS, NUM_STRENGTHS, all_corrupted
from cnnkit.evaluation.details import Averaging, Details
from cnnkit.evaluation.image_measures import MEASURES, read_and_measure
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import is_reserved
from cnnkit.evaluation.robustness import Robustness
from cnnkit.evaluation.test_time_views import views_of
from cnnkit.prediction import read_ahead
from cnnkit.progress import Report
from cnnkit.runtimes import Predictor
from cnnkit.text import first_few, shown

Note = Callable[[str], None]


@dataclass(frozen=True)
class Extent:
    """What is asked of the model besides one answer per image.

    Args:
        tta: `flips` or `crops`: the answers are averaged over views of the image; None for one
            answer to the image itself.
        corruptions: whether worsened copies of each image are answered as well.
    """

    tta: str | None = None
    corruptions: bool = False


@dataclass(eq=False)
class _Answers:
    """What is known of the images that could be read, in order.

    Args:
        probabilities: (num_images, num_classes), of which the first rows are used. It is made in
            one piece, because with many images and classes it needs most of the memory.
    """

    probabilities: NDArray
    records: list[ImageRecord] = field(default_factory=list)
    plain: list[int] = field(default_factory=list)  # predicted from the image itself
    corrupted: list[NDArray] = field(default_factory=list)  # predicted from worsened copies
    measures: list[Mapping[str, str]] = field(default_factory=list)
    example: NDArray | None = None  # the pixels of the first image


def score_images(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    manifest: Path,
    extent: Extent,
    *,
    skip_errors: bool,
    name: str,
    note: Note,
    report: Report,
) -> tuple[Predictions, Details]:
    """Return the answers of a model to images, and what they show of its weaknesses.

    Args:
        predictor: the model.
        records: the images; their labels are classes of the model.
        manifest: where they are listed. If it is a CSV or JSONL file, its other columns become
            columns of the predictions.
        extent: what is asked of the model besides one answer per image.
        skip_errors: leave out images that cannot be read instead of stopping.
        name: of the images, for messages.
        note: called with each sentence for the user.
        report: shows how many images are scored.

    Raises:
        DataError: images cannot be read.
    """
    for sentence in _about_sounds(records, extent):
        note(sentence)
    answers, broken = _answers(predictor, records, extent, report)
    report_unreadable(
        broken,
        len(records),
        name,
        # If no image at all can be read, there is nothing to score.
        skip=skip_errors and bool(answers.records),
        how_to_skip="give --skip-errors",
        note=note,
    )
    names = predictor.info.class_names
    label_of = {class_name: label for label, class_name in enumerate(names)}
    paths = [record.path for record in answers.records]
    predictions = Predictions(
        names,
        paths,
        np.array([label_of[record.label] for record in answers.records]),
        answers.probabilities[: len(paths)],
        _columns(manifest, paths, answers.measures, note),
    )
    files = {record.path: record.file for record in answers.records}
    return predictions, Details(
        predictions,
        files.get,
        robustness=_robustness(answers, predictions) if extent.corruptions else None,
        averaging=_averaging(answers, predictions, extent.tta) if extent.tta else None,
    )


def _about_sounds(records: Sequence[ImageRecord], extent: Extent) -> Iterator[str]:
    """Yield what changes of pictures mean for sounds."""
    if not num_sounds(record.path for record in records):
        return
    if extent.tta == "flips":
        yield "The mirror image of a sound is the sound backwards: --tta flips averages over both."
    if extent.corruptions:
        yield (
            "--corruptions worsens the pictures of sounds (their spectrograms), not the sounds: "
            "blur, rotation and the like say little about poor recordings."
        )


def _answers(
    predictor: Predictor, records: Sequence[ImageRecord], extent: Extent, report: Report
) -> tuple[_Answers, list[tuple[str, str]]]:
    """Return the answers, and (path, reason) of the images that cannot be read."""
    shape = len(records), len(predictor.info.class_names)
    answers, broken = _Answers(np.empty(shape, np.float32)), []
    read = partial(read_and_measure, settings=predictor.info.pixels)
    images = read_ahead((record.file for record in records), read)
    with report.counting("scoring images") as progress:
        for done, (record, (_, future)) in enumerate(zip(records, images, strict=True), start=1):
            try:
                pixels, measures = future.result()
            except ImageError as error:
                broken.append((record.path, str(error)))
                continue
            _ask(predictor, pixels, extent, answers)
            answers.records.append(record)
            answers.measures.append(measures)
            progress(done, len(records))
    return answers, broken


def _ask(predictor: Predictor, pixels: NDArray, extent: Extent, answers: _Answers) -> None:
    views = views_of(pixels, extent.tta) if extent.tta else pixels[np.newaxis]
    probabilities = predictor(views)
    answers.probabilities[len(answers.records)] = probabilities.mean(axis=0)
    answers.plain.append(int(probabilities[0].argmax()))
    if extent.corruptions:
        answers.corrupted.append(predictor(all_corrupted(pixels)).argmax(axis=1))
        answers.example = pixels if answers.example is None else answers.example


def _columns(
    manifest: Path, paths: Sequence[str], measures: Sequence[Mapping[str, str]], note: Note
) -> dict[str, Sequence[str]]:
    """Return what was measured, and the columns of the user's own table, which win."""
    try:
        own = extra_columns(manifest, paths)
    except DataError as error:  # it was changed after the training, which read it
        note(f"The columns of {shown(str(manifest))} are not used. {error}")
        own = {}
    if reserved := [name for name in own if is_reserved(name)]:
        note(
            f"Not used for slices: {first_few(reserved)} in {shown(str(manifest))}, because "
            "columns of predictions.csv have such names."
        )
    own = {name: texts for name, texts in own.items() if name not in reserved}
    return {name: [row[name] for row in measures] for name in MEASURES} | own


def _robustness(answers: _Answers, predictions: Predictions) -> Robustness:
    is_correct = np.stack(answers.corrupted) == predictions.labels[:, np.newaxis]
    clean = float((np.array(answers.plain) == predictions.labels).mean())
    shape = len(predictions), len(CORRUPTIONS), NUM_STRENGTHS
    return Robustness(clean, is_correct.reshape(shape), answers.example)


def _averaging(answers: _Answers, predictions: Predictions, kind: str) -> Averaging:
    before = np.array(answers.plain) == predictions.labels
    after = predictions.is_correct
    return Averaging(
        kind,
        len(after),
        int(before.sum()),
        int((after & ~before).sum()),
        int((before & ~after).sum()),
    )

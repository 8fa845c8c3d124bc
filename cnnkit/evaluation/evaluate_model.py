"""Score a run, or a model file in its folder, on one of its splits or on other images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cnnkit.comparison.compared_runs import contents_of
from cnnkit.config import Config, ShapesConfig, load_config
from cnnkit.data.records import SPLITS, ImageRecord, fingerprint_of
from cnnkit.data.scored_images import find_images_for, run_images, source_folder
from cnnkit.data.sources.builtin_names import namesake_note
from cnnkit.data.sources.listing import check_source
from cnnkit.errors import UsageError
from cnnkit.evaluation.gates import check_metric_names, parse_requirement
from cnnkit.evaluation.no_worse import read_baseline
from cnnkit.evaluation.result_folder import check_result_folder
from cnnkit.evaluation.scores import Evaluation, NotWrittenError
from cnnkit.evaluation.scoring import Extent, score_images
from cnnkit.foreign.chosen_model import find_chosen, load_chosen
from cnnkit.foreign.how_to_read import HowToRead
from cnnkit.output_guard import check_output
from cnnkit.progress import Report
from cnnkit.runs import Run, check_folder_name, note_unfinished, run_around
from cnnkit.runtimes import Predictor
from cnnkit.text import first_few

Note = Callable[[str], None]


def evaluate_model(
    model: str | None,
    runs_folder: Path,
    *,
    how: HowToRead | None = None,
    split: str | None = None,
    data: str | os.PathLike | None = None,
    name: str | None = None,
    requirements: Sequence[str] = (),
    on_lower: bool = False,
    no_worse_than: str | None = None,
    allow_missing_classes: bool = False,
    skip_errors: bool = False,
    tta: str | None = None,
    corruptions: bool = False,
    output: Path | None = None,
    overwrite: bool = False,
    note: Note,
    report: Report | None = None,
) -> Evaluation:
    """Score a model, write the results into evaluation/ of its run, and return them.

    Args:
        model: as for `choose_model`. One that is not in a run folder needs `data`, and its results
            are written only with `output`.
        runs_folder: where run names are looked up.
        how: what is said about a model that cnnkit did not write.
        split: which split to score. Defaults to `test`; with `data`, to all of its images.
        data: a folder, a CSV, JSON lines or TFRecord file, or a built-in data set, instead of the
            run's own images. As a `str`, `digits` is the built-in and `./digits` a folder.
        name: of the folder inside evaluation/.
        requirements: only their names are checked here, before anything is scored, so that a typo
            costs no time. `check_requirements` checks them.
        on_lower: whether each of them needs an interval.
        no_worse_than: another run, or a file of predictions, for the same images. It becomes the
            `baseline` of the result, with which `check_no_worse` compares.
        allow_missing_classes: accept `data` that lacks some of the classes.
        skip_errors: leave out images that cannot be read instead of stopping.
        tta: `flips` or `crops`: the answers are averaged over views of each image.
        corruptions: also score worsened copies of each image.
        output: a folder for the results, instead of one in evaluation/ of the run.
        overwrite: whether results in `output` may be replaced.
        note: called with each sentence for the user.
        report: shows how many images are scored; None shows nothing.

    Raises:
        CnnkitError: there is no such model or data, the classes differ, or images are broken or
            have changed.
        NotWrittenError: the images are scored, but the results cannot be written.
    """
    if output is not None:
        if name is not None:
            raise UsageError("Give --name or --output, not both.")
        check_result_folder(output, overwrite=overwrite)
    for requirement in requirements:
        parse_requirement(requirement)
    if name is not None:
        check_folder_name(name)
        if data is not None and name in SPLITS:
            raise UsageError(f"--name {name} is the run's own split. Give the data another name.")
    path = find_chosen(model, runs_folder, note)
    run = run_around(path)
    if run is None:
        _check_without_run(path, data, name)
    elif model is None:
        note(f"run: {run.folder}")
    status = note_unfinished(run, note) if run else None
    if data is not None:
        if sentence := namesake_note(data):
            note(sentence)
        check_source(data, "--data")  # before a model that needs TensorFlow is loaded
    notes: list[str] = []

    def kept_note(sentence: str) -> None:
        notes.append(sentence)
        note(sentence)

    predictor = load_chosen(path, how or HowToRead(), note)
    check_metric_names(requirements, predictor.info.class_names, on_lower=on_lower)
    config = load_config(run.config) if run else None
    if data is None:
        split = split or "test"
        records = _own_images(run, split, config, predictor)
    else:
        records = _other_images(
            data, split, run, predictor, config, allow_missing_classes, kept_note
        )
    kinds = [tta or "", "corruptions" if corruptions else ""]
    result_name = name or _result_name(predictor.path, run, split, data, kinds)
    folder = output or (run.evaluation(result_name) if run else None)
    baseline = None
    if no_worse_than is not None:
        # Before the images are scored: it may not be there.
        baseline = read_baseline(
            no_worse_than,
            runs_folder,
            evaluation=result_name,
            class_names=predictor.info.class_names,
            note=note,
        )
    if data is not None and folder is not None:
        # The CSV that is scored may be in that folder under that name: it must not be replaced.
        written = folder / "predictions.csv"
        option, in_run = ("--output", False) if output else ("--name", True)
        check_output(written, option, (".csv",), overwrite=True, inputs=[data], in_run=in_run)
    predictions, details = score_images(
        predictor,
        records,
        Path(config.data.source if data is None else data),
        Extent(tta, corruptions),
        skip_errors=skip_errors,
        name=folder.name if folder else result_name,
        note=kept_note,
        report=report or Report(),
    )
    contents = contents_of([run], predictions.paths, split) if data is None else None
    shapes = config.data.shapes if config else ShapesConfig()
    data_folder = None if data is None else source_folder(data, shapes).absolute()
    evaluation = Evaluation(
        folder, predictions, status, tuple(notes), details, baseline, contents, data_folder
    )
    try:
        if folder is not None:
            evaluation.write()
    except OSError as error:
        raise NotWrittenError(evaluation, error) from error
    return evaluation


def _check_without_run(path: Path, data: object, name: str | None) -> None:
    if data is None:
        raise UsageError(
            f"{path} is not in a run folder, so it has no images of its own to be scored on. Name "
            "images with known classes: --data FOLDER."
        )
    if name is not None:
        raise UsageError(
            f"{path} is not in a run folder, so there is no place for its results. Use --output "
            "FOLDER instead of --name."
        )


def _own_images(
    run: Run, split: str, config: Config, predictor: Predictor
) -> Sequence[ImageRecord]:
    """Return the images of one split of the run, if split.csv is as the run wrote it."""
    rows = run.read_split()
    fingerprint = fingerprint_of((row["label"], row["sha256"]) for row in rows)
    if fingerprint != run.info().get("data", {}).get("fingerprint"):
        raise run.split_has_changed()
    others = sorted({row["label"] for row in rows} - set(predictor.info.class_names))
    if others:
        raise UsageError(
            f"{run.split} has classes that {predictor.path} lacks: {first_few(others)}. "
            f"Restore {run.classes} and the model as the run wrote them, or use another run."
        )
    return run_images(rows, split, config.data)


def _other_images(
    data: str | os.PathLike,
    split: str | None,
    run: Run | None,
    predictor: Predictor,
    config: Config | None,
    allow_missing_classes: bool,
    note: Note,
) -> Sequence[ImageRecord]:
    source = find_images_for(
        data,
        predictor.info.class_names,
        config and config.data,
        split=split,
        run_name=str(run.folder if run else predictor.path),
        allow_missing_classes=allow_missing_classes,
    )
    for sentence in source.notes:
        note(sentence)
    return source.records


def _result_name(
    model: Path,
    run: Run | None,
    split: str | None,
    data: str | os.PathLike | None,
    kinds: Sequence[str],
) -> str:
    """Return the folder name for an evaluation; other kinds of evaluation get other names."""
    parts = [split]
    if data is not None:
        place = Path(data).resolve()
        # What follows a dot in the name of a folder, such as photos.2024, is no extension.
        stem = place.stem if place.is_file() else place.name
        # A folder photos/test becomes photos-test: evaluation/test is the run's own split.
        parent = place.parent.name if stem in SPLITS else None
        parts = [parent, stem or "data", split]
    if run is None or model.resolve() != run.tflite.resolve():
        parts.append(model.name)
    return "-".join(part for part in [*parts, *kinds] if part)

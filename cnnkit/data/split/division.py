"""A data section enters; its images divided, as one manifest or one for each fold, leave."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cnnkit.data.reading import Progress
from cnnkit.data.split.assignment import ALL_IN_TRAIN, Pool, assign_splits, too_few_error
from cnnkit.data.split.folds import deal_units, too_few_for_folds
from cnnkit.data.split.hashed_images import Division, read_images
from cnnkit.data.split.manifest import Manifest, read_manifest
from cnnkit.data.split.stratified import cut_units
from cnnkit.errors import UsageError
from cnnkit.text import first_few

Note = Callable[[str], None]


def divide(
    data_config: Any, output: Path, *, note: Note, progress: Progress | None = None
) -> Division:
    """Write the manifest of a source. Where the file exists, its images keep their side.

    Args:
        data_config: the `data` section.
        output: the CSV file to write.
        note: called with one sentence on each thing the user should know.
        progress: called with (files read, files in all).

    Raises:
        UsageError: the output exists and is no manifest.
        DataError: the images cannot be read or divided; the text says what to do.
    """
    (earlier,) = _read_earlier(data_config, [output])
    images = read_images(data_config, [earlier], note, progress)
    kept = images.sides_in(earlier)
    splits, notes = assign_splits(
        images.records,
        images.hashes,
        data_config.split,
        allow_missing_classes=data_config.allow_missing_classes,
        kept=kept,
    )
    for sentence in notes:
        note(sentence)
    return images.write(output, splits, earlier, note)


def divide_into_folds(
    data_config: Any,
    output: Path,
    num_folds: int,
    *,
    note: Note,
    progress: Progress | None = None,
) -> list[Division]:
    """Write one manifest for each fold, `name.fold1.csv` and so on, whose test images it is.

    Validation is cut from the other folds by its fraction. Where the files exist, all images keep
    their fold, and their side in each file.

    Args:
        data_config: the `data` section; the fraction of test is not read.
        output: `name.csv`.
        num_folds: at least 2.
        note: called with one sentence on each thing the user should know.
        progress: called with (files read, files in all).

    Raises:
        UsageError: the source brings its splits, or the files that exist are not these manifests.
        DataError: the images cannot be read or divided; the text says what to do.
    """
    files = [fold_file(output, number) for number in range(1, num_folds + 1)]
    earlier = _read_earlier(data_config, files)
    _check_all_or_none(files, fold_file(output, num_folds + 1))
    images = read_images(data_config, earlier, note, progress)
    if any(record.split for record in images.records):
        raise UsageError(
            f"{data_config.source} brings its own splits, and folds would mix them. Give a source "
            "without splits, or leave --folds out."
        )
    pool = Pool(images.records, images.hashes, images.groups)
    for sentence in pool.notes():
        note(sentence)
    folds = _deal(pool, images.folds_in(earlier), num_folds, data_config)
    divisions = []
    for fold, (file, manifest) in enumerate(zip(files, earlier, strict=True)):
        parts = _cut_validation(pool, folds, fold, images.sides_in(manifest), data_config)
        divisions.append(images.write(file, pool.spread(parts), manifest, note))
    return divisions


def fold_file(output: Path, number: int) -> Path:
    """Return `photos.fold2.csv` for `photos.csv` and 2."""
    return output.with_name(f"{output.stem}.fold{number}{output.suffix}")


def _read_earlier(data_config: Any, files: Sequence[Path]) -> list[Manifest]:
    """Read the manifests that are to be written anew; refuse to write over the source."""
    for file in files:
        if file.exists() and os.path.exists(data_config.source):
            if os.path.samefile(file, data_config.source):
                raise UsageError(f"{file} is the source itself. Give another --output.")
    return [read_manifest(file) for file in files]


def _check_all_or_none(files: Sequence[Path], one_more: Path) -> None:
    """Refuse to go on from files of another number of folds, or from some of them."""
    there = [file for file in [*files, one_more] if file.exists()]
    if there and there != list(files):
        raise UsageError(
            f"{first_few(map(str, there), 10)} {'is' if len(there) == 1 else 'are'} there, which "
            f"are not {len(files)} folds. Give the number of folds they were written with, remove "
            "them, or give another --output."
        )


def _deal(pool: Pool, kept: Sequence[str | None], num_folds: int, data_config: Any) -> list[int]:
    sides = pool.sides(kept)
    known = [None if side is None else int(side.removeprefix("fold ")) - 1 for side in sides]
    folds = deal_units(pool.units, num_folds, data_config.split.seed, known)
    needed = 2 if data_config.allow_missing_classes else num_folds
    too_few = too_few_for_folds(pool.units, folds, needed)
    if too_few:
        raise too_few_error(
            pool.units,
            too_few,
            f"{num_folds} folds",
            "give --folds a smaller number",
        )
    return folds


def _cut_validation(
    pool: Pool,
    folds: Sequence[int],
    fold: int,
    kept: Sequence[str | None],
    data_config: Any,
) -> list[str]:
    """Return the part of each unit where one fold is test."""
    sides = [
        "test" if dealt == fold else side
        for dealt, side in zip(folds, pool.sides(kept), strict=True)
    ]
    fraction = data_config.split.validation
    parts, too_few = cut_units(
        pool.units,
        {"validation": fraction} if fraction > 0 else {},
        data_config.split.seed,
        sides,
        allow_missing_classes=data_config.allow_missing_classes,
    )
    if too_few and not data_config.allow_missing_classes:
        raise too_few_error(
            pool.units,
            too_few,
            "train and validation beside a fold",
            ALL_IN_TRAIN,
        )
    return parts

"""Write the split of a source to a manifest, or to one per fold (`cnnkit data split`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cnnkit.config import DataConfig
from cnnkit.data.file_contents import Progress
from cnnkit.data.split.assignment import ALL_IN_TRAIN, assign_splits, too_few_error
from cnnkit.data.split.folds import deal_units, too_few_for_folds
from cnnkit.data.split.hashed_images import Division, HashedImages, read_images
from cnnkit.data.split.manifest import Manifest, read_manifest
from cnnkit.data.split.stratified import split_units
from cnnkit.data.split.units import Pool
from cnnkit.errors import UsageError
from cnnkit.output_guard import check_output
from cnnkit.text import first_few

Note = Callable[[str], None]


def divide(
    data_config: DataConfig, output: Path, *, note: Note, progress: Progress | None = None
) -> Division:
    """Write the manifest of a source. If the file exists, its images keep their splits.

    Args:
        data_config: the `data` section.
        output: the CSV file to write.
        note: called with one sentence on each thing the user should know.
        progress: called with (files read, files in all).

    Raises:
        UsageError: the output exists and is not a manifest, or not one of these images.
        DataError: the images cannot be read or split; the text says what to do.
    """
    # Before the images are read: what is refused costs no time.
    (earlier,) = _read_earlier(data_config, [output])
    images = read_images(data_config, [earlier], note, progress)
    kept = images.splits_in(earlier)
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
    data_config: DataConfig,
    output: Path,
    num_folds: int,
    *,
    note: Note,
    progress: Progress | None = None,
) -> list[Division]:
    """Write one manifest per fold, `name.fold1.csv` and so on, in which that fold is test.

    Validation is drawn from the other folds by its fraction. If the files exist, all images keep
    their fold, and their split in each file.

    Args:
        data_config: the `data` section; the fraction of test is not used.
        output: `name.csv`.
        num_folds: at least 2.
        note: called with one sentence on each thing the user should know.
        progress: called with (files read, files in all).

    Raises:
        UsageError: the source states its splits, or the files that exist are not these manifests.
        DataError: the images cannot be read or split; the text says what to do.
    """
    files = [fold_file(output, number) for number in range(1, num_folds + 1)]
    earlier = _read_earlier(data_config, files)
    # One file more shows that these were written with another number of folds.
    _check_all_or_none(files, fold_file(output, num_folds + 1))
    images = read_images(data_config, earlier, note, progress)
    if any(record.split for record in images.records):
        raise UsageError(
            f"{data_config.source} has its own splits, and folds would mix them. Give a source "
            "without splits, or omit --folds."
        )
    pool = Pool(images.records, images.hashes, images.groups)
    for sentence in pool.notes():
        note(sentence)
    folds = _deal(pool, images.folds_in(earlier), num_folds, data_config)
    divisions = []
    for fold, (file, manifest) in enumerate(zip(files, earlier, strict=True)):
        splits = _draw_validation(pool, folds, fold, images.splits_in(manifest), data_config)
        divisions.append(images.write(file, pool.spread(splits), manifest, note))
    return divisions


def folds_of(images: HashedImages, num_folds: int, data_config: DataConfig) -> list[int]:
    """Return the fold of each image, from 0; copies and groups stay in one fold.

    Args:
        images: none of which has a split.
        num_folds: at least 2.
        data_config: the `data` section.

    Raises:
        DataError: a class has too few images.
    """
    pool = Pool(images.records, images.hashes, images.groups)
    folds = _deal(pool, [None] * len(images.records), num_folds, data_config)
    # `spread` takes any text for a split.
    return [int(fold) for fold in pool.spread([str(fold) for fold in folds])]


def splits_of_fold(
    images: HashedImages, folds: Sequence[int], fold: int, data_config: DataConfig
) -> list[str]:
    """Return the split of each image if one fold is test; validation is drawn from the others.

    Args:
        images: none of which has a split.
        folds: the fold of each image, as from `folds_of`.
        fold: the one that is test.
        data_config: the `data` section; the fraction of test is not used.

    Raises:
        DataError: a class has too few images.
    """
    pool = Pool(images.records, images.hashes, images.groups)
    of_content = dict(zip(images.hashes, folds, strict=True))
    of_unit = [of_content[unit.contents[0]] for unit in pool.units]
    nothing = [None] * len(images.records)
    return pool.spread(_draw_validation(pool, of_unit, fold, nothing, data_config))


def fold_file(output: Path, number: int) -> Path:
    """Return `photos.fold2.csv` for `photos.csv` and 2."""
    return output.with_name(f"{output.stem}.fold{number}{output.suffix}")


def _read_earlier(data_config: DataConfig, files: Sequence[Path]) -> list[Manifest]:
    """Read the manifests that will be rewritten; refuse to write over the source or a run."""
    for file in files:
        check_output(file, "--output", (".csv",), overwrite=True, inputs=[data_config.source])
    return [read_manifest(file, data_config.weight_column) for file in files]


def _check_all_or_none(files: Sequence[Path], one_more: Path) -> None:
    """Refuse to update the files of another number of folds, or only some of the files."""
    there = [file for file in [*files, one_more] if file.exists()]
    if there and there != list(files):
        raise UsageError(
            f"{first_few(map(str, there), 10)} {'exists' if len(there) == 1 else 'exist'}, but "
            f"{len(files)} folds need {len(files)} files. Give the number of folds that they were "
            "written with, remove them, or choose another --output."
        )


def _deal(
    pool: Pool, earlier: Sequence[str | None], num_folds: int, data_config: DataConfig
) -> list[int]:
    kept = pool.kept_splits(earlier)
    known = [None if name is None else int(name.removeprefix("fold ")) - 1 for name in kept]
    folds = deal_units(pool.units, num_folds, data_config.split.seed, known)
    # At least two in any case: one to test on, and another to learn from.
    needed = 2 if data_config.allow_missing_classes else num_folds
    too_few = too_few_for_folds(pool.units, folds, needed)
    if too_few:
        raise too_few_error(
            pool.units,
            too_few,
            f"{num_folds} folds",
            "give a smaller number of --folds",
        )
    return folds


def _draw_validation(
    pool: Pool,
    folds: Sequence[int],
    fold: int,
    earlier: Sequence[str | None],
    data_config: DataConfig,
) -> list[str]:
    """Return the split of each unit if one fold is test."""
    kept = [
        "test" if dealt == fold else split
        for dealt, split in zip(folds, pool.kept_splits(earlier), strict=True)
    ]
    fraction = data_config.split.validation
    splits, too_few = split_units(
        pool.units,
        {"validation": fraction} if fraction > 0 else {},
        data_config.split.seed,
        kept,
        allow_missing_classes=data_config.allow_missing_classes,
    )
    if too_few and not data_config.allow_missing_classes:
        raise too_few_error(
            pool.units,
            too_few,
            "train, validation and a fold",
            ALL_IN_TRAIN,
        )
    return splits

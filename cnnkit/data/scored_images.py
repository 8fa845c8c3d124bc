"""Find the images to score a run on: those of its own split, or others with the same classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cnnkit.config import DataConfig, ShapesConfig
from cnnkit.data.file_bytes import ImageFile, LocalFile
from cnnkit.data.file_contents import hash_files
from cnnkit.data.other_spellings import PathSpelling, with_class_names
from cnnkit.data.records import SPLITS, ImageRecord, Source
from cnnkit.data.sources.builtin import builtin_folder
from cnnkit.data.sources.builtin_names import is_builtin
from cnnkit.data.sources.listing import only_classes, read_source
from cnnkit.data.sources.tfrecord import record_at
from cnnkit.errors import DataError, UsageError, spelt_alike
from cnnkit.text import count_of, first_few


def run_images(
    rows: Sequence[Mapping[str, str]],
    split: str,
    data_config: DataConfig,
    *,
    option: str = "--data FOLDER",
) -> tuple[ImageRecord, ...]:
    """Return the images of one split as a run's split.csv lists them.

    Args:
        rows: of split.csv.
        split: `train`, `validation` or `test`.
        data_config: the run's `data` section; `source` and `shapes` are used.
        option: the option of the command that takes other images instead, for messages.

    Raises:
        UsageError: the run has no such split.
        DataError: images are missing, or have changed since the run was trained.
    """
    chosen = [row for row in rows if row["split"] == split]
    if not chosen:
        has = ", ".join(name for name in SPLITS if any(row["split"] == name for row in rows))
        raise UsageError(f"The run has no {split} split; it has {has}.")
    root = source_folder(data_config.source, data_config.shapes)
    spelling = PathSpelling()
    records = tuple(
        ImageRecord(row["path"], image_at(root, row["path"], spelling), row["label"], split)
        for row in chosen
    )
    hashes, _ = hash_files([record.file for record in records])
    differing = [
        f"{record.path} ({'cannot be read' if digest is None else 'has changed'})"
        for record, row, digest in zip(records, chosen, hashes, strict=True)
        if digest != row["sha256"]
    ]
    if differing:
        raise DataError(
            f"{count_of(len(differing), 'image')} of the {split} split in {root} "
            f"{'is' if len(differing) == 1 else 'are'} not as the run saw "
            f"{'it' if len(differing) == 1 else 'them'}: {first_few(differing, 10)}. Put the "
            f"images back, or give {option}."
        )
    return records


def find_images_for(
    source: str | Path,
    class_names: Sequence[str],
    data_config: DataConfig | None,
    *,
    split: str | None = None,
    run_name: str = "The run",
    allow_missing_classes: bool = False,
) -> Source:
    """List other images to score with the classes of a run.

    Args:
        source: a folder, a file, or the name of a built-in as a `str`; see `read_source`.
        class_names: the run's classes.
        data_config: the run's `data` section; `shapes` is used, and if it has `classes`, images of
            other classes are ignored. None for a model that is not in a run.
        split: only the images of this split of the source; None for all images.
        run_name: what messages call the run.
        allow_missing_classes: accept a source that lacks some of the classes.

    Raises:
        UsageError: the classes differ, or the source has no such split.
        DataError: the source cannot be read or contains no image.
    """
    shapes = data_config.shapes if data_config else ShapesConfig()
    found = read_source(source, shapes, option="--data")
    if split is not None:
        found = _only_split(found, split)
    if data_config and data_config.classes is not None:
        found = only_classes(found, data_config.classes)
    if not found.records:
        raise DataError(f"{found.name} contains no image.")
    found = with_class_names(found, class_names)
    _check_same_classes(found, class_names, run_name, allow_missing_classes)
    return found


def image_at(root: Path, path: str, spelling: PathSpelling) -> ImageFile:
    """Return the image with a path of a run's split.csv; the file need not exist.

    Args:
        root: the folder that the path is relative to.
        path: the path.
        spelling: finds files that are spelt differently on this computer.

    Raises:
        DataError: the image is in a TFRecord file that is damaged.
    """
    place = os.path.join(root, path)
    if not os.path.lexists(place):  # perhaps on a Mac, or in a copy of its files
        place = spelling.existing(place) or place
    return record_at(place) or LocalFile(place)


def source_folder(source: str | os.PathLike[str], shapes: ShapesConfig) -> Path:
    """Return the folder that the paths of the images of a source are relative to.

    Args:
        source: a folder, a file, or the name of a built-in as a `str`.
        shapes: the settings of a data set of drawn shapes.
    """
    if isinstance(source, str) and is_builtin(source):
        return builtin_folder(source, shapes)
    # The paths in a CSV, JSONL or TFRecord file are relative to its folder.
    place = Path(source)
    return place if place.is_dir() else place.parent


def _only_split(source: Source, split: str) -> Source:
    present = [name for name in SPLITS if any(r.split == name for r in source.records)]
    if split not in present:
        has = ", ".join(present) or "no splits"
        raise UsageError(f"{source.name} has no {split} split; it has {has}.")
    kept = tuple(record for record in source.records if record.split == split)
    return replace(source, records=kept)


def _alike(new: Sequence[str], class_names: Sequence[str]) -> str:
    """Return a sentence on the first new class that is nearly the name of another; may be empty."""
    by_form = {name.strip().casefold(): name for name in class_names}
    for name in new:
        other = by_form.get(name.strip().casefold())
        if other is not None:
            return f' "{name}" and "{other}" differ only in upper and lower case or in spaces.'
    return spelt_alike(new, class_names)


def _check_same_classes(
    source: Source, class_names: Sequence[str], run_name: str, allow_missing: bool
) -> None:
    there = {record.label for record in source.records}
    new = sorted(there - set(class_names))
    missing = [name for name in class_names if name not in there]
    if not new and (allow_missing or not missing):
        return
    parts = [f"new: {first_few(new, 10)}"] if new else []
    parts += [f"missing: {first_few(missing, 10)}"] if missing else []
    advice = (
        "Evaluate with the same classes, or retrain."
        if new
        else "Add their images, or give --allow-missing-classes to score without them."
    )
    raise UsageError(
        f"{run_name} was trained on {count_of(len(class_names), 'class', 'classes')}, "
        f"{source.name} has {len(there):,} ({'; '.join(parts)}).{_alike(new, class_names)} "
        f"{source.doubt or advice}"
    )

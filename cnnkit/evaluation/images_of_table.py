"""Find the images of a predictions.csv, of which only the paths are known."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cnnkit.data.file_bytes import ImageFile, LocalFile
from cnnkit.data.sources.tfrecord import record_at
from cnnkit.evaluation.galleries import FindImage
from cnnkit.runs import Run, run_around

DATA_FOLDER = "data_folder"  # the key of metrics.json for the folder of data that were evaluated


def images_of_table(table: Path) -> FindImage:
    """Return a function that finds the image of a path in a predictions.csv, or gives None.

    Paths are relative to the data that were evaluated: other data than the run's own are named in
    the metrics.json next to the file. A file of another program has paths that are relative to its
    folder, or to the current folder.

    Args:
        table: the CSV.
    """
    folders = [table.parent, Path()]
    if evaluated := _evaluated_folder(table):
        folders = [Path(evaluated)]
    elif run := run_around(table):
        folders.insert(0, _data_folder(run))

    def find(path: str) -> ImageFile | None:
        places = (os.path.join(folder, path) for folder in folders)
        return next((file for place in places if (file := _image_at(place))), None)

    return find


def _evaluated_folder(table: Path) -> str | None:
    """Return the folder of the data that were evaluated, if they are not the run's own."""
    try:
        metrics = json.loads((table.parent / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return metrics.get(DATA_FOLDER) if isinstance(metrics, dict) else None


def _data_folder(run: Run) -> Path:
    """Return the folder that the paths of the images of a run are relative to."""
    source = Path(run.info().get("data", {}).get("source", ""))
    if source.is_absolute() or source == Path():
        return source if source.is_dir() else source.parent
    # A built-in data set. What reads configs takes longer to import than this whole command.
    from cnnkit.config import load_config
    from cnnkit.data.scored_images import source_folder

    data = load_config(run.config).data
    return source_folder(data.source, data.shapes)


def _image_at(place: str) -> ImageFile | None:
    return LocalFile(place) if os.path.isfile(place) else record_at(place)

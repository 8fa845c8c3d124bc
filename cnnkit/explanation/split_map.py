"""Draw all images of a split on a page, those that look similar to the model close together."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnkit.calibration.image_features import image_features
from cnnkit.config import load_config
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.records import ImageRecord
from cnnkit.data.scored_images import run_images
from cnnkit.errors import UsageError
from cnnkit.explore.features.opened_model import find_model
from cnnkit.files import write_csv, write_text
from cnnkit.model.calibrated_layers import feature_model, logits_of, unit_rows
from cnnkit.new_folders import check_writable, make_numbered_folder
from cnnkit.pages import render_page
from cnnkit.progress import Report
from cnnkit.text import count_of, shown

_MOST_IMAGES = 1500  # the time of t-SNE grows faster than their number
_NUM_COMPONENTS = 50
_PERPLEXITY = 30  # about the number of neighbours that each image should stay close to
_THUMBNAIL = PixelSettings((64, 64), resize="pad", background=230)
_HEADER = ("path", "label", "prediction", "x", "y")


@dataclass(frozen=True, eq=False)
class SplitMap:
    """A map of the images of a split.

    Args:
        page: the HTML file.
        table: the CSV file: path, label, prediction, x, y.
        split: `train`, `validation` or `test`.
        num_images: how many images are on the map.
        num_left_out: how many are not, because there are too many.
        num_wrong: how many of those on the map have a wrong answer.
    """

    page: Path
    table: Path
    split: str
    num_images: int
    num_left_out: int
    num_wrong: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `--json`."""
        return {**vars(self), "page": str(self.page), "table": str(self.table)}

    def text(self) -> str:
        """Return what is on the map, and its files."""
        left_out = f" ({self.num_left_out:,} more are left out)" if self.num_left_out else ""
        images = f"{count_of(self.num_images, 'image')} of the {self.split} split{left_out}"
        return f"{images}, {self.num_wrong:,} with a wrong answer\n{self.page}\n{self.table}"


def draw_split_map(
    model: str | None,
    split: str,
    runs_folder: Path,
    *,
    output: Path | None = None,
    report: Report,
) -> SplitMap:
    """Draw the images of a split in two dimensions, by PCA and then t-SNE of their features.

    The features are the input of the output layer, scaled to length 1. PCA keeps at most 50
    directions of them.

    Args:
        model: a run, or a `.keras` file in a run; None means the newest finished run.
        split: `train`, `validation` or `test`. Of a split with more than 1,500 images, as many are
            drawn; their content decides which.
        runs_folder: where run names are looked up.
        output: a new or an empty folder; by default `explanation/map_<split>` of the run.
        report: shows the progress and notes.

    Raises:
        UsageError: there is no such run or split, or nothing can be written.
        DataError: images of the run are missing or have changed.

    Source: van der Maaten & Hinton 2008, "Visualizing Data using t-SNE", JMLR 9.
    """
    found = find_model(model, runs_folder, report.note)
    default = found.run.folder / "explanation" / f"map_{split}"
    check_writable(output or default, "Choose another --output.")
    if output is not None and output.is_dir() and any(output.iterdir()):
        raise UsageError(
            f"--output {shown(str(output))} is not empty. Choose a new or an empty folder."
        )
    rows = found.run.read_split()
    total = sum(row["split"] == split for row in rows)
    # Those of the split first, ordered by their content.
    rows.sort(key=lambda row: (row["split"] != split, row["sha256"]))
    data = load_config(found.run.config).data
    records = run_images(rows[:_MOST_IMAGES] if total else rows, split, data)
    opened = found.load()
    features = image_features(
        records, extractor=feature_model(opened.model), info=opened.info, report=report
    )
    predicted = logits_of(opened.model, features).argmax(axis=1)
    answers = [opened.info.class_names[label] for label in predicted]
    places = map_places(features)
    folder = output or make_numbered_folder(default)
    folder.mkdir(parents=True, exist_ok=True)
    page, table = folder / "map.html", folder / "map.csv"
    title = f"{split} images of {found.run.name}"
    write_text(page, _page(title, records, answers, places, opened.info.class_names))
    cells = [
        (record.path, record.label, answer, f"{x:.6g}", f"{y:.6g}")
        for record, answer, (x, y) in zip(records, answers, places, strict=True)
    ]
    write_csv(table, _HEADER, [dict(zip(_HEADER, each, strict=True)) for each in cells])
    wrong = sum(record.label != name for record, name in zip(records, answers, strict=True))
    return SplitMap(page, table, split, len(records), total - len(records), wrong)


def map_places(features: NDArray) -> NDArray:
    """Return places (num_images, 2) in [0, 1]; images with similar features are close together.

    Args:
        features: (num_images, num_features).
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    rows = unit_rows(features)
    if np.allclose(rows, rows[0]):  # one image, or equal ones: there is no direction to find
        return np.zeros((len(rows), 2))
    few = min(_NUM_COMPONENTS, len(rows), rows.shape[1])
    rows = PCA(few, random_state=0).fit_transform(rows)
    if len(rows) > 3:  # fewer images have no neighbourhoods
        near = min(_PERPLEXITY, (len(rows) - 1) / 3)
        start = "pca" if rows.shape[1] > 1 else "random"
        rows = TSNE(2, perplexity=near, init=start, random_state=0).fit_transform(rows)
    rows = np.pad(rows, ((0, 0), (0, max(0, 2 - rows.shape[1]))))[:, :2]
    low, high = rows.min(axis=0), rows.max(axis=0)
    return (rows - low) / np.where(high > low, high - low, 1)


def _page(
    title: str,
    records: Sequence[ImageRecord],
    answers: Sequence[str],
    places: NDArray,
    class_names: Sequence[str],
) -> str:
    points = [
        {
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            "label": class_names.index(record.label),
            "answer": class_names.index(answer),
            "name": record.path,
            "image": _thumbnail(record),
        }
        for record, answer, (x, y) in zip(records, answers, places, strict=True)
    ]
    data = {"classes": list(class_names), "points": points}
    return render_page("cnnkit.explanation", "map.html", title=title, data=data)


def _thumbnail(record: ImageRecord) -> str:
    """Return a small picture as the text of a JPEG file in base64."""
    file = io.BytesIO()
    Image.fromarray(read_pixels(record.file, _THUMBNAIL)).save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()

"""Compute the features of many images, in order, and write them into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.embedding.feature_extractor import FeatureExtractor
from cnnkit.embedding.feature_files import WriteRow, npy_rows, parquet_feature_rows, paths_file
from cnnkit.errors import CnnkitError, DataError, ImageError
from cnnkit.prediction import pixels_of, read_ahead
from cnnkit.prediction.output_formats import with_pace
from cnnkit.text import count_of, shown

FORMATS: dict[str, Callable[[Path, int], AbstractContextManager[WriteRow]]] = {
    ".npy": npy_rows,
    ".parquet": parquet_feature_rows,
}


@dataclass(frozen=True)
class Embedded:
    """What `cnnkit embed` has written.

    Args:
        output: the file.
        model: the model file.
        images: how many rows it has.
        width: the number of features of each.
        errors: (path, reason) of the images that could not be read, and have no row.
    """

    output: Path
    model: Path
    images: int
    width: int
    errors: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        paths = {"paths": str(paths_file(self.output))} if self.output.suffix == ".npy" else {}
        return {
            "output": str(self.output),
            **paths,
            "model": str(self.model),
            "images": self.images,
            "features": self.width,
            "errors": [{"path": path, "error": reason} for path, reason in self.errors],
        }

    def text(self) -> str:
        """Return what is in which file."""
        with_paths = ""
        if self.output.suffix == ".npy":
            with_paths = f", and their paths in {shown(str(paths_file(self.output)))}"
        return (
            f"{count_of(self.images, 'image')}, {self.width:,} features each, in "
            f"{shown(str(self.output))}{with_paths}."
        )

    def failure(self) -> CnnkitError | None:
        """Return the error for images that could not be read; None if all could."""
        if not self.errors:
            return None
        total = self.images + len(self.errors)
        return DataError(
            f"{len(self.errors)} of {count_of(total, 'image')} could not be read and have no row."
        )


def features_of(
    images: Iterable[Any], extractor: FeatureExtractor
) -> Iterator[tuple[str, NDArray | ImageError]]:
    """Yield the name of each image with its features (width,), or with why it cannot be read.

    Threads read and compute a few images ahead, so memory does not grow with their number.
    """

    def features(image: Any) -> NDArray:
        return extractor.features(pixels_of(image, extractor.pixels)[np.newaxis])[0]

    for name, future in read_ahead(images, features):
        try:
            yield name, future.result()
        except ImageError as error:
            yield name, error


def embed_images(
    images: Iterable[Any],
    extractor: FeatureExtractor,
    output: Path,
    model: Path,
    note: Callable[[str], Any] = lambda sentence: None,
) -> Embedded:
    """Write the features of images into a file.

    Args:
        images: paths, or files inside other files, in the order of the rows.
        extractor: the model.
        output: a file whose extension is a key of FORMATS; it appears when all is written.
        model: the file of the model, for the report.
        note: called with a sentence for each image that cannot be read, which has no row, and
            every ten seconds with the pace.
    """
    errors: list[tuple[str, str]] = []
    number = 0
    with FORMATS[output.suffix.lower()](output, extractor.width) as write:
        for name, found in with_pace(features_of(images, extractor), note):
            if isinstance(found, ImageError):
                errors.append((name, str(found)))
                note(f"{shown(name)}: {found}")
                continue
            write(name, found)
            number += 1
    return Embedded(output, model, number, extractor.width, errors)

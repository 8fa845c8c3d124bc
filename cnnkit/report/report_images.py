"""Small copies of the images that a report shows, each embedded in the page at most once."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnkit.config import DataConfig
from cnnkit.data.decoding.image_formats import open_image
from cnnkit.data.file_bytes import ImageFile, read_file
from cnnkit.data.image_facts import upright_size
from cnnkit.data.other_spellings import PathSpelling
from cnnkit.data.parallel import compute_all
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.scored_images import image_at, source_folder
from cnnkit.data.sources.known_sets import KNOWN_SETS, is_unpacked
from cnnkit.errors import ImageError

SIDE = 128  # pixels; the page shows them smaller, for screens with fine pixels
_EXACT = 32  # a smaller picture is kept as it is, so that its pixels stay sharp
_QUALITY = 80


@dataclass(frozen=True)
class Thumbnail:
    """A small copy of an image.

    Args:
        source: the `src` of an `<img>`; empty if the image cannot be shown, or is in another place.
        reason: why it cannot be shown.
        name: the id of its place in the page, if it may be shown in another place too.
        same_as: the id of the place that has it; the script of the page copies it.
    """

    source: str = ""
    reason: str = ""
    name: str = ""
    same_as: str = ""


class ReportImages:
    """The images of a run, by their paths in its files.

    Args:
        folders: that these paths may be relative to.
        hashes: path -> sha256 of the content that the run saw; another content is not shown.
        sample_range: of `data`, for pictures with more than 8 bits.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        hashes: Mapping[str, str],
        sample_range: tuple[float, float] | None,
    ) -> None:
        self._folders = folders
        self._hashes = hashes
        self._sample_range = sample_range
        self._spelling = PathSpelling()
        self._loaded: dict[str, Thumbnail] = {}
        self._places: dict[str, str] = {}  # source -> id of the place that has it

    def load(self, paths: Iterable[str]) -> None:
        """Read images, those of them that were not read before, on all processors."""
        wanted = [path for path in dict.fromkeys(paths) if path not in self._loaded]
        work = [(self.find(path), self._hashes.get(path)) for path in wanted]
        read = partial(_thumbnail, sample_range=self._sample_range)
        self._loaded |= dict(zip(wanted, compute_all(read, work), strict=True))

    def __getitem__(self, path: str) -> Thumbnail:
        """Return the small copy of an image that was loaded."""
        return self._loaded[path]

    def in_next_place(self, path: str) -> Thumbnail:
        """Return what the next place of the page has: the image, or where it is already.

        Ask for the places without a script first: only those have an id.
        """
        found = self._loaded[path]
        if not found.source:
            return found
        if place := self._places.get(found.source):
            return Thumbnail(same_as=place)
        self._places[found.source] = f"image-{len(self._places) + 1}"
        return replace(found, name=self._places[found.source])

    def find(self, path: str) -> ImageFile | None:
        """Return the file with a path of the run, None if there is none."""
        found = (image_at(folder, path, self._spelling) for folder in self._folders)
        return next((file for file in found if not isinstance(file, str) or Path(file).is_file()),
                    None)  # fmt: skip


def folders_of(data: DataConfig) -> list[Path]:
    """Return the folder that paths of a run are relative to; none if it must be downloaded first.

    No data set is downloaded only to look at its images again.
    """
    is_here = data.source not in KNOWN_SETS or is_unpacked(data.source)
    return [source_folder(data.source, data.shapes)] if is_here else []


def data_address(pixels: NDArray) -> str:
    """Return uint8 pixels (height, width, channels) as the `src` of an `<img>`."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    kind = "png" if max(image.size) <= _EXACT else "jpeg"
    file = io.BytesIO()
    image.save(file, kind, **({"quality": _QUALITY} if kind == "jpeg" else {"optimize": True}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _thumbnail(
    work: tuple[ImageFile | None, str | None], sample_range: tuple[float, float] | None
) -> Thumbnail:
    file, expected = work
    if file is None:
        return Thumbnail(reason="this image is no longer there")
    try:
        data = read_file(file)
        if expected is not None and hashlib.sha256(data).hexdigest() != expected:
            return Thumbnail(reason="this image has changed since the training")
        with open_image(data) as image:
            size = np.array(upright_size(image, data))
        height, width = np.maximum(1, np.round(size * min(1, SIDE / size.max()))).astype(int)
        settings = PixelSettings((int(height), int(width)), sample_range=sample_range)
        return Thumbnail(data_address(read_pixels(data, settings)))
    except ImageError as error:
        return Thumbnail(reason=f"this image cannot be read: {error}")

"""JPEG files whose samples are not all there: zeros in their place, or an early end."""

from __future__ import annotations

import pytest
from images import file_bytes, noise
from PIL import Image

from cnnkit.data.check.image_faults import facts_of
from cnnkit.data.file_bytes import LocalFile
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError

SETTINGS = PixelSettings((2, 2))
FLAT = Image.new("RGB", (2000, 2000), (255, 255, 255))


def photo(**options):
    return file_bytes(noise(300, 200).resize((600, 400)), "JPEG", quality=90, **options)


def zeroed(data, begin, end):
    """Return the file with zeros for a part of it, as shares of its length."""
    first, last = int(len(data) * begin), int(len(data) * end)
    return data[:first] + bytes(last - first) + data[last:]


@pytest.mark.parametrize(
    "data",
    [
        zeroed(photo(), 0.5, 1),
        zeroed(photo(), 0.5, 1)[:-2] + b"\xff\xd9",
        zeroed(photo(), 0.5, 0.6),
        zeroed(photo(subsampling=0), 0.3, 0.32),
        zeroed(file_bytes(noise(600, 400).convert("L"), "JPEG"), 0.8, 1),
        zeroed(
            file_bytes(noise(600, 400), "MPO", save_all=True, append_images=[noise()]), 0.3, 0.4
        ),
    ],
)
def test_a_jpeg_with_zeros_for_a_part_of_the_picture_is_damaged(data):
    with pytest.raises(
        ImageError, match="a part of the picture is missing: .* are zeros"
    ) as caught:
        read_pixels(data, SETTINGS)
    assert caught.value.kind == "damaged"


@pytest.mark.parametrize(
    "data",
    [
        photo(),
        photo() + bytes(5000),
        photo()[:-2] + bytes(5000),  # some cameras write no end, and fill up the last sector
        photo(exif=b"Exif\0\0" + bytes(5000)),
        file_bytes(FLAT, "JPEG"),
        file_bytes(FLAT, "JPEG", optimize=True),  # its flat blocks are written as zeros
        file_bytes(FLAT, "JPEG", progressive=True),
    ],
)
def test_other_zeros_in_a_jpeg_are_no_fault(data):
    assert read_pixels(data, SETTINGS).shape == (2, 2, 3)


def cut(data, share):
    """Return a JPEG that ends after a share of its samples, with the mark of its end."""
    return data[: int(len(data) * share)] + b"\xff\xd9"


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return photo(exif=exif)


@pytest.mark.parametrize(
    ("data", "is_early"),
    [
        (cut(photo(), 0.5), True),
        (cut(photo(), 0.95), True),
        (cut(turned(6), 0.5), True),
        (cut(photo(restart_marker_rows=2), 0.5), True),
        (photo(), False),
        (photo(restart_marker_rows=2), False),
        (photo()[:-2] + b"\x7f" * 20 + b"\xff\xd9", False),  # as some cameras write
        (file_bytes(FLAT, "JPEG"), False),
        (file_bytes(FLAT.convert("L"), "JPEG", optimize=True), False),
    ],
)
def test_a_jpeg_that_ends_early_is_reported(data, is_early, tmp_path):
    (tmp_path / "a.jpg").write_bytes(data)
    kinds = {kind for kind, _ in facts_of(LocalFile(str(tmp_path / "a.jpg"))).faults}
    assert ("ends_early" in kinds) == is_early

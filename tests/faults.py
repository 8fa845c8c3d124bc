"""Faults of images, each with what `cnnkit data check` has to find."""

from __future__ import annotations

import os
import shutil
import zlib

import numpy as np
import pytest
from healthy_folders import fault, into_splits, put, scene, write_table
from images import file_bytes, noise
from PIL import Image

# --- files that give no pixels


@fault(("empty_file", "cat/x.jpg"))
def no_bytes(folder):
    put(folder, "cat/x.jpg", b"")


@fault(("not_an_image", "cat/x.jpg"))
def text(folder):
    put(folder, "cat/x.jpg", b"<html>404</html>")


@fault(("unread_format", "cat/x.jpg"))
def postscript_under_another_name(folder):
    put(folder, "cat/x.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\nshowpage\n")


@fault(("truncated", "cat/x.jpg"))
def half_a_jpeg(folder):
    content = file_bytes(scene(7000, 200, 200), "JPEG")
    put(folder, "cat/x.jpg", content[: len(content) // 2])


@fault(("truncated", "cat/x.png"))
def half_a_png(folder):
    content = file_bytes(noise(200, 200))
    put(folder, "cat/x.png", content[: len(content) // 2])


@fault(("ends_early", "cat/x.jpg"))
def half_a_jpeg_with_an_end(folder):
    content = file_bytes(scene(7000, 200, 200), "JPEG")
    put(folder, "cat/x.jpg", content[: len(content) // 2] + b"\xff\xd9")


@fault(("damaged", "cat/x.jpg"))
def half_a_jpeg_of_zeros(folder):
    content = file_bytes(scene(7000, 200, 200), "JPEG")
    half = content[: len(content) // 2].ljust(len(content) - 2, b"\0")
    put(folder, "cat/x.jpg", half + content[-2:])


@fault(("damaged", "cat/x.png"))
def broken_header(folder):
    put(folder, "cat/x.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50)


@fault(("too_large", "cat/x.png"))
def bomb(folder):
    content = bytearray(file_bytes(scene(7001)))
    content[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height, with a wrong checksum
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    put(folder, "cat/x.png", bytes(content))


@fault(("unsupported_pixels", "cat/x.tif"))
def decimal_numbers(folder):
    values = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    put(folder, "cat/x.tif", file_bytes(Image.fromarray(values), "TIFF"))


@fault(("broken_link", "cat/x.jpg"))
def dangling_link(folder):
    (folder / "cat" / "x.jpg").symlink_to("nowhere.jpg")


@fault(("broken_link", "cat/x.jpg"))
def link_through_a_file(folder):
    """Training refuses the whole source then, but one finding is enough."""
    (folder / "cat" / "x.jpg").symlink_to("00.png/inner.jpg")


@fault(("broken_link", "cat/x.jpg"))
def link_to_itself(folder):
    (folder / "cat" / "x.jpg").symlink_to("x.jpg")


@fault(("special_file", "cat/x.jpg"))
def pipe(folder):
    os.mkfifo(folder / "cat" / "x.jpg")


# --- the same picture again


@fault(("duplicate", "cat/00.png", "cat/x.png"))
def copy(folder):
    shutil.copy(folder / "cat/00.png", folder / "cat/x.png")


@fault(("duplicate_across_classes", "cat/00.png", "dog/x.png"))
def copy_in_another_class(folder):
    shutil.copy(folder / "cat/00.png", folder / "dog/x.png")


@fault(("near_duplicate", "cat/00.png", "cat/x.jpg"))
def other_quality(folder):
    put(folder, "cat/x.jpg", file_bytes(Image.open(folder / "cat/00.png"), "JPEG", quality=60))


@fault(("near_duplicate_across_classes", "cat/00.png", "dog/x.jpg"))
def mirrored_and_smaller_in_another_class(folder):
    image = Image.open(folder / "cat/00.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    put(folder, "dog/x.jpg", file_bytes(image.resize((64, 64)), "JPEG", quality=90))


@fault(("near_duplicate", "cat/00.png", "cat/x.png"))
def cut_off_edges(folder):
    put(folder, "cat/x.png", file_bytes(Image.open(folder / "cat/00.png").crop((3, 3, 92, 77))))


@fault(("near_duplicate", "cat/00.png", "cat/x.png"))
def in_grey(folder):
    put(folder, "cat/x.png", file_bytes(Image.open(folder / "cat/00.png").convert("L")))


@fault()
def same_shapes_in_other_colours(folder):
    image = Image.open(folder / "cat/00.png")
    red, green, blue = image.split()
    other = Image.merge("RGB", (blue, green, red))
    grey = np.asarray(other.convert("L"), np.int16) - np.asarray(image.convert("L"), np.int16)
    assert np.abs(grey).mean() > 1  # not just the same in grey
    put(folder, "dog/x.png", file_bytes(other))


@fault(("near_duplicate_across_splits", "test/cat/x.jpg", "train/cat/00.png"))
def leak(folder):
    into_splits(folder)
    image = Image.open(folder / "train/cat/00.png")
    put(folder, "test/cat/x.jpg", file_bytes(image, "JPEG", quality=80))


@fault(("duplicate_across_splits", "test/cat/x.png", "train/cat/00.png"))
def exact_leak(folder):
    into_splits(folder)
    shutil.copy(folder / "train/cat/00.png", folder / "test/cat/x.png")


# --- look at these


@fault(("changed_content", "photos/cat/05.png"))
def another_content_than_the_table_states(folder):
    return write_table(folder, sha256=({5}, "0" * 64))


@fault(("wrong_extension", "cat/x.jpg"))
def png_called_jpg(folder):
    put(folder, "cat/x.jpg", file_bytes(scene(9000)))


@fault(("constant", "cat/x.png"))
def one_colour(folder):
    put(folder, "cat/x.png", file_bytes(Image.new("RGB", (90, 90), "teal")))


@fault()
def fine_pattern_that_is_grey_when_small(folder):
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    put(folder, "cat/x.png", file_bytes(Image.fromarray(board)))


@fault(("tiny", "cat/x.png"))
def thumbnail(folder):
    put(folder, "cat/x.png", file_bytes(scene(9000, 20, 20)))


@fault(("extreme_aspect", "cat/x.png"))
def banner(folder):
    put(folder, "cat/x.png", file_bytes(scene(9000, 400, 80)))


# --- counted


@fault(("exif_rotated", "cat/x.jpg"))
def turned_phone(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    put(folder, "cat/x.jpg", file_bytes(scene(9000), "JPEG", exif=exif))


@fault(("cmyk", "cat/x.jpg"))
def print_colours(folder):
    put(folder, "cat/x.jpg", file_bytes(scene(9000).convert("CMYK"), "JPEG"))


@fault(("palette", "cat/x.png"))
def palette(folder):
    put(folder, "cat/x.png", file_bytes(scene(9000).quantize(64)))


@fault(("sixteen_bit", "cat/x.png"), ("sixteen_bit", "cat/y.png"))
def sixteen_bits(folder):
    grey = np.asarray(scene(9000).convert("L"), np.uint16) * 257
    put(folder, "cat/x.png", file_bytes(Image.fromarray(grey)))
    cv2 = pytest.importorskip("cv2")  # Pillow writes no colours of 16 bits
    colours = np.asarray(scene(9001), np.uint16) * 257
    put(folder, "cat/y.png", cv2.imencode(".png", colours)[1].tobytes())


@fault(
    ("dark_samples", "cat/x0.png", "cat/x1.png", "dog/x0.png", "dog/x1.png"),
    *[("sixteen_bit", f"{name}/x{i}.png") for name in ("cat", "dog") for i in (0, 1)],
)
def twelve_bits_in_sixteen(folder):
    for number, label in enumerate(("cat", "dog")):
        for index in (0, 1):
            grey = np.asarray(scene(8500 + 10 * number + index).convert("L"), np.uint16) // 4 + 100
            put(folder, f"{label}/x{index}.png", file_bytes(Image.fromarray(grey)))


@fault(
    ("dark_samples", "dog/x.png"),
    ("constant", "cat/x.png"),
    ("sixteen_bit", "cat/x.png"),
    ("sixteen_bit", "dog/x.png"),
)
def one_level_of_sixteen_bits(folder):
    put(folder, "cat/x.png", file_bytes(Image.fromarray(np.full((90, 90), 120, np.uint16))))
    grey = np.asarray(scene(8600).convert("L"), np.uint16) + 100
    put(folder, "dog/x.png", file_bytes(Image.fromarray(grey)))


@fault(("transparent", "cat/x.png"))
def alpha(folder):
    image = scene(9000).convert("RGBA")
    image.putalpha(128)
    put(folder, "cat/x.png", file_bytes(image))


@fault(("animated", "cat/x.gif"), ("palette", "cat/x.gif"))
def animation(folder):
    frames = [scene(9000 + index) for index in range(3)]
    put(
        folder, "cat/x.gif",
        file_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:]),
    )  # fmt: skip


@fault(("multi_picture", "cat/x.tif"), ("multi_picture", "cat/y.jpg"))
def several_pictures(folder):
    for name, kind, seed in (("x.tif", "TIFF", 9000), ("y.jpg", "MPO", 9010)):
        pages = [scene(seed + index) for index in range(2)]
        content = file_bytes(pages[0], kind, save_all=True, append_images=pages[1:])
        put(folder, f"cat/{name}", content)


@fault(("enlarged", "cat/x.png"), ("enlarged", "cat/y.png"), image_size=(80, 96))
def smaller_than_the_input_of_the_model(folder):
    """All others have exactly that size."""
    put(folder, "cat/x.png", file_bytes(scene(9000, 95, 80)))
    put(folder, "cat/y.png", file_bytes(scene(9001, 96, 79)))

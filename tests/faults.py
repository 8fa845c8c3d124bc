"""Faults that tests put into a sound folder, each with what `cnnkit data check` has to find."""

from __future__ import annotations

import os
import shutil
import zlib

import numpy as np
import pytest
from images import file_bytes, noise
from PIL import Image, ImageDraw

FAULTS = []


def fault(*expected, **options):
    """Declare what the check must find, and nothing else, after a function spoiled a sound folder.

    The function returns the source to check, or None for the folder itself.

    Args:
        expected: (kind, path, path...) of each finding.
        options: of the data config.
    """

    def declare(spoil):
        FAULTS.append(pytest.param(spoil, expected, options, id=spoil.__name__))
        return spoil

    return declare


def write_sound(folder, seed=0):
    for number, label in enumerate(("cat", "dog")):
        (folder / label).mkdir(parents=True)
        for index in range(12):
            scene(seed + 100 * number + index).save(folder / label / f"{index:02d}.png")
    return folder


def scene(seed, width=96, height=80):
    """Return a picture of random discs, in which there is enough to tell it from another."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        x, y, size = random.uniform(0, width), random.uniform(0, height), random.uniform(3, 20)
        colour = tuple(random.integers(0, 256, 3).tolist())
        draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)
    return image


def put(folder, path, content):
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


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


def into_splits(folder):
    """Make the folder one with train and test, and with its classes in both."""
    classes = [path for path in folder.iterdir()]
    (folder / "train").mkdir()
    for path in classes:
        path.rename(folder / "train" / path.name)
    write_sound(folder / "test", seed=5000)


# --- classes


@fault(("class_missing_from_split", "dog"))
def class_gone_from_test(folder):
    into_splits(folder)
    shutil.rmtree(folder / "test/dog")


@fault(allow_missing_classes=True)
def class_gone_from_test_by_agreement(folder):
    class_gone_from_test(folder)


@fault(("class_missing_from_split", "dog"))
def empty_class_in_test(folder):
    class_gone_from_test(folder)
    (folder / "test/dog").mkdir()


@fault(("class_missing_from_train", "owl"))
def class_in_test_only(folder):
    into_splits(folder)
    put(folder, "test/owl/1.png", file_bytes(scene(8000)))


@fault(("no_train_split", "test"))
def no_train_folder(folder):
    into_splits(folder)
    shutil.rmtree(folder / "train")


@fault(("empty_class", "owl"))
def empty_class(folder):
    (folder / "owl").mkdir()


@fault(("empty_class", "owl"), classes=("cat", "dog", "owl"))
def listed_class_that_is_not_there(folder):
    pass


@fault(("class_too_small", "owl"))
def two_images(folder):
    for index in range(2):
        put(folder, f"owl/{index}.png", file_bytes(scene(8000 + index)))


@fault(("imbalance", "cat", "owl"))
def one_class_is_much_larger(folder):
    for index in range(3):
        put(folder, f"owl/{index}.png", file_bytes(scene(8000 + index)))
    for index in range(20):
        put(folder, f"cat/more{index}.png", file_bytes(scene(9000 + index)))


@fault(("single_class", "cat"))
def one_class(folder):
    shutil.rmtree(folder / "dog")


@fault(("names_differ_in_case", "Dog", "dog"))
def class_in_capitals(folder):
    write_more(folder / "Dog")


@fault(("names_differ_in_unicode", "e\u0301clair", "\xe9clair"))
def class_spelt_in_two_ways(folder):
    write_more(folder / "e\u0301clair", 9000)
    write_more(folder / "\xe9clair", 9100)


@fault(("names_differ_in_case", "cat/00.PNG", "cat/00.png"))
def file_in_capitals(folder):
    put(folder, "cat/00.PNG", file_bytes(scene(9000)))


@fault(("odd_class_name", "owl "))
def class_with_a_blank(folder):
    write_more(folder / "owl ")


@fault(("odd_class_name", "owl."))
def class_with_a_dot_at_the_end(folder):
    write_more(folder / "owl.")


@fault(("missing_value_name", "None"), ("missing_value_name", "nan"))
def classes_named_like_missing_values(folder):
    write_more(folder / "nan")
    write_more(folder / "None", seed=990)


@fault(("names_same_number", "007", "7", "7.0"))
def the_same_number_in_three_spellings(folder):
    for seed, name in enumerate(("007", "7", "7.0", "70")):
        write_more(folder / name, seed=900 + 20 * seed)


@fault(("unprintable_class_name", "o\nwl"))
def class_with_a_line_break(folder):
    write_more(folder / "o\nwl")


def write_more(folder, seed=9000):
    folder.mkdir()
    for index in range(4):
        scene(seed + index).save(folder / f"{index}.png")


@fault(("unusable_source",))
def two_folders_for_one_split(folder):
    into_splits(folder)
    write_sound(folder / "val", seed=6000)
    write_sound(folder / "validation", seed=6500)


@fault(("unusable_source",))
def no_class_folders(folder):
    for path in list(folder.glob("*/*")):
        path.rename(folder / f"{path.parent.name}{path.name}")
    for label in ("cat", "dog"):
        (folder / label).rmdir()


@fault(("unusable_source",))
def table_with_a_missing_file(folder):
    table = folder.parent / "table.csv"
    table.write_text("path,label\nnowhere.png,cat\n")
    return table


def write_table(folder, **changes):
    """Write a table of all images, in train or test; column=({1, 2}, value) changes two rows."""
    columns = ("path", "label", "split", "group", "sha256")
    rows = [",".join(columns)]
    for index, path in enumerate(sorted(folder.glob("*/*.png"))):
        row = {"path": path, "label": path.parent.name, "split": ("train", "test")[index % 4 == 3]}
        row.update({column: value for column, (at, value) in changes.items() if index in at})
        rows.append(",".join(str(row.get(column, "")) for column in columns))
    table = folder.parent / "table.csv"
    table.write_text("\n".join(rows))
    return table


@fault(("group_across_splits", "photos/cat/02.png", "photos/cat/03.png"))
def group_in_two_splits(folder):
    return write_table(folder, group=({2, 3}, "burst"))


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


@fault(("notebook_checkpoints", "cat/.ipynb_checkpoints"))
def jupyter(folder):
    put(folder, "cat/.ipynb_checkpoints/x.png", file_bytes(scene(9000)))


@fault(("hidden_file", ".DS_Store"), ("hidden_file", "__MACOSX"), ("hidden_file", "cat/._1.png"))
def hidden(folder):
    put(folder, ".DS_Store", b"\0")
    put(folder, "__MACOSX/cat/1.png", b"\0")
    put(folder, "cat/._1.png", b"\0")


@fault(("hidden_file", "cat/@eaDir"), ("hidden_file", "cat/Thumbs.db"), ("hidden_file", "#recycle"))
def of_a_system(folder):
    put(folder, "cat/Thumbs.db", b"\xd0\xcf\x11\xe0")
    put(folder, "cat/@eaDir/00.png/SYNOPHOTO_THUMB_M.jpg", file_bytes(scene(9000)))
    put(folder, "#recycle/1.png", file_bytes(scene(9001)))


@fault(("doubtful_classes",))
def parts_that_are_no_classes(folder):
    for number, part in enumerate(("2019", "2020")):
        write_sound(folder / part, seed=1000 * (number + 1))
    for label in ("cat", "dog"):
        shutil.rmtree(folder / label)


@fault(("other_file", "cat/words.doc"), ("other_file", "notes.txt"))
def no_images(folder):
    put(folder, "cat/words.doc", b"\xd0\xcf\x11\xe0")
    put(folder, "notes.txt", b"hello")


@fault(("unread_file", "cat/scan"), ("unread_file", "dog/photo.nef"), ("unread_file", "x.pdf"))
def pictures_of_other_formats(folder):
    put(folder, "cat/scan", bytes(128) + b"DICM")
    put(folder, "dog/photo.nef", b"MM\0*" + bytes(40))
    put(folder, "x.pdf", b"%PDF-1.7")


@fault(("unused_image", "cat/photo"), ("unused_image", "top.png"))
def images_that_are_not_used(folder):
    put(folder, "cat/photo", file_bytes(scene(9000)))
    put(folder, "top.png", file_bytes(scene(9001)))


@fault(("unused_folder", "raw"))
def folder_beside_the_splits(folder):
    into_splits(folder)
    write_more(folder / "raw")


@fault(("link_loop", "cat/up"))
def link_to_its_own_folder(folder):
    (folder / "cat" / "up").symlink_to(".", target_is_directory=True)


@fault(("link_outside", "cat/x.png"))
def link_to_elsewhere(folder):
    scene(9000).save(folder.parent / "elsewhere.png")
    (folder / "cat" / "x.png").symlink_to(folder.parent / "elsewhere.png")


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

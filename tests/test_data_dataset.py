"""From a source to one dataset: decoding, splitting, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from images import data_config, file_bytes, four_corners, noise, write_classes
from PIL import Image

from cnnkit.data.dataset import load_dataset
from cnnkit.data.file_contents import hash_files
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import DataError

SETTINGS = PixelSettings((16, 16))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return an empty cache folder for this test alone."""
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def packs(cache):
    return sorted((cache / "pixels").glob("*"))


def test_a_folder_becomes_a_dataset(tiny_images):
    dataset = load_dataset(data_config(tiny_images))
    assert dataset.class_names == ("blue", "green", "red")
    assert dataset.counts() == {
        "train": {"blue": 6, "green": 6, "red": 6},
        "validation": {"blue": 1, "green": 1, "red": 1},
        "test": {"blue": 1, "green": 1, "red": 1},
    }
    assert [s.path for s in dataset.samples][:2] == ["blue/0.png", "blue/1.png"]
    assert dataset.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    pixels = dataset.pixels(range(24))
    assert pixels.shape == (24, 16, 16, 3)
    assert pixels.dtype == np.uint8
    brightest = pixels.mean(axis=(1, 2)).argmax(axis=1)
    assert brightest.tolist() == [2] * 8 + [1] * 8 + [0] * 8


@pytest.mark.parametrize("cache_policy", ["disk", "memory", "off"])
def test_pixels_are_those_of_read_pixels_in_the_requested_order(tiny_images, cache_policy):
    dataset = load_dataset(data_config(tiny_images, image_size=(5, 7), cache=cache_policy))
    chosen = [20, 3, 3, 11]
    expected = [read_pixels(dataset.samples[i].file, dataset.settings) for i in chosen]
    assert np.array_equal(dataset.pixels(chosen), np.stack(expected))
    assert dataset.pixels([]).shape == (0, 5, 7, 3)


def test_the_fingerprint_depends_only_on_labels_and_contents(tmp_path):
    first = write_classes(tmp_path / "first", {"cat": 5, "owl": 5})
    original = load_dataset(data_config(first)).fingerprint
    (first / "cat" / "00.png").rename(first / "cat" / "zz.png")
    assert load_dataset(data_config(first, image_size=(8, 8))).fingerprint == original
    (first / "cat" / "zz.png").rename(first / "owl" / "zz.png")
    assert load_dataset(data_config(first)).fingerprint != original


def spoil(folder):
    """Put a text file, an empty file and a truncated JPEG into the folder's first class."""
    (folder / "blue" / "text.jpg").write_text("not a picture")
    (folder / "blue" / "empty.png").touch()
    data = file_bytes(noise(200, 200), "JPEG")
    (folder / "blue" / "cut.jpg").write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("cache_policy", ["disk", "off"])
def test_all_files_that_cannot_be_decoded_are_named_before_training(tiny_images, cache_policy):
    spoil(tiny_images)
    for _ in range(2):  # the second time from the pack
        with pytest.raises(DataError) as caught:
            load_dataset(data_config(tiny_images, cache=cache_policy))
        lines = str(caught.value).splitlines()
        assert lines[0].endswith("3 of 27 images cannot be read:")
        assert "blue/cut.jpg: the file is cut off" in lines[1]
        assert lines[2] == "  blue/empty.png: the file is empty"
        assert 'blue/text.jpg: it is not an image but text that begins with "not' in lines[3]
        assert "data.on_error: skip" in lines[4]


def test_skipped_files_are_named_one_by_one_and_counted(tiny_images):
    spoil(tiny_images)
    notes = []
    dataset = load_dataset(data_config(tiny_images, on_error="skip"), note=notes.append)
    assert [path for path, _ in dataset.skipped] == [
        "blue/cut.jpg",
        "blue/empty.png",
        "blue/text.jpg",
    ]
    assert len(dataset.samples) == 24
    assert "Skipped blue/empty.png: the file is empty." in notes
    assert "3 of 27 images cannot be read and are left out." in notes


def test_a_long_list_of_bad_files_ends_with_a_count(tiny_images):
    for index in range(25):
        (tiny_images / "red" / f"bad{index}.png").write_text(f"text {index}")
    with pytest.raises(DataError, match="and 5 more"):
        load_dataset(data_config(tiny_images))


def test_a_class_whose_images_are_all_broken_is_refused(tiny_images):
    (tiny_images / "yak").mkdir()
    (tiny_images / "yak" / "a.png").write_text("text")
    with pytest.raises(DataError, match="no image of yak can be decoded"):
        load_dataset(data_config(tiny_images, on_error="skip"))


def test_a_link_to_nothing_is_a_file_that_cannot_be_read(tiny_images):
    (tiny_images / "red" / "gone.png").symlink_to(tiny_images / "nowhere.png")
    with pytest.raises(DataError, match="red/gone.png: it is a link to .*nowhere.png"):
        load_dataset(data_config(tiny_images))


def test_copies_are_decoded_and_stored_once(tiny_images, cache):
    for index in range(5):
        (tiny_images / "red" / f"copy{index}.png").write_bytes(
            (tiny_images / "red" / "0.png").read_bytes()
        )
    calls = []
    dataset = load_dataset(
        data_config(tiny_images), progress=lambda done, total: calls.append((done, total))
    )
    assert calls == sorted(calls)
    assert calls[-1] == (29, 29)
    assert len(dataset.samples) == 29
    assert np.load(packs(cache)[0] / "pixels.npy", mmap_mode="r").shape == (24, 16, 16, 3)


def test_hashes_are_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    hashes, reasons = hash_files([tmp_path / "a", tmp_path / "none"])
    assert hashes == ["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", None]
    assert reasons == {1: "there is no such file"}


def test_real_split_folders_keep_their_counts(shared_data, cache):
    dataset = load_dataset(data_config(shared_data / "datasets" / "sign_digits"))
    sums = {split: sum(by_class.values()) for split, by_class in dataset.counts().items()}
    assert sums == {"train": 1000, "validation": 200, "test": 250}
    assert dataset.class_names == tuple("0123456789")


def test_exif_and_stored_copies_do_not_matter_for_the_pack(tmp_path, cache):
    exif = Image.Exif()
    exif[0x0112] = 3
    for label in ("cat", "owl"):
        write_classes(tmp_path, {label: 4}, seed=len(label) + ord(label[0]))
    turned = four_corners(16, 16).transpose(Image.Transpose.ROTATE_180)
    (tmp_path / "cat" / "turned.png").write_bytes(file_bytes(turned, exif=exif))
    dataset = load_dataset(data_config(tmp_path))
    position = [s.path for s in dataset.samples].index("cat/turned.png")
    assert np.array_equal(dataset.pixels([position])[0], np.asarray(four_corners(16, 16)))

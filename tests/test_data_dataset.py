"""From a source to one dataset: decoding, the packed pixels, what is left out, other images."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from images import data_config, file_bytes, four_corners, noise, write_classes, write_image
from PIL import Image

from cnnkit.data.cache import cache_folder, folder_made_whole
from cnnkit.data.dataset import load_dataset
from cnnkit.data.hashing import hash_files
from cnnkit.data.packed import open_pixels
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


def files_by_hash(folder):
    files = sorted(folder.rglob("*.*"))
    return {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in files}


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


@pytest.mark.parametrize("cache_policy", ["disk", "off"])
def test_pixels_are_those_of_the_one_pixel_path_in_the_asked_order(tiny_images, cache_policy):
    dataset = load_dataset(data_config(tiny_images, image_size=(5, 7), cache=cache_policy))
    chosen = [20, 3, 3, 11]
    expected = [read_pixels(dataset.samples[i].file, dataset.settings) for i in chosen]
    assert np.array_equal(dataset.pixels(chosen), np.stack(expected))
    assert dataset.pixels([]).shape == (0, 5, 7, 3)


def test_the_fingerprint_follows_labels_and_contents_only(tmp_path):
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
        assert lines[0].endswith("3 images of 27 cannot be decoded:")
        assert "blue/cut.jpg: the file is cut off" in lines[1]
        assert lines[2] == "  blue/empty.png: the file is empty"
        assert 'blue/text.jpg: it is not an image but text that begins with "not' in lines[3]
        assert "data.on_error: skip" in lines[4]


def test_skipped_files_are_told_one_by_one_and_counted(tiny_images):
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
    assert "3 images of 27 cannot be decoded and are left out." in notes


def test_a_long_list_of_bad_files_is_cut_with_a_count(tiny_images):
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
    with pytest.raises(DataError, match="red/gone.png: it cannot be opened: No such file"):
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
    hashed = [(done, 58) for done in range(1, 30)]
    assert calls == hashed + [(29 + done, 29 + 24) for done in range(1, 25)]
    assert len(dataset.samples) == 29
    assert np.load(packs(cache)[0] / "pixels.npy", mmap_mode="r").shape == (24, 16, 16, 3)


def test_the_pack_is_used_again_and_belongs_to_its_settings(tiny_images, cache):
    load_dataset(data_config(tiny_images))
    calls = []
    load_dataset(data_config(tiny_images), progress=lambda *args: calls.append(args))
    assert len(calls) == 24  # hashed, but not decoded
    calls.clear()
    for change in ({"image_size": (8, 8)}, {"color_mode": "grayscale"}, {"background": 0}):
        load_dataset(data_config(tiny_images, **change), progress=lambda *args: calls.append(args))
    assert len(calls) == 3 * (24 + 24)
    assert len(packs(cache)) == 4


def test_cache_off_writes_no_pack(tiny_images, cache):
    load_dataset(data_config(tiny_images, cache="off"))
    assert packs(cache) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda pack: (pack / "pixels.npy").write_bytes((pack / "pixels.npy").read_bytes()[:-1]),
        lambda pack: (pack / "pixels.npy").write_bytes((pack / "pixels.npy").read_bytes() + b"x"),
        lambda pack: (pack / "pixels.npy").unlink(),
        lambda pack: (pack / "index.json").write_text("{"),
        lambda pack: (pack / "index.json").write_text('{"bytes": 3}'),
        lambda pack: np.save(pack / "pixels.npy", np.zeros((24, 16, 16, 3), np.int8)),
        lambda pack: np.save(pack / "pixels.npy", np.zeros((16, 24, 16, 3), np.uint8)),
    ],
)
def test_a_damaged_pack_is_made_again_and_said_so(tiny_images, cache, damage):
    expected = load_dataset(data_config(tiny_images)).pixels(range(24))
    damage(packs(cache)[0])
    notes = []
    dataset = load_dataset(data_config(tiny_images), note=notes.append)
    assert np.array_equal(dataset.pixels(range(24)), expected)
    assert len(notes) == 1
    assert "damaged" in notes[0]
    notes.clear()
    load_dataset(data_config(tiny_images), note=notes.append)
    assert notes == []


def test_a_killed_process_leaves_no_pack(tiny_images, cache):
    code = (
        "import os, sys; from cnnkit.config.schema import DataConfig; "
        "from cnnkit.data.dataset import load_dataset; "
        "load_dataset(DataConfig(source=sys.argv[1], image_size=(16, 16)), "
        "progress=lambda done, total: os.kill(os.getpid(), 9) if done == 36 else None)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny_images)], capture_output=True)
    assert done.returncode == -9
    leftover = packs(cache)
    assert [pack.name.startswith(".partial-") for pack in leftover] == [True]
    assert len(load_dataset(data_config(tiny_images)).samples) == 24
    yesterday = time.time() - 25 * 3600
    for path in (leftover[0], *leftover[0].iterdir()):
        os.utime(path, (yesterday, yesterday))
    load_dataset(data_config(tiny_images, image_size=(8, 8)))
    assert not leftover[0].exists()


def test_several_at_once_build_one_pack(tiny_images, cache):
    files = files_by_hash(tiny_images)
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_pixels(files, SETTINGS), range(4)))
    expected = stores[0].read(np.arange(24))
    assert all(np.array_equal(store.read(np.arange(24)), expected) for store in stores)
    assert len(packs(cache)) == 1


def test_a_pack_larger_than_the_free_space_is_refused_or_not_kept(tmp_path, cache):
    # A picture of 1 x 1 pixel asked for at 3,000,000 x 3,000,000 would take 27 TB.
    huge = PixelSettings((3_000_000, 3_000_000))
    path = write_image(tmp_path / "a.png", width=1, height=1)
    files = files_by_hash(tmp_path)
    with pytest.raises(DataError, match="need 27000.0 GB, but .* Make room"):
        open_pixels(files, huge, cache="disk")
    path.write_text("text")
    notes = []
    store = open_pixels(files_by_hash(tmp_path), huge, cache="auto", note=notes.append)
    assert store.packed is None
    assert len(store.errors) == 1
    assert "they are not kept, and every epoch decodes the images again" in notes[0]


def test_a_file_that_changes_while_it_is_read_is_an_error(tiny_images, cache):
    files = files_by_hash(tiny_images)
    (tiny_images / "red" / "0.png").write_bytes(file_bytes(four_corners()))
    with pytest.raises(DataError, match=r"red/0.png changed while it was read"):
        open_pixels(files, SETTINGS)
    assert packs(cache) == []


def test_hashes_are_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    hashes, reasons = hash_files([tmp_path / "a", tmp_path / "none"])
    assert hashes == ["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", None]
    assert reasons == {1: "it cannot be opened: No such file or directory"}


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("CNNKIT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "cnnkit"


def test_a_cache_folder_that_cannot_be_made_names_the_way_out(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written.*CNNKIT_CACHE"):
        with folder_made_whole(tmp_path / "file" / "x"):
            pass


def test_a_folder_made_whole_appears_only_when_done(tmp_path):
    with pytest.raises(KeyError), folder_made_whole(tmp_path / "x") as temporary:
        (temporary / "a").touch()
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with folder_made_whole(tmp_path / "x") as temporary:
        assert not (tmp_path / "x").exists()
        (temporary / "a").touch()
    assert (tmp_path / "x" / "a").exists()


def test_the_index_of_a_pack_holds_the_settings(tiny_images, cache):
    load_dataset(data_config(tiny_images))
    index = json.loads((packs(cache)[0] / "index.json").read_text())
    assert index["settings"] == SETTINGS.to_dict()
    assert index["bytes"] == (packs(cache)[0] / "pixels.npy").stat().st_size


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

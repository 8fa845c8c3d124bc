"""A pack keeps the pixels of a data set: each file is read once, by anyone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from images import file_bytes, four_corners, noise
from packs import SETTINGS, expected, packs, pixels_of

from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.cache.pixels.contents import SortedContents, from_bytes, from_hex
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import DataError


class CountedFile:
    """A file that counts how often it is read."""

    def __init__(self, path):
        self.path, self.reads = path, 0

    def __str__(self):
        return str(self.path)

    def read_bytes(self):
        self.reads += 1
        return self.path.read_bytes()


@pytest.mark.parametrize("policy", ["auto", "disk", "memory"])
def test_every_file_is_read_once_in_the_first_run(pack_files, pack_cache, policy):
    counted = [CountedFile(path) for path in pack_files]
    store, hashes, _ = open_pixels(counted, SETTINGS, cache=policy)
    assert np.array_equal(store.read(store.rows(hashes)), expected(pack_files))
    assert [file.reads for file in counted] == [1] * 24


def test_without_a_cache_files_are_read_again_each_time(pack_files, pack_cache):
    counted = [CountedFile(path) for path in pack_files]
    store, hashes, _ = open_pixels(counted, SETTINGS, cache="off")
    assert np.array_equal(
        store.read(store.rows(hashes)[[3, 3, 20]]), expected(pack_files)[[3, 3, 20]]
    )
    assert [file.reads for file in counted] == [1 + 2 * (i == 3) + (i == 20) for i in range(24)]
    assert packs(pack_cache) == []
    assert store.place == "off"


def test_copies_of_a_content_take_one_row(pack_files, pack_cache):
    copies = [*pack_files, *pack_files[:7], pack_files[0]]
    assert np.array_equal(pixels_of(copies), expected(copies))
    rows = np.load(packs(pack_cache)[0] / "pixels.npy", mmap_mode="r")
    assert rows.shape == (24, 16, 16, 3)


def test_an_equal_or_smaller_set_of_contents_writes_nothing(pack_files, pack_cache):
    pixels_of(pack_files)
    before = {path: path.stat() for pack in packs(pack_cache) for path in pack.iterdir()}
    again = [path.rename(path.with_name(f"new{path.name}")) for path in reversed(pack_files)]
    assert np.array_equal(pixels_of(again), expected(again))
    assert np.array_equal(pixels_of(again[:5]), expected(again[:5]))
    after = {path: path.stat() for pack in packs(pack_cache) for path in pack.iterdir()}
    assert [path for path in after if path.name != "used"] == [
        path for path in before if path.name != "used"
    ]
    assert all(
        (after[path].st_ino, after[path].st_mtime_ns) == (fact.st_ino, fact.st_mtime_ns)
        for path, fact in before.items()
        if path.name != "used"
    )


def test_only_an_additional_image_is_decoded_and_the_others_are_copied(
    pack_files, pack_cache, monkeypatch
):
    pixels_of(pack_files[:10])
    pixels_of(pack_files[8:20])
    decoded = []

    def noted(data, settings):
        decoded.append(data)
        return read_pixels(data, settings)

    monkeypatch.setattr("cnnkit.data.cache.pixels.read_once.read_pixels", noted)
    monkeypatch.setattr("cnnkit.data.cache.pixels.store.read_pixels", noted)
    assert np.array_equal(pixels_of(pack_files[:21]), expected(pack_files[:21]))
    assert decoded == [pack_files[20].read_bytes()]
    assert len(packs(pack_cache)) == 3
    assert np.array_equal(pixels_of(pack_files[:21]), expected(pack_files[:21]))
    decoded.clear()
    assert np.array_equal(pixels_of(pack_files[:20]), expected(pack_files[:20]))  # from the third
    assert decoded == []
    assert len(packs(pack_cache)) == 3


def test_a_pack_belongs_to_its_settings(pack_files, pack_cache):
    for settings in (
        SETTINGS,
        PixelSettings((8, 16)),
        PixelSettings((16, 16), "grayscale"),
        PixelSettings((16, 16), resize="pad"),
        PixelSettings((16, 16), background=0),
    ):
        store, hashes, _ = open_pixels(pack_files, settings)
        found = store.read(store.rows(hashes))
        assert np.array_equal(found, np.stack([read_pixels(file, settings) for file in pack_files]))
    assert len(packs(pack_cache)) == 5


def test_files_that_cannot_be_read_or_decoded_have_their_reasons(pack_files, pack_cache, tmp_path):
    text, copy, gone = tmp_path / "text.png", tmp_path / "copy.png", tmp_path / "gone.png"
    text.write_text("text")
    copy.write_text("text")
    for _ in range(2):  # the second time next to the pack
        store, hashes, reasons = open_pixels([text, *pack_files, gone, copy], SETTINGS)
        assert reasons == {
            0: 'it is not an image but text that begins with "text"',
            25: "there is no such file",
            26: 'it is not an image but text that begins with "text"',
        }
        assert [i for i, digest in enumerate(hashes) if digest is None] == [25]
        assert hashes[0] == hashes[26]
        assert store.rows([hashes[0]]).tolist() == [-1]
        assert np.array_equal(store.read(store.rows(hashes[1:25])), expected(pack_files))
    assert len(packs(pack_cache)) == 1


def test_nothing_that_can_be_decoded_gives_an_empty_store(tmp_path, pack_cache):
    (tmp_path / "text.png").write_text("text")
    store, _, reasons = open_pixels([tmp_path / "text.png"], SETTINGS)
    assert list(reasons) == [0]
    assert store.read(np.array([], np.int64)).shape == (0, 16, 16, 3)
    assert packs(pack_cache) == []
    assert open_pixels([], SETTINGS)[1:] == ([], {})


def test_progress_ends_with_all_files(pack_files, pack_cache):
    for _ in range(2):
        calls = []
        open_pixels(pack_files, SETTINGS, progress=lambda *call, calls=calls: calls.append(call))
        assert calls == sorted(calls)
        assert calls[-1] == (24, 24)


def test_a_file_that_changes_between_epochs_is_an_error_without_a_cache(pack_files, pack_cache):
    store, hashes, _ = open_pixels(pack_files, SETTINGS, cache="off")
    pack_files[4].write_bytes(file_bytes(four_corners()))
    with pytest.raises(DataError, match=r"004.png has changed since it was first read"):
        store.read(store.rows(hashes))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reading_a_pack_keeps_only_a_part_of_it_mapped(tmp_path, pack_cache):
    large = PixelSettings((1024, 1024))
    images = [tmp_path / f"{i}.png" for i in range(64)]
    for i, path in enumerate(images):
        path.write_bytes(file_bytes(noise(2, 2, seed=i)))
    store, hashes, _ = open_pixels(images, large, cache="disk")
    assert store.pack.pixels.nbytes == 64 * 3 << 20
    for row in store.rows(hashes):
        store.read(np.array([row]))
    name = str(store.pack.folder)
    resident = mapped = 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            mapped = name in line
        elif mapped and line.startswith("Rss:"):
            resident += int(line.split()[1]) * 1024
    assert resident <= 72 << 20


def test_contents_with_any_bytes_are_found():
    random = np.random.default_rng(0)
    digests = [random.bytes(32) for _ in range(300)]
    digests += [bytes(32), b"\xff" * 32, b"a" + bytes(31), b"a" * 31 + b"\0"]
    random.shuffle(digests)
    contents = SortedContents(from_bytes(b"".join(digests)))
    assert contents.places(from_hex([d.hex() for d in digests])).tolist() == list(range(304))
    assert all(digest in contents for digest in digests)
    others = [bytes(31) + b"\1", b"a" * 32, random.bytes(32)]
    assert contents.places(from_bytes(b"".join(others))).tolist() == [-1, -1, -1]
    assert not any(digest in contents for digest in others)
    nothing = SortedContents(from_bytes(b""))
    assert bytes(32) not in nothing
    assert nothing.places(from_bytes(bytes(64))).tolist() == [-1, -1]


def test_the_pixels_of_a_pack_are_an_array_for_anyone(pack_files, pack_cache):
    pixels_of(pack_files)
    rows = np.load(packs(pack_cache)[0] / "pixels.npy")
    assert sorted(row.tobytes() for row in rows) == sorted(
        e.tobytes() for e in expected(pack_files)
    )


def test_real_images_come_out_of_the_pack_as_they_are_decoded(shared_data, pack_cache):
    found = sorted((shared_data / "messy").iterdir())
    store, hashes, reasons = open_pixels(found, SETTINGS)
    for position, file in enumerate(found):
        if position not in reasons:
            row = store.rows([hashes[position]])
            assert np.array_equal(store.read(row)[0], read_pixels(file, SETTINGS)), file
    assert 0 < len(reasons) < len(found)

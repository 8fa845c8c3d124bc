"""Damaged packs and rows are decoded again, and never returned."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from images import file_bytes, four_corners
from packs import ROW_BYTES, SETTINGS, expected, packs, pixels_of, write_files

from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.cache.pixels.pack import Pack
from cnnkit.errors import DataError


def lengthen(pack):
    os.truncate(pack / "pixels.npy", (pack / "pixels.npy").stat().st_size + 1)


def cut_index(pack):
    index = (pack / "index.bin").read_bytes()
    (pack / "index.bin").write_bytes(index[:-40])


def flip_in_index(pack):
    index = bytearray((pack / "index.bin").read_bytes())
    index[len(index) // 2] ^= 1
    (pack / "index.bin").write_bytes(index)


DAMAGES = {
    "cut": lambda pack: os.truncate(pack / "pixels.npy", 1000),
    "longer": lengthen,
    "no pixels": lambda pack: (pack / "pixels.npy").unlink(),
    "other type": lambda pack: np.save(pack / "pixels.npy", np.zeros((24, 16, 16, 3), np.int8)),
    "other shape": lambda pack: np.save(pack / "pixels.npy", np.zeros((16, 24, 16, 3), np.uint8)),
    "no index": lambda pack: (pack / "index.bin").unlink(),
    "empty index": lambda pack: (pack / "index.bin").write_bytes(b""),
    "cut index": cut_index,
    "flipped bit in the index": flip_in_index,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_pack_is_made_again_and_reported(pack_files, pack_cache, damage):
    pixels_of(pack_files)
    damage(packs(pack_cache)[0])
    notes = []
    assert np.array_equal(
        pixels_of(pack_files, cache="disk", note=notes.append), expected(pack_files)
    )
    assert len(notes) == 1
    assert notes[0].startswith(f"The cached pixels in {packs(pack_cache)[0]} are damaged (")
    notes.clear()
    assert np.array_equal(
        pixels_of(pack_files, cache="disk", note=notes.append), expected(pack_files)
    )
    assert notes == []


def flip_in_rows(cache, rows):
    """Flip a bit in the pixels of some rows of the one pack."""
    path = packs(cache)[0] / "pixels.npy"
    data = bytearray(path.read_bytes())
    for row in rows:
        data[len(data) - 24 * ROW_BYTES + row * ROW_BYTES + 100] ^= 4
    path.write_bytes(data)


def test_damaged_rows_are_never_returned_but_decoded_again(pack_files, pack_cache):
    pixels_of(pack_files)
    flip_in_rows(pack_cache, [3, 17])
    notes = []
    store, hashes, _ = open_pixels(pack_files, SETTINGS, cache="disk", note=notes.append)
    assert notes == []
    for _ in range(2):
        assert np.array_equal(store.read(store.rows(hashes)), expected(pack_files))
    assert len(notes) == 1
    assert f"Cached pixels in {packs(pack_cache)[0]} are damaged" in notes[0]
    notes.clear()
    assert np.array_equal(
        pixels_of(pack_files, cache="disk", note=notes.append), expected(pack_files)
    )
    assert notes == []  # the rows were written again


def test_a_damaged_row_that_cannot_be_written_is_decoded_each_time(
    pack_files, pack_cache, monkeypatch
):
    pixels_of(pack_files)
    flip_in_rows(pack_cache, range(24))
    monkeypatch.setattr(
        "cnnkit.data.cache.pixels.pack.Pack.repair", lambda self, row, pixels: False
    )
    notes = []
    store, hashes, _ = open_pixels(pack_files, SETTINGS, cache="disk", note=notes.append)
    for _ in range(2):
        assert np.array_equal(store.read(store.rows(hashes)), expected(pack_files))
    assert len(notes) == 1


def test_a_damaged_row_is_not_copied_into_another_pack(pack_files, pack_cache):
    pixels_of(pack_files)
    flip_in_rows(pack_cache, [5])
    more = [*pack_files, *write_files(pack_files[0].parent, 1, first=100)]
    notes = []
    assert np.array_equal(pixels_of(more, cache="disk", note=notes.append), expected(more))
    assert len(notes) == 1


def test_a_damaged_row_whose_file_is_gone_or_changed_is_an_error(pack_files, pack_cache):
    pixels_of(pack_files)
    flip_in_rows(pack_cache, range(24))
    store, hashes, _ = open_pixels(pack_files, SETTINGS, cache="disk")
    pack_files[4].unlink()
    with pytest.raises(DataError, match=r"004.png can no longer be read: there is"):
        store.read(store.rows([hashes[4]]))
    pack_files[5].write_bytes(file_bytes(four_corners()))
    with pytest.raises(DataError, match=r"005.png has changed since it was first read"):
        store.read(store.rows([hashes[5]]))


def test_threads_that_find_a_pack_cut_off_decode_and_it_is_said_once(
    pack_files, pack_cache, monkeypatch
):
    pixels_of(pack_files)
    notes = []
    store, hashes, _ = open_pixels(pack_files, SETTINGS, cache="disk", note=notes.append)
    os.truncate(packs(pack_cache)[0] / "pixels.npy", 100)
    all_know, is_cut_off = Barrier(4), Pack.is_cut_off

    def known_by_all(pack):
        found = is_cut_off(pack)
        all_know.wait()
        return found

    monkeypatch.setattr(Pack, "is_cut_off", known_by_all)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(store.read, [store.rows(hashes)] * 4):
            np.testing.assert_array_equal(found, expected(pack_files))
    assert [note[:20] for note in notes] == ["The cached pixels in"]

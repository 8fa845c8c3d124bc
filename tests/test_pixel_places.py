"""Whether pixels are kept on disk, in memory or nowhere, and what makes room."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from packs import ROW_BYTES, SETTINGS, expected, packs, pixels_of, write_files

from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.cache.pixels.storage_choice import choose_place
from cnnkit.data.pixels import PixelSettings
from cnnkit.errors import DataError
from cnnkit.text import size_text


def test_auto_keeps_pixels_on_disk_and_says_so_in_one_note(pack_files, pack_cache):
    notes = []
    store, _, _ = open_pixels(pack_files, SETTINGS, note=notes.append)
    assert notes == [
        f"pixels: 24 images of 16 x 16 x 3, 18.4 kB, kept on disk in {packs(pack_cache)[0]}."
    ]
    assert store.place == "disk"
    notes.clear()
    open_pixels(pack_files, SETTINGS, note=notes.append)
    assert notes == [
        f"pixels: 24 images of 16 x 16 x 3, 18.4 kB, read from {packs(pack_cache)[0]}."
    ]


def test_auto_keeps_pixels_in_memory_if_the_cache_cannot_be_written(
    pack_files, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "file" / "cache"))
    notes = []
    store, hashes, _ = open_pixels(pack_files, SETTINGS, note=notes.append)
    assert store.place == "memory"
    assert np.array_equal(store.read(store.rows(hashes)), expected(pack_files))
    assert notes == [
        "pixels: 24 images of 16 x 16 x 3, 18.4 kB, kept in memory: the cache folder "
        f"{tmp_path / 'file' / 'cache' / 'pixels'} cannot be written (Not a directory)."
    ]
    with pytest.raises(DataError, match=r"cannot be kept on disk: .*cannot be written"):
        open_pixels(pack_files, SETTINGS, cache="disk")


def test_a_pack_above_the_limit_is_refused_or_kept_in_memory(pack_files, pack_cache):
    limit_gb = 24 * ROW_BYTES / 1e9 * 0.99
    with pytest.raises(DataError, match=r"take up to 18.4 kB, and data.cache_limit_gb is 1.8"):
        open_pixels(pack_files, SETTINGS, cache="disk", limit_gb=limit_gb)
    notes = []
    store, _, _ = open_pixels(pack_files, SETTINGS, limit_gb=limit_gb, note=notes.append)
    assert store.place == "memory"
    assert "kept in memory: they take up to 18.4 kB, and data.cache_limit_gb is 1.8" in notes[0]
    assert packs(pack_cache) == []


def test_an_existing_pack_is_used_even_if_a_new_one_has_no_room(pack_files, pack_cache):
    pixels_of(pack_files)
    for policy in ("disk", "memory", "auto"):
        store, _, _ = open_pixels(pack_files, SETTINGS, cache=policy, limit_gb=1e-9)
        assert store.place == "disk"
    more = [*pack_files, *write_files(pack_files[0].parent, 2, first=100)]
    with pytest.raises(DataError, match=r"data.cache_limit_gb is 1e-09"):
        open_pixels(more, SETTINGS, cache="disk", limit_gb=1e-9)
    store, hashes, _ = open_pixels(more, SETTINGS, limit_gb=1e-9)
    assert store.place == "memory"
    assert np.array_equal(store.read(store.rows(hashes)), expected(more))


def test_what_fits_nowhere_is_decoded_again_in_every_epoch(tmp_path, pack_cache):
    # A picture asked for at 3,000,000 x 3,000,000 would take 27 TB.
    huge = PixelSettings((3_000_000, 3_000_000))
    (tmp_path / "text.png").write_text("text")
    for policy in ("disk", "memory"):
        with pytest.raises(DataError, match=rf"be kept (on|in) {policy}: they take up to 27.0 TB"):
            open_pixels([tmp_path / "text.png"], huge, cache=policy)
    place = choose_place(1, huge, "auto", limit_gb=1e6)
    assert place.kind == "off"
    assert place.why.startswith("they take up to 27.0 TB, more than half of the ")
    assert place.why.endswith("of free memory")
    notes = []
    open_pixels([tmp_path / "text.png"], huge, note=notes.append)
    assert "decoded again in every epoch: they take up to 27.0 TB" in notes[0]


def test_auto_takes_at_most_half_of_what_is_free(pack_cache, monkeypatch):
    from collections import namedtuple

    usage, memory = namedtuple("usage", "free"), namedtuple("memory", "available")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(20 * ROW_BYTES))
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(40 * ROW_BYTES))
    kinds = [choose_place(n, SETTINGS, "auto", 50).kind for n in (10, 11, 20, 21)]
    assert kinds == ["disk", "memory", "memory", "off"]
    assert not choose_place(20, SETTINGS, "disk", 50).obstacle
    assert choose_place(21, SETTINGS, "disk", 50).obstacle
    assert not choose_place(40, SETTINGS, "memory", 50).obstacle
    assert choose_place(41, SETTINGS, "memory", 50).obstacle


def test_the_least_recently_used_packs_are_removed_and_the_new_one_stays(pack_files, pack_cache):
    for hours, part in ((3, pack_files[:6]), (2, pack_files[6:12]), (1, pack_files[12:18])):
        store, _, _ = open_pixels(part, SETTINGS, cache="disk")
        used = time.time() - 3600 * hours
        os.utime(store.pack.folder / "used", (used, used))
    oldest, middle, newest = sorted(packs(pack_cache), key=lambda p: (p / "used").stat().st_mtime)
    open_pixels(pack_files[:6], SETTINGS)  # now the oldest is the last used
    user_s = pack_cache / "abc"
    user_s.mkdir()
    size = sum(path.stat().st_size for path in middle.iterdir())
    notes = []
    store, _, _ = open_pixels(
        pack_files[18:], SETTINGS, cache="disk", limit_gb=2.5 * size / 1e9, note=notes.append
    )
    assert set(packs(pack_cache)) == {oldest, store.pack.folder, user_s}
    assert len(notes) == 1
    assert notes[0].startswith(f"Removed the least recently used from {pack_cache}")
    assert f"{middle.name} ({size_text(size)}), {newest.name} ({size_text(size)})" in notes[0]
    open_pixels(pack_files[18:], SETTINGS, cache="disk", limit_gb=1e-9)
    assert set(packs(pack_cache)) == {store.pack.folder, user_s}


def test_packs_of_other_versions_are_left_alone_until_room_is_needed(pack_files, pack_cache):
    other = pack_cache / ("0" * 32 + "-v99")
    other.mkdir(parents=True)
    (other / "index.bin").write_bytes(b"not ours")
    notes = []
    open_pixels(pack_files, SETTINGS, cache="disk", note=notes.append)
    assert notes == []
    assert other.exists()
    open_pixels(pack_files, SETTINGS, cache="disk", limit_gb=1e-9)
    assert not other.exists()

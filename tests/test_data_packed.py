"""Packs of pixels: made once, reused, verified, removed, by one process or by several."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from images import file_bytes, four_corners, noise, write_image

from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.cache.pixels.contents import SortedContents, from_bytes, from_hex
from cnnkit.data.cache.pixels.place import choose_place
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import DataError
from cnnkit.text import size_text

SETTINGS = PixelSettings((16, 16))
ROW_BYTES = 16 * 16 * 3


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the folder of packs in an empty cache for this test alone."""
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pixels"


@pytest.fixture
def files(tmp_path):
    return write_files(tmp_path / "files", 24)


def write_files(folder, number, *, first=0):
    return [write_image(folder / f"{i:03}.png", seed=i) for i in range(first, first + number)]


def packs(cache):
    return sorted(cache.glob("[!.]*"))


def pixels_of(files, **options):
    """Open, and return the pixels of all files in their order."""
    store, hashes, reasons = open_pixels(files, SETTINGS, **options)
    assert reasons == {}
    return store.read(store.rows(hashes))


def expected(files):
    return np.stack([read_pixels(file, SETTINGS) for file in files])


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
def test_every_file_is_read_once_in_the_first_run(files, cache, policy):
    counted = [CountedFile(path) for path in files]
    store, hashes, _ = open_pixels(counted, SETTINGS, cache=policy)
    assert np.array_equal(store.read(store.rows(hashes)), expected(files))
    assert [file.reads for file in counted] == [1] * 24


def test_without_a_cache_files_are_read_again_each_time(files, cache):
    counted = [CountedFile(path) for path in files]
    store, hashes, _ = open_pixels(counted, SETTINGS, cache="off")
    assert np.array_equal(store.read(store.rows(hashes)[[3, 3, 20]]), expected(files)[[3, 3, 20]])
    assert [file.reads for file in counted] == [1 + 2 * (i == 3) + (i == 20) for i in range(24)]
    assert packs(cache) == []
    assert store.place == "off"


def test_copies_of_a_content_take_one_row(files, cache):
    copies = [*files, *files[:7], files[0]]
    assert np.array_equal(pixels_of(copies), expected(copies))
    rows = np.load(packs(cache)[0] / "pixels.npy", mmap_mode="r")
    assert rows.shape == (24, 16, 16, 3)


def test_an_equal_or_smaller_set_of_contents_writes_nothing(files, cache):
    pixels_of(files)
    before = {path: path.stat() for pack in packs(cache) for path in pack.iterdir()}
    again = [path.rename(path.with_name(f"new{path.name}")) for path in reversed(files)]
    assert np.array_equal(pixels_of(again), expected(again))
    assert np.array_equal(pixels_of(again[:5]), expected(again[:5]))
    after = {path: path.stat() for pack in packs(cache) for path in pack.iterdir()}
    assert [path for path in after if path.name != "used"] == [
        path for path in before if path.name != "used"
    ]
    assert all(
        (after[path].st_ino, after[path].st_mtime_ns) == (fact.st_ino, fact.st_mtime_ns)
        for path, fact in before.items()
        if path.name != "used"
    )


def test_only_an_additional_image_is_decoded_and_the_others_are_copied(files, cache, monkeypatch):
    pixels_of(files[:10])
    pixels_of(files[8:20])
    decoded = []

    def noted(data, settings):
        decoded.append(data)
        return read_pixels(data, settings)

    monkeypatch.setattr("cnnkit.data.cache.pixels.read_once.read_pixels", noted)
    monkeypatch.setattr("cnnkit.data.cache.pixels.store.read_pixels", noted)
    assert np.array_equal(pixels_of(files[:21]), expected(files[:21]))
    assert decoded == [files[20].read_bytes()]
    assert len(packs(cache)) == 3
    assert np.array_equal(pixels_of(files[:21]), expected(files[:21]))
    decoded.clear()
    assert np.array_equal(pixels_of(files[:20]), expected(files[:20]))  # from the third
    assert decoded == []
    assert len(packs(cache)) == 3


def test_a_pack_belongs_to_its_settings(files, cache):
    for settings in (
        SETTINGS,
        PixelSettings((8, 16)),
        PixelSettings((16, 16), "grayscale"),
        PixelSettings((16, 16), resize="pad"),
        PixelSettings((16, 16), background=0),
    ):
        store, hashes, _ = open_pixels(files, settings)
        found = store.read(store.rows(hashes))
        assert np.array_equal(found, np.stack([read_pixels(file, settings) for file in files]))
    assert len(packs(cache)) == 5


def test_files_that_cannot_be_read_or_decoded_have_their_reasons(files, cache, tmp_path):
    text, copy, gone = tmp_path / "text.png", tmp_path / "copy.png", tmp_path / "gone.png"
    text.write_text("text")
    copy.write_text("text")
    for _ in range(2):  # the second time next to the pack
        store, hashes, reasons = open_pixels([text, *files, gone, copy], SETTINGS)
        assert reasons == {
            0: 'it is not an image but text that begins with "text"',
            25: "there is no such file",
            26: 'it is not an image but text that begins with "text"',
        }
        assert [i for i, digest in enumerate(hashes) if digest is None] == [25]
        assert hashes[0] == hashes[26]
        assert store.rows([hashes[0]]).tolist() == [-1]
        assert np.array_equal(store.read(store.rows(hashes[1:25])), expected(files))
    assert len(packs(cache)) == 1


def test_nothing_that_can_be_decoded_gives_an_empty_store(tmp_path, cache):
    (tmp_path / "text.png").write_text("text")
    store, _, reasons = open_pixels([tmp_path / "text.png"], SETTINGS)
    assert list(reasons) == [0]
    assert store.read(np.array([], np.int64)).shape == (0, 16, 16, 3)
    assert packs(cache) == []
    assert open_pixels([], SETTINGS)[1:] == ([], {})


def test_progress_ends_with_all_files(files, cache):
    for _ in range(2):
        calls = []
        open_pixels(files, SETTINGS, progress=lambda *call, calls=calls: calls.append(call))
        assert calls == sorted(calls)
        assert calls[-1] == (24, 24)


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
def test_a_damaged_pack_is_made_again_and_reported(files, cache, damage):
    pixels_of(files)
    damage(packs(cache)[0])
    notes = []
    assert np.array_equal(pixels_of(files, cache="disk", note=notes.append), expected(files))
    assert len(notes) == 1
    assert notes[0].startswith(f"The cached pixels in {packs(cache)[0]} are damaged (")
    notes.clear()
    assert np.array_equal(pixels_of(files, cache="disk", note=notes.append), expected(files))
    assert notes == []


def flip_in_rows(cache, rows):
    """Flip a bit in the pixels of some rows of the one pack."""
    path = packs(cache)[0] / "pixels.npy"
    data = bytearray(path.read_bytes())
    for row in rows:
        data[len(data) - 24 * ROW_BYTES + row * ROW_BYTES + 100] ^= 4
    path.write_bytes(data)


def test_damaged_rows_are_never_returned_but_decoded_again(files, cache):
    pixels_of(files)
    flip_in_rows(cache, [3, 17])
    notes = []
    store, hashes, _ = open_pixels(files, SETTINGS, cache="disk", note=notes.append)
    assert notes == []
    for _ in range(2):
        assert np.array_equal(store.read(store.rows(hashes)), expected(files))
    assert len(notes) == 1
    assert f"Cached pixels in {packs(cache)[0]} are damaged" in notes[0]
    notes.clear()
    assert np.array_equal(pixels_of(files, cache="disk", note=notes.append), expected(files))
    assert notes == []  # the rows were written again


def test_a_damaged_row_that_cannot_be_written_is_decoded_each_time(files, cache, monkeypatch):
    pixels_of(files)
    flip_in_rows(cache, range(24))
    monkeypatch.setattr(
        "cnnkit.data.cache.pixels.pack.Pack.repair", lambda self, row, pixels: False
    )
    notes = []
    store, hashes, _ = open_pixels(files, SETTINGS, cache="disk", note=notes.append)
    for _ in range(2):
        assert np.array_equal(store.read(store.rows(hashes)), expected(files))
    assert len(notes) == 1


def test_a_damaged_row_is_not_copied_into_another_pack(files, cache):
    pixels_of(files)
    flip_in_rows(cache, [5])
    more = [*files, *write_files(files[0].parent, 1, first=100)]
    notes = []
    assert np.array_equal(pixels_of(more, cache="disk", note=notes.append), expected(more))
    assert len(notes) == 1


def test_a_damaged_row_whose_file_is_gone_or_changed_is_an_error(files, cache):
    pixels_of(files)
    flip_in_rows(cache, range(24))
    store, hashes, _ = open_pixels(files, SETTINGS, cache="disk")
    files[4].unlink()
    with pytest.raises(DataError, match=r"004.png can no longer be read: there is"):
        store.read(store.rows([hashes[4]]))
    files[5].write_bytes(file_bytes(four_corners()))
    with pytest.raises(DataError, match=r"005.png has changed since it was first read"):
        store.read(store.rows([hashes[5]]))


def test_a_file_that_changes_between_epochs_is_an_error_without_a_cache(files, cache):
    store, hashes, _ = open_pixels(files, SETTINGS, cache="off")
    files[4].write_bytes(file_bytes(four_corners()))
    with pytest.raises(DataError, match=r"004.png has changed since it was first read"):
        store.read(store.rows(hashes))


# ---- several processes, and killed ones

BUILD = """
import sys
from pathlib import Path
import numpy as np
from cnnkit.data.cache.pixels import open_pixels
from cnnkit.data.pixels import PixelSettings, read_pixels
settings = PixelSettings((16, 16))
files = sorted(Path(sys.argv[1]).glob("*.png"), reverse=len(sys.argv) > 2)
def progress(done, total):
    print(done, flush=True)
    sys.stdin.readline()
store, hashes, _ = open_pixels(files, settings, cache="disk", progress=progress)
expected = np.stack([read_pixels(file, settings) for file in files])
assert np.array_equal(store.read(store.rows(hashes)), expected)
print("right")
"""


def build(files, *order):
    """Start a process that packs, and waits for a line after each batch."""
    command = [sys.executable, "-c", BUILD, str(files[0].parent), *order]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_processes_that_build_one_pack_at_once_both_continue(files, cache):
    processes = [build(files), build(files, "reverse"), build(files)]
    for process in processes:  # all have begun before one goes on
        assert process.stdout.readline() == "1\n"
    assert sum(path.is_dir() for path in cache.glob(".partial-*")) == 3
    ends = [process.communicate("\n" * 24) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert all(out.endswith("right\n") for out, _ in ends)
    assert len(packs(cache)) == 1
    assert list(cache.glob(".partial-*")) == []
    assert np.array_equal(pixels_of(files), expected(files))


def test_a_killed_process_leaves_no_pack(files, cache):
    process = build(files)
    process.stdin.write("\n" * 12)
    process.stdin.flush()
    while process.stdout.readline() != "12\n":
        pass
    process.kill()
    process.communicate()
    assert packs(cache) == []
    assert [path.is_dir() for path in sorted(cache.glob(".partial-*"))] == [True, False]  # its lock
    assert np.array_equal(pixels_of(files), expected(files))
    assert list(cache.glob(".partial-*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_process_removes_its_unfinished_pack(files, cache):
    process = build(files)
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    process.stdin.write("\n" * 24)
    _, err = process.communicate()
    assert "KeyboardInterrupt" in err
    assert list(cache.iterdir()) == []


def test_a_pack_that_is_removed_can_still_be_read(files, cache):
    store, hashes, _ = open_pixels(files, SETTINGS, cache="disk")
    for path in packs(cache)[0].iterdir():
        path.unlink()
    packs(cache)[0].rmdir()
    assert np.array_equal(store.read(store.rows(hashes)), expected(files))


# ---- where pixels are kept


def test_auto_keeps_pixels_on_disk_and_says_so_in_one_note(files, cache):
    notes = []
    store, _, _ = open_pixels(files, SETTINGS, note=notes.append)
    assert notes == [
        f"pixels: 24 images of 16 x 16 x 3, 18.4 kB, kept on disk in {packs(cache)[0]}."
    ]
    assert store.place == "disk"
    notes.clear()
    open_pixels(files, SETTINGS, note=notes.append)
    assert notes == [f"pixels: 24 images of 16 x 16 x 3, 18.4 kB, read from {packs(cache)[0]}."]


def test_auto_keeps_pixels_in_memory_if_the_cache_cannot_be_written(files, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "file" / "cache"))
    notes = []
    store, hashes, _ = open_pixels(files, SETTINGS, note=notes.append)
    assert store.place == "memory"
    assert np.array_equal(store.read(store.rows(hashes)), expected(files))
    assert notes == [
        "pixels: 24 images of 16 x 16 x 3, 18.4 kB, kept in memory: the cache folder "
        f"{tmp_path / 'file' / 'cache' / 'pixels'} cannot be written (Not a directory)."
    ]
    with pytest.raises(DataError, match=r"cannot be kept on disk: .*cannot be written"):
        open_pixels(files, SETTINGS, cache="disk")


def test_a_pack_above_the_limit_is_refused_or_kept_in_memory(files, cache):
    limit_gb = 24 * ROW_BYTES / 1e9 * 0.99
    with pytest.raises(DataError, match=r"take up to 18.4 kB, and data.cache_limit_gb is 1.8"):
        open_pixels(files, SETTINGS, cache="disk", limit_gb=limit_gb)
    notes = []
    store, _, _ = open_pixels(files, SETTINGS, limit_gb=limit_gb, note=notes.append)
    assert store.place == "memory"
    assert "kept in memory: they take up to 18.4 kB, and data.cache_limit_gb is 1.8" in notes[0]
    assert packs(cache) == []


def test_an_existing_pack_is_used_even_if_a_new_one_has_no_room(files, cache):
    pixels_of(files)
    for policy in ("disk", "memory", "auto"):
        store, _, _ = open_pixels(files, SETTINGS, cache=policy, limit_gb=1e-9)
        assert store.place == "disk"
    more = [*files, *write_files(files[0].parent, 2, first=100)]
    with pytest.raises(DataError, match=r"data.cache_limit_gb is 1e-09"):
        open_pixels(more, SETTINGS, cache="disk", limit_gb=1e-9)
    store, hashes, _ = open_pixels(more, SETTINGS, limit_gb=1e-9)
    assert store.place == "memory"
    assert np.array_equal(store.read(store.rows(hashes)), expected(more))


def test_what_fits_nowhere_is_decoded_again_in_every_epoch(tmp_path, cache):
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


def test_auto_takes_at_most_half_of_what_is_free(cache, monkeypatch):
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


def test_the_least_recently_used_packs_are_removed_and_the_new_one_stays(files, cache):
    for hours, part in ((3, files[:6]), (2, files[6:12]), (1, files[12:18])):
        store, _, _ = open_pixels(part, SETTINGS, cache="disk")
        used = time.time() - 3600 * hours
        os.utime(store.pack.folder / "used", (used, used))
    oldest, middle, newest = sorted(packs(cache), key=lambda p: (p / "used").stat().st_mtime)
    open_pixels(files[:6], SETTINGS)  # now the oldest is the last used
    user_s = cache / "abc"
    user_s.mkdir()
    size = sum(path.stat().st_size for path in middle.iterdir())
    notes = []
    store, _, _ = open_pixels(
        files[18:], SETTINGS, cache="disk", limit_gb=2.5 * size / 1e9, note=notes.append
    )
    assert set(packs(cache)) == {oldest, store.pack.folder, user_s}
    assert len(notes) == 1
    assert notes[0].startswith(f"Removed the least recently used from {cache}")
    assert f"{middle.name} ({size_text(size)}), {newest.name} ({size_text(size)})" in notes[0]
    open_pixels(files[18:], SETTINGS, cache="disk", limit_gb=1e-9)
    assert set(packs(cache)) == {store.pack.folder, user_s}


def test_packs_of_other_versions_are_left_alone_until_room_is_needed(files, cache):
    other = cache / ("0" * 32 + "-v99")
    other.mkdir(parents=True)
    (other / "index.bin").write_bytes(b"not ours")
    notes = []
    open_pixels(files, SETTINGS, cache="disk", note=notes.append)
    assert notes == []
    assert other.exists()
    open_pixels(files, SETTINGS, cache="disk", limit_gb=1e-9)
    assert not other.exists()


# ---- memory


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reading_a_pack_keeps_only_a_part_of_it_mapped(tmp_path, cache):
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


# ---- looking contents up


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


def test_the_pixels_of_a_pack_are_an_array_for_anyone(files, cache):
    pixels_of(files)
    rows = np.load(packs(cache)[0] / "pixels.npy")
    assert sorted(row.tobytes() for row in rows) == sorted(e.tobytes() for e in expected(files))


def test_real_images_come_out_of_the_pack_as_they_are_decoded(shared_data, cache):
    found = sorted((shared_data / "messy").iterdir())
    store, hashes, reasons = open_pixels(found, SETTINGS)
    for position, file in enumerate(found):
        if position not in reasons:
            row = store.rows([hashes[position]])
            assert np.array_equal(store.read(row)[0], read_pixels(file, SETTINGS)), file
    assert 0 < len(reasons) < len(found)

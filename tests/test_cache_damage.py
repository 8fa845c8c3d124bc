"""Caches that were damaged so that they still look whole: found, named and made again."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from images import data_config, write_classes

from cnnkit.data.cache.feature_rows import feature_rows
from cnnkit.data.cache_report import CacheReport
from cnnkit.data.dataset import load_dataset

_KEY = "0" * 32


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Return a folder of images, and give this test an empty cache of its own."""
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    return write_classes(tmp_path / "photos", {"cat": 5, "owl": 5})


def loaded(photos):
    notes = []
    dataset = load_dataset(data_config(photos, cache="disk"), note=notes.append)
    return dataset.pixels(range(len(dataset.samples))), " ".join(notes)


def signed(index, facts=None, rows=None):
    """Return an index with other facts or rows, and its checksum."""
    head, _, old_rows = index[:-32].partition(b"\n")
    head = json.dumps({**json.loads(head), **(facts or {})}).encode()
    content = head + b"\n" + (old_rows if rows is None else old_rows[:rows])
    return content + hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"facts": {"num_rows": None}},
        {"facts": {"num_rows": 1.5}},
        {"facts": {"num_rows": -1}},
        {"facts": {"num_rows": 9}},
        {"facts": {"image_size": "large"}},
        {"facts": {"image_size": [None, 16]}},
        {"facts": {"image_size": [8, 8]}},
        {"facts": {"unknown": 1}},
        {"rows": 100},
        {"rows": 0},
    ],
    ids=str,
)
def test_a_pack_whose_index_is_wrong_is_made_again(photos, change):
    expected, _ = loaded(photos)
    (index,) = (photos.parent / "cache" / "pixels").glob("*/index.bin")
    index.write_bytes(signed(index.read_bytes(), **change))
    CacheReport.now().text()
    for _ in range(2):
        found, _ = loaded(photos)
        assert np.array_equal(found, expected)


def features(hashes, note=lambda sentence: None):
    return feature_rows(
        _KEY,
        hashes,
        lambda positions: np.ones((len(positions), 3), np.float32) * positions[:, None],
        about={"backbone": "tiny", "view": None},
        on_disk=True,
        limit_gb=1,
        note=note,
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("about.json", b"true"),
        ("about.json", b"[" * 100_000),
        ("about.json", b'{"backbone": "tiny", "shape": [], "crc32": 1}'),
        ("about.json", b'{"backbone": "tiny", "shape": ["x"], "crc32": 1}'),
        ("about.json", b'{"backbone": "tiny", "shape": 3, "crc32": 1}'),
        ("features.npy", b""),
        ("features.npy", b"\x93NUMPY\1\0\x10\0{'descr': '<f4',\n("),
        ("contents.bin", b"short"),
    ],
)
def test_damaged_features_are_computed_again(photos, name, content):
    hashes = [hashlib.sha256(bytes([number])).hexdigest() for number in range(4)]
    features(hashes)
    (folder,) = (photos.parent / "cache" / "features").iterdir()
    (folder / name).write_bytes(content)
    CacheReport.now().text()
    notes = []
    found = features(hashes, notes.append)
    assert notes == [f"The cached features in {folder} are damaged and are computed again."]
    assert found.num_computed == 4
    assert np.array_equal(found.read(np.arange(4))[:, 0], np.arange(4))

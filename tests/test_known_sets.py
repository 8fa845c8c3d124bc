"""The known data sets: their table, downloads, and the command line."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from known_files import (
    cifar10_archive,
    npz_bytes,
    random_part,
)
from places import DOCS
from published_sets import publish, put_by_hand
from web import Web, serve

from cnnkit.cli import main
from cnnkit.config import BUILT_IN_SOURCES, ShapesConfig
from cnnkit.data.sources.builtin import builtin_folder
from cnnkit.data.sources.builtin_names import builtin_class_names
from cnnkit.data.sources.known_sets import KNOWN_SETS, known_set_folder
from cnnkit.progress import Report

_PAGE = DOCS / "known-sets.md"


def test_the_config_the_table_and_the_page_have_the_same_names():
    assert BUILT_IN_SOURCES == ("digits", "shapes", *KNOWN_SETS)
    assert set(re.findall(r"^\| `(\w+)` \|", _PAGE.read_text(), re.M)) == set(KNOWN_SETS)


@pytest.mark.parametrize("name", KNOWN_SETS)
def test_each_row_of_the_table_is_complete(name):
    known = KNOWN_SETS[name]
    for file in known.files:
        assert re.fullmatch(r"https://\S+", file.url)
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 5000
        assert file.name.split("/")[-1] == file.url.split("/")[-1]
    assert len(set(known.class_names)) == len(known.class_names)
    assert all(re.fullmatch(r"[\w -]+", each) for each in known.class_names)
    assert builtin_class_names(name, ShapesConfig()) == tuple(sorted(known.class_names))


def test_the_numbers_of_classes_are_the_published_ones():
    numbers = {name: len(known.class_names) for name, known in KNOWN_SETS.items()}
    assert numbers == {
        "mnist": 10,
        "fashion_mnist": 10,
        "cifar10": 10,
        "cifar100": 100,
        "tf_flowers": 5,
        "cats_vs_dogs": 2,
    }


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_the_addresses_and_hashes_are_those_of_keras(name):
    import keras

    source = Path(sys.modules[keras.datasets.mnist.load_data.__module__].__file__)
    text = source.with_name(f"{name}.py").read_text()
    (file,) = KNOWN_SETS[name].files
    assert file.sha256 in text
    assert file.url.rpartition("/")[0] in text


def test_a_set_is_downloaded_once_with_its_licence(sets_cache, monkeypatch):
    train, test = random_part(30, (28, 28), 10, 0), random_part(12, (28, 28), 10, 1)
    content = npz_bytes(train, test)
    told = []

    class Recorder(Report):
        def note(self, text):
            told.append(text)

        def counting(self, what):
            told.append(what)
            return super().counting(what)

    with serve(Web(content)) as web:
        (file,) = publish(monkeypatch, "mnist", content, url=web.url)
        folder = builtin_folder("mnist", ShapesConfig(), Recorder())
        assert builtin_folder("mnist", ShapesConfig(), Recorder()) == folder
        assert web.asked == [None]
    assert told == [
        "mnist: LeCun, Cortes and Burges, the MNIST database of handwritten digits. "
        "Licence: CC BY-SA 3.0.",
        "downloading mnist.npz",
        f"Downloading {file.url} ({file.size:,} bytes) "
        f"to {sets_cache / 'downloads' / 'mnist.npz'}.",
        "unpacking mnist",
    ]


def test_the_pixels_of_a_set_have_the_same_bytes_with_every_zlib(sets_cache, monkeypatch):
    train, test = random_part(30, (28, 28), 10, 0), random_part(12, (28, 28), 10, 1)
    put_by_hand(monkeypatch, sets_cache, "mnist", npz_bytes(train, test))
    first = next((known_set_folder("mnist") / "test").rglob("*.png"))
    # Stored, not squeezed: what zlib would choose does not show.
    assert first.read_bytes().count(b"IDAT\x78\x01\x01") == 1


_CIFAR10 = """
data: {source: cifar10, image_size: 16, batch_size: 8, split: {validation: 0.3}}
model: {layers: [{conv: {filters: 2, kernel_size: 3}}, global_pool]}
training: {epochs: 1, tensorboard: false}
"""


@pytest.fixture
def command(sets_cache, tmp_path, monkeypatch):
    """Return a function that calls cnnkit where cifar10 is another file.

    The table's own hash cannot fit a tiny archive.
    """
    (tmp_path / "a.yaml").write_text(_CIFAR10)
    monkeypatch.chdir(tmp_path)

    def cnnkit(url, content, *words):
        known = KNOWN_SETS["cifar10"]
        digest = hashlib.sha256(content).hexdigest()
        file = replace(known.files[0], url=url, size=len(content), sha256=digest)
        monkeypatch.setitem(KNOWN_SETS, "cifar10", replace(known, files=(file,)))
        return CliRunner().invoke(main, words, catch_exceptions=False)

    return cnnkit


def test_train_and_evaluate_on_cifar10_from_the_network(command, sets_cache, tmp_path):
    train, test = random_part(60, (32, 32, 3), 10, 0), random_part(20, (32, 32, 3), 10, 1)
    content = cifar10_archive(train, test)
    with serve(Web(content)) as web:
        done = command(web.url, content, "train", "a.yaml")
        assert done.exit_code == 0, done.stderr
        scored = command(web.url, content, "evaluate", "--json")
        assert scored.exit_code == 0, scored.stderr
        assert web.asked == [None]
    info = json.loads((tmp_path / "runs" / "a" / "run.json").read_text())
    assert info["data"]["source"] == "cifar10"
    counts = {split: sum(each.values()) for split, each in info["data"]["counts"].items()}
    assert counts == {"train": 40, "validation": 20, "test": 20}
    assert json.loads(scored.stdout)["num_images"] == 20


def test_without_a_network_the_error_says_where_to_put_the_file(command, sets_cache, tmp_path):
    url = "http://no-such-server.invalid/cifar-10-python.tar.gz"
    done = command(url, b"content", "train", "--dry-run", "a.yaml")
    assert done.exit_code == 1
    assert done.stderr.endswith(
        f"{url} could not be downloaded: the server's name cannot be looked up (is there a "
        "network?).\nTo put the file there by hand, download it on another machine, save it as\n"
        f"  {sets_cache / 'downloads' / 'cifar-10-python.tar.gz'}\n"
        f"(7 bytes, sha256 {hashlib.sha256(b'content').hexdigest()}) and run the command again.\n"
    )


def test_a_summary_of_a_known_set_needs_no_download(command, sets_cache, tmp_path):
    done = command("http://127.0.0.1:1", b"x", "summary", "--json", "a.yaml")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["num_classes"] == 10

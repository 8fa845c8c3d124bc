"""The known data sets, from tiny files with the layout of the published ones."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from images import data_config
from known_files import (
    cifar10_archive,
    cifar_batch,
    idx_bytes,
    npz_bytes,
    photograph,
    random_part,
    tar_gz_bytes,
    zip_bytes,
)
from PIL import Image
from places import DOCS
from web import Web, serve

from cnnkit.cli import main
from cnnkit.config import BUILT_IN_SOURCES, ShapesConfig
from cnnkit.data.dataset import load_dataset
from cnnkit.data.sources.builtin import builtin_class_names, builtin_folder
from cnnkit.data.sources.known_sets import KNOWN_SETS, known_set_folder
from cnnkit.data.sources.published_arrays import read_cifar
from cnnkit.errors import DataError
from cnnkit.progress import Report

_PAGE = DOCS / "known-sets.md"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache"


def _publish(monkeypatch, name, *contents, url="http://127.0.0.1:1"):
    """Give a row of the table the sizes and hashes of other files."""
    files = tuple(
        replace(
            file,
            url=f"{url}/{file.name}",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        for file, content in zip(KNOWN_SETS[name].files, contents, strict=True)
    )
    monkeypatch.setitem(KNOWN_SETS, name, replace(KNOWN_SETS[name], files=files))
    return files


def _put_by_hand(monkeypatch, cache, name, *contents):
    for file, content in zip(_publish(monkeypatch, name, *contents), contents, strict=True):
        path = cache / "downloads" / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _check_images(folder, split, images, labels, class_names):
    """Check that folder, number and pixels of every image are those of the published arrays."""
    found = {}
    for path in (folder / split).rglob("*.png"):
        with Image.open(path) as image:
            found[int(path.stem)] = (path.parent.name, np.array(image))
    assert sorted(found) == list(range(len(labels)))
    for index, (name, pixels) in found.items():
        assert name == class_names[labels[index]]
        assert np.array_equal(pixels, images[index])


# --- the table


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


# --- each way to read


def test_mnist_becomes_numbered_grey_files(cache, monkeypatch):
    train, test = random_part(30, (28, 28), 10, 0), random_part(12, (28, 28), 10, 1)
    _put_by_hand(monkeypatch, cache, "mnist", npz_bytes(train, test))
    folder = known_set_folder("mnist")
    assert folder == cache / "builtin" / "mnist-v1"
    _check_images(folder, "train", *train, tuple("0123456789"))
    _check_images(folder, "test", *test, tuple("0123456789"))


def test_an_array_of_objects_is_not_unpickled(cache, monkeypatch):
    images = np.empty(2, object)
    bad = (images, np.zeros(2, np.uint8))
    _put_by_hand(monkeypatch, cache, "mnist", npz_bytes(bad, bad))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        known_set_folder("mnist")
    assert not (cache / "builtin" / "mnist-v1").exists()


def test_fashion_mnist_has_names_that_are_folders(cache, monkeypatch):
    train, test = random_part(30, (28, 28), 10, 0), random_part(12, (28, 28), 10, 1)
    contents = map(idx_bytes, (*train, *test))
    _put_by_hand(monkeypatch, cache, "fashion_mnist", *contents)
    folder = known_set_folder("fashion_mnist")
    names = "T-shirt_top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")
    _check_images(folder, "train", *train, names)
    _check_images(folder, "test", *test, names)


def test_cifar10_joins_its_batches_in_order(cache, monkeypatch):
    train, test = random_part(53, (32, 32, 3), 10, 0), random_part(12, (32, 32, 3), 10, 1)
    _put_by_hand(monkeypatch, cache, "cifar10", cifar10_archive(train, test))
    folder = known_set_folder("cifar10")
    names = KNOWN_SETS["cifar10"].class_names
    _check_images(folder, "train", *train, names)
    _check_images(folder, "test", *test, names)


def test_cifar100_takes_the_fine_labels_and_has_a_class_called_train(cache, monkeypatch):
    train, test = random_part(200, (32, 32, 3), 100, 0), random_part(100, (32, 32, 3), 100, 1)
    content = tar_gz_bytes(
        {
            "cifar-100-python/train": cifar_batch(*train, b"fine_labels"),
            "cifar-100-python/test": cifar_batch(*test, b"fine_labels"),
        }
    )
    _put_by_hand(monkeypatch, cache, "cifar100", content)
    names = KNOWN_SETS["cifar100"].class_names
    _check_images(known_set_folder("cifar100"), "train", *train, names)
    dataset = load_dataset(data_config("cifar100", split={"validation": 0}))
    assert dataset.class_names == names
    assert dataset.counts()["train"]["train"] == 2
    assert dataset.counts()["test"]["train"] == 1


def test_the_batches_of_these_tests_are_what_python_reads_as_a_pickle():
    images, labels = random_part(4, (32, 32, 3), 2, 0)
    batch = pickle.loads(cifar_batch(images, labels, b"labels"), encoding="bytes")
    assert np.array_equal(batch[b"data"][1], images[1].transpose(2, 0, 1).ravel())
    assert batch[b"labels"] == list(labels)


def test_a_batch_that_would_run_something_is_refused(tmp_path):
    marker = tmp_path / "ran"
    evil = b"cos\nsystem\nU" + bytes([len(f"touch {marker}")]) + f"touch {marker}".encode()
    evil += b"\x85R."
    (tmp_path / "x.tgz").write_bytes(tar_gz_bytes({"a": evil, "b": evil}))
    with pytest.raises(pickle.UnpicklingError, match=r"needs os\.system"):
        read_cifar([tmp_path / "x.tgz"], train=["a"], test="b", labels="labels")
    assert not marker.exists()


def test_flowers_are_unpacked_as_they_are(cache, monkeypatch):
    names = KNOWN_SETS["tf_flowers"].class_names
    photographs = {
        f"flower_photos/{name}/{number}_{name}.jpg": photograph(10 * label + number)
        for label, name in enumerate(names)
        for number in range(3)
    }
    others = {"flower_photos/LICENSE.txt": b"CC-BY", "flower_photos/._daisy": b"x"}
    _put_by_hand(monkeypatch, cache, "tf_flowers", tar_gz_bytes(photographs | others))
    folder = known_set_folder("tf_flowers")
    found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    expected = {Path(name).relative_to("flower_photos"): photographs[name] for name in photographs}
    assert found == expected


def test_broken_photographs_of_cats_and_dogs_are_reported_as_in_any_folder(cache, monkeypatch):
    photographs = {
        f"PetImages/{name}/{number}.jpg": photograph(100 * label + number)
        for label, name in enumerate(("Cat", "Dog"))
        for number in range(5)
    }
    others = {"PetImages/Cat/666.jpg": b"", "PetImages/Cat/Thumbs.db": b"x", "readme[1].txt": b"x"}
    _put_by_hand(monkeypatch, cache, "cats_vs_dogs", zip_bytes(photographs | others))
    with pytest.raises(DataError, match="Cat/666.jpg: the file is empty"):
        load_dataset(data_config("cats_vs_dogs"))
    dataset = load_dataset(data_config("cats_vs_dogs", on_error="skip"))
    assert dataset.class_names == ("Cat", "Dog")
    assert len(dataset.samples) == 10
    assert [path for path, _ in dataset.skipped] == ["Cat/666.jpg"]


# --- fetching


def test_a_set_is_downloaded_once_with_its_licence(cache, monkeypatch):
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
        (file,) = _publish(monkeypatch, "mnist", content, url=web.url)
        folder = builtin_folder("mnist", ShapesConfig(), Recorder())
        assert builtin_folder("mnist", ShapesConfig(), Recorder()) == folder
        assert web.asked == [None]
    assert told == [
        "mnist: LeCun, Cortes and Burges, the MNIST database of handwritten digits. "
        "Licence: CC BY-SA 3.0.",
        "downloading mnist.npz",
        f"Downloading {file.url} ({file.size:,} bytes) to {cache / 'downloads' / 'mnist.npz'}.",
        "unpacking mnist",
    ]


def test_the_pixels_of_a_set_have_the_same_bytes_with_every_zlib(cache, monkeypatch):
    train, test = random_part(30, (28, 28), 10, 0), random_part(12, (28, 28), 10, 1)
    _put_by_hand(monkeypatch, cache, "mnist", npz_bytes(train, test))
    first = next((known_set_folder("mnist") / "test").rglob("*.png"))
    # Stored, not squeezed: what zlib would choose does not show.
    assert first.read_bytes().count(b"IDAT\x78\x01\x01") == 1


# --- from the command line

_CIFAR10 = """
data: {source: cifar10, image_size: 16, batch_size: 8, split: {validation: 0.3}}
model: {layers: [{conv: {filters: 2, kernel_size: 3}}, global_pool]}
training: {epochs: 1, tensorboard: false}
"""


@pytest.fixture
def command(cache, tmp_path, monkeypatch):
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


def test_train_and_evaluate_on_cifar10_from_the_network(command, cache, tmp_path):
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


def test_without_a_network_the_error_says_where_to_put_the_file(command, cache, tmp_path):
    url = "http://no-such-server.invalid/cifar-10-python.tar.gz"
    done = command(url, b"content", "train", "--dry-run", "a.yaml")
    assert done.exit_code == 1
    assert done.stderr.endswith(
        f"{url} could not be downloaded: the server's name cannot be looked up (is there a "
        "network?).\nTo put the file there by hand, download it on another machine, save it as\n"
        f"  {cache / 'downloads' / 'cifar-10-python.tar.gz'}\n"
        f"(7 bytes, sha256 {hashlib.sha256(b'content').hexdigest()}) and run the command again.\n"
    )


def test_a_summary_of_a_known_set_needs_no_download(command, cache, tmp_path):
    done = command("http://127.0.0.1:1", b"x", "summary", "--json", "a.yaml")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["num_classes"] == 10

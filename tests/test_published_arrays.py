"""Published arrays and archives become class folders."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
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
from published_sets import put_by_hand

from cnnkit.data.dataset import load_dataset
from cnnkit.data.sources.known_sets import KNOWN_SETS, known_set_folder
from cnnkit.data.sources.published_arrays import read_cifar
from cnnkit.errors import DataError


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


def test_mnist_becomes_numbered_grey_files(sets_cache, monkeypatch):
    train, test = random_part(30, (28, 28), 10, 0), random_part(12, (28, 28), 10, 1)
    put_by_hand(monkeypatch, sets_cache, "mnist", npz_bytes(train, test))
    folder = known_set_folder("mnist")
    assert folder == sets_cache / "builtin" / "mnist-v1"
    _check_images(folder, "train", *train, tuple("0123456789"))
    _check_images(folder, "test", *test, tuple("0123456789"))


def test_an_array_of_objects_is_not_unpickled(sets_cache, monkeypatch):
    images = np.empty(2, object)
    bad = (images, np.zeros(2, np.uint8))
    put_by_hand(monkeypatch, sets_cache, "mnist", npz_bytes(bad, bad))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        known_set_folder("mnist")
    assert not (sets_cache / "builtin" / "mnist-v1").exists()


def test_fashion_mnist_has_names_that_are_folders(sets_cache, monkeypatch):
    train, test = random_part(30, (28, 28), 10, 0), random_part(12, (28, 28), 10, 1)
    contents = map(idx_bytes, (*train, *test))
    put_by_hand(monkeypatch, sets_cache, "fashion_mnist", *contents)
    folder = known_set_folder("fashion_mnist")
    names = "T-shirt_top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")
    _check_images(folder, "train", *train, names)
    _check_images(folder, "test", *test, names)


def test_cifar10_joins_its_batches_in_order(sets_cache, monkeypatch):
    train, test = random_part(53, (32, 32, 3), 10, 0), random_part(12, (32, 32, 3), 10, 1)
    put_by_hand(monkeypatch, sets_cache, "cifar10", cifar10_archive(train, test))
    folder = known_set_folder("cifar10")
    names = KNOWN_SETS["cifar10"].class_names
    _check_images(folder, "train", *train, names)
    _check_images(folder, "test", *test, names)


def test_cifar100_takes_the_fine_labels_and_has_a_class_called_train(sets_cache, monkeypatch):
    train, test = random_part(200, (32, 32, 3), 100, 0), random_part(100, (32, 32, 3), 100, 1)
    content = tar_gz_bytes(
        {
            "cifar-100-python/train": cifar_batch(*train, b"fine_labels"),
            "cifar-100-python/test": cifar_batch(*test, b"fine_labels"),
        }
    )
    put_by_hand(monkeypatch, sets_cache, "cifar100", content)
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


def test_flowers_are_unpacked_as_they_are(sets_cache, monkeypatch):
    names = KNOWN_SETS["tf_flowers"].class_names
    photographs = {
        f"flower_photos/{name}/{number}_{name}.jpg": photograph(10 * label + number)
        for label, name in enumerate(names)
        for number in range(3)
    }
    others = {"flower_photos/LICENSE.txt": b"CC-BY", "flower_photos/._daisy": b"x"}
    put_by_hand(monkeypatch, sets_cache, "tf_flowers", tar_gz_bytes(photographs | others))
    folder = known_set_folder("tf_flowers")
    found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    expected = {Path(name).relative_to("flower_photos"): photographs[name] for name in photographs}
    assert found == expected


def test_broken_photographs_of_cats_and_dogs_are_reported_as_in_any_folder(sets_cache, monkeypatch):
    photographs = {
        f"PetImages/{name}/{number}.jpg": photograph(100 * label + number)
        for label, name in enumerate(("Cat", "Dog"))
        for number in range(5)
    }
    others = {"PetImages/Cat/666.jpg": b"", "PetImages/Cat/Thumbs.db": b"x", "readme[1].txt": b"x"}
    put_by_hand(monkeypatch, sets_cache, "cats_vs_dogs", zip_bytes(photographs | others))
    with pytest.raises(DataError, match="Cat/666.jpg: the file is empty"):
        load_dataset(data_config("cats_vs_dogs"))
    dataset = load_dataset(data_config("cats_vs_dogs", on_error="skip"))
    assert dataset.class_names == ("Cat", "Dog")
    assert len(dataset.samples) == 10
    assert [path for path, _ in dataset.skipped] == ["Cat/666.jpg"]

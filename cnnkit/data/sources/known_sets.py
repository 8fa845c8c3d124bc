"""The published data sets: what to download, its licence, and how it becomes class folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from cnnkit.data.cache.folder import cache_folder, folder_made_whole
from cnnkit.data.file_contents import Progress
from cnnkit.data.sources.archives import read_archive
from cnnkit.data.sources.builtin_names import KNOWN_CLASS_NAMES
from cnnkit.data.sources.download import RemoteFile, fetch
from cnnkit.data.sources.published_arrays import Part, read_cifar, read_idx, read_npz, write_images

# To be raised if the images change: it is part of the folder's name.
_VERSION = 1
_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"


class Report(Protocol):
    """Where notes and progress go, as in `cnnkit.progress`."""

    def note(self, text: str) -> None:
        """Show one sentence."""

    def counting(self, what: str) -> AbstractContextManager[Progress]:
        """Return a context that yields a function to call with (done, total)."""


class _Silence:
    def note(self, text: str) -> None:
        """Show nothing."""

    def counting(self, what: str) -> AbstractContextManager[Progress]:
        """Show nothing."""
        return nullcontext(lambda done, total: None)


@dataclass(frozen=True)
class KnownSet:
    """One published data set.

    Args:
        files: what to download.
        class_names: in the order of the published labels.
        write: called with (downloaded files, class names, folder, progress); fills the folder.
        licence: the terms, and where they are stated.
        citation: the publication.
    """

    files: tuple[RemoteFile, ...]
    class_names: tuple[str, ...]
    write: Callable[[Sequence[Path], Sequence[str], Path, Progress], None]
    licence: str
    citation: str


def known_set_folder(name: str, report: Report | None = None) -> Path:
    """Return the folder of a known set, downloaded and unpacked on the first call.

    Args:
        name: one of KNOWN_SETS.
        report: where notes and progress go; None for nowhere.

    Raises:
        DataError: a download failed; the text says where to put the file by hand.
    """
    report, known = report or _Silence(), KNOWN_SETS[name]
    folder = _unpacked(name)
    if folder.is_dir():
        return folder
    report.note(f"{name}: {known.citation}. Licence: {known.licence}.")
    paths = [_fetch(file, report) for file in known.files]
    with folder_made_whole(folder) as temporary, report.counting(f"unpacking {name}") as progress:
        known.write(paths, known.class_names, temporary, progress)
    return folder


def is_unpacked(name: str) -> bool:
    """Tell whether a known set is on this computer, so that nothing has to be downloaded."""
    return _unpacked(name).is_dir()


def _unpacked(name: str) -> Path:
    return cache_folder() / "builtin" / f"{name}-v{_VERSION}"


def _fetch(file: RemoteFile, report: Report) -> Path:
    with report.counting(f"downloading {file.name}") as progress:
        return fetch(file, cache_folder() / "downloads", progress, report.note)


def _write_arrays(
    read: Callable[[Sequence[Path]], list[Part]],
    paths: Sequence[Path],
    class_names: Sequence[str],
    folder: Path,
    progress: Progress,
) -> None:
    write_images(read(paths), class_names, folder, progress)


def _write_photographs(
    above: str, paths: Sequence[Path], class_names: Sequence[str], folder: Path, progress: Progress
) -> None:
    """Unpack `<above>/<class>/<name>.jpg` of an archive as `<class>/<name>.jpg`."""
    # The archives also contain a licence and other files that are no photographs.
    is_photograph = re.compile(rf"{above}/({'|'.join(class_names)})/[^/]+\.jpg").fullmatch
    for class_name in class_names:
        (folder / class_name).mkdir()
    for name, content in read_archive(paths[0], lambda name: bool(is_photograph(name)), progress):
        (folder / name.removeprefix(f"{above}/")).write_bytes(content)


def _fashion_file(name: str, size: int, sha256: str) -> RemoteFile:
    # MNIST's own files have the same names, so Keras keeps these in a folder of their own.
    return RemoteFile(_KERAS + name, size, sha256, f"fashion-mnist/{name}")


# Sizes and sha256 of mnist, cifar10 and cifar100 are those of Keras 3.15 (keras.datasets) and its
# download logs; of fashion_mnist and tf_flowers those that TensorFlow Datasets records; of
# cats_vs_dogs those of GoMLX's loader and of download logs.
KNOWN_SETS = {
    "mnist": KnownSet(
        files=(
            RemoteFile(
                f"{_KERAS}mnist.npz",
                11_490_434,
                "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
                "mnist.npz",
            ),
        ),
        class_names=KNOWN_CLASS_NAMES["mnist"],
        write=partial(_write_arrays, read_npz),
        licence="CC BY-SA 3.0",
        citation="LeCun, Cortes and Burges, the MNIST database of handwritten digits",
    ),
    "fashion_mnist": KnownSet(
        files=(
            _fashion_file(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            _fashion_file(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            _fashion_file(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            _fashion_file(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        class_names=KNOWN_CLASS_NAMES["fashion_mnist"],
        write=partial(_write_arrays, read_idx),
        licence="MIT (Zalando SE)",
        citation="Xiao, Rasul and Vollgraf 2017, Fashion-MNIST, arXiv:1708.07747",
    ),
    "cifar10": KnownSet(
        files=(
            RemoteFile(
                f"{_TORONTO}cifar-10-python.tar.gz",
                170_498_071,
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                "cifar-10-python.tar.gz",
                ("cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz"),
            ),
        ),
        class_names=KNOWN_CLASS_NAMES["cifar10"],
        write=partial(
            _write_arrays,
            partial(
                read_cifar,
                train=[f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)],
                test="cifar-10-batches-py/test_batch",
                labels="labels",
            ),
        ),
        licence="none stated; the authors ask for the citation",
        citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    ),
    "cifar100": KnownSet(
        files=(
            RemoteFile(
                f"{_TORONTO}cifar-100-python.tar.gz",
                169_001_437,
                "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                "cifar-100-python.tar.gz",
                ("cifar-100-python-target_archive",),
            ),
        ),
        class_names=KNOWN_CLASS_NAMES["cifar100"],
        write=partial(
            _write_arrays,
            partial(
                read_cifar,
                train=["cifar-100-python/train"],
                test="cifar-100-python/test",
                labels="fine_labels",
            ),
        ),
        licence="none stated; the authors ask for the citation",
        citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    ),
    "tf_flowers": KnownSet(
        files=(
            RemoteFile(
                "https://storage.googleapis.com/download.tensorflow.org/example_images/"
                "flower_photos.tgz",
                228_813_984,
                "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
                "flower_photos.tgz",
                ("flower_photos.tar.gz", "flower_photos_archive"),
            ),
        ),
        class_names=KNOWN_CLASS_NAMES["tf_flowers"],
        write=partial(_write_photographs, "flower_photos"),
        licence="CC BY; LICENSE.txt in the archive names the photographers",
        citation="The TensorFlow Team 2019, Flowers",
    ),
    "cats_vs_dogs": KnownSet(
        files=(
            RemoteFile(
                "https://download.microsoft.com/download/3/E/1/"
                "3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
                824_887_076,
                "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
                "kagglecatsanddogs_5340.zip",
            ),
        ),
        class_names=KNOWN_CLASS_NAMES["cats_vs_dogs"],
        write=partial(_write_photographs, "PetImages"),
        licence="CDLA-Permissive-2.0, whose text is in the archive",
        citation="Elson, Douceur, Howell and Saul 2007, Asirra",
    ),
}

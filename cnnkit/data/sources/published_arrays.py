"""Convert published files of arrays (npz, idx, CIFAR batches) into PNG files in class folders."""

from __future__ import annotations

import gzip
import io
import pickle
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnkit.data.file_contents import Progress
from cnnkit.data.sources.archives import read_archive

# (split, images: uint8 (n, height, width[, 3]), labels: (n,) integers)
Part = tuple[str, np.ndarray, np.ndarray]

# All that the pickle of an array needs; none of it runs code that the pickle chooses.
_ALLOWED_IN_PICKLES = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    # The same function before and since NumPy 2.
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


def write_images(
    parts: Sequence[Part], class_names: Sequence[str], folder: Path, progress: Progress
) -> None:
    """Write `train/<class>/00017.png` for image 17 of the published array, counted from 0.

    The PNG files are not compressed. Small files take one block on the disk either way, and their
    bytes, on which splits depend, are the same with every version of zlib.

    Args:
        parts: the published arrays; the parts of one split are numbered on from each other.
        class_names: in the order of the labels.
        folder: which exists.
        progress: called with (images written, images in all).
    """
    total = sum(len(labels) for _, _, labels in parts)
    written: Counter[str] = Counter()
    for split, images, labels in parts:
        for name in class_names:
            (folder / split / name).mkdir(parents=True, exist_ok=True)
        for image, label in zip(images, labels, strict=True):
            path = folder / split / class_names[label] / f"{written[split]:05d}.png"
            Image.fromarray(image).save(path, compress_level=0)
            written[split] += 1
            progress(sum(written.values()), total)


def read_npz(paths: Sequence[Path]) -> list[Part]:
    """Read the MNIST file of Keras, with the arrays x_train, y_train, x_test and y_test."""
    with np.load(paths[0], allow_pickle=False) as arrays:
        return [(split, arrays[f"x_{split}"], arrays[f"y_{split}"]) for split in ("train", "test")]


def read_idx(paths: Sequence[Path]) -> list[Part]:
    """Read four gzipped idx files: training images and labels, test images and labels."""
    arrays = [_read_idx(path) for path in paths]
    return [("train", arrays[0], arrays[1]), ("test", arrays[2], arrays[3])]


def _read_idx(path: Path) -> np.ndarray:
    """Read one idx file: the bytes 0, 0, 8 (for uint8), the number of axes, their lengths, values.

    Source: http://yann.lecun.com/exdb/mnist, "The IDX file format".
    """
    with gzip.open(path) as stream:
        num_axes = stream.read(4)[3]
        shape = np.frombuffer(stream.read(4 * num_axes), ">i4")
        return np.frombuffer(stream.read(), np.uint8).reshape(shape)


def read_cifar(
    paths: Sequence[Path], *, train: Sequence[str], test: str, labels: str
) -> list[Part]:
    """Read the CIFAR archive of pickled batches.

    Args:
        paths: the archive, and nothing else.
        train: names of the training batches in the archive, in order.
        test: name of the test batch.
        labels: the key of the labels in a batch.

    Raises:
        UnpicklingError: a pickle needs more than arrays.

    Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
    """
    files = read_archive(paths[0], (*train, test).__contains__)
    batches = {name: _read_batch(content, labels) for name, content in files}
    return [("train", *batches[name]) for name in train] + [("test", *batches[test])]


def _read_batch(content: bytes, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 32, 32, 3) and labels. A row has the red, the green and the blue plane."""
    # The batches were pickled by Python 2, whose texts are bytes.
    batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    planes = batch[b"data"].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), np.array(batch[labels.encode()])


class _ArraysOnly(pickle.Unpickler):
    """Read plain values and NumPy arrays, and refuse anything else that a pickle could run."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the allowed functions and types."""
        if (module, name) not in _ALLOWED_IN_PICKLES:
            raise pickle.UnpicklingError(f"a batch of arrays needs {module}.{name}")
        return super().find_class(module, name)

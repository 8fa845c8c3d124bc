"""Tiny files with the layout of the published data sets."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
from images import file_bytes, noise


def random_part(count, shape, num_classes, seed):
    """Return random images, and labels. Every class occurs if there are enough images."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    return images, random.permutation(np.arange(count) % num_classes).astype(np.uint8)


def npz_bytes(train, test):
    """Return Keras's mnist.npz."""
    stream = io.BytesIO()
    np.savez(stream, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    return stream.getvalue()


def idx_bytes(array):
    """Return a gzipped idx file of bytes."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes())


def cifar_batch(images, labels, label_key):
    """Return a CIFAR batch as Python 2 pickled it: text is bytes, arrays are `numpy.core`'s."""
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return b"\x80\x02}(" + _text(b"data") + _array(rows) + _text(label_key) + _list(labels) + b"u."


def _text(value):
    return b"U" + bytes([len(value)]) + value


def _whole(value):
    return b"J" + struct.pack("<i", value)


def _list(values):
    return b"](" + b"".join(map(_whole, values)) + b"e"


def _array(rows):
    dtype = b"cnumpy\ndtype\n" + _text(b"u1") + _whole(0) + _whole(1) + b"\x87R"
    dtype += b"(" + _whole(3) + _text(b"|") + b"NNN" + _whole(-1) * 2 + _whole(0) + b"tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + _whole(0) + b"\x85"
    empty += _text(b"b") + b"\x87R"
    content = b"T" + struct.pack("<i", rows.size) + rows.tobytes()
    shape = b"".join(map(_whole, rows.shape)) + b"\x86"
    return empty + b"(" + _whole(1) + shape + dtype + b"\x89" + content + b"tb"


def tar_gz_bytes(files):
    """Return a tar.gz of {name: content}."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zip_bytes(files):
    """Return a zip of {name: content}."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def photograph(seed):
    """Return a JPEG file of noise."""
    return file_bytes(noise(seed=seed), "JPEG")


def cifar10_archive(train, test):
    """Return cifar-10-python.tar.gz in its own order, which is not that of the batches."""
    folder = "cifar-10-batches-py"
    batches = {
        f"{folder}/data_batch_{number + 1}": cifar_batch(images, labels, b"labels")
        for number, (images, labels) in enumerate(
            zip(np.array_split(train[0], 5), np.array_split(train[1], 5), strict=True)
        )
    }
    order = (4, 3, 2, 5, 1)
    files = {f"{folder}/data_batch_{number}": None for number in order} | batches
    files[f"{folder}/readme.html"] = b"<html>"
    files[f"{folder}/test_batch"] = cifar_batch(*test, b"labels")
    return tar_gz_bytes(files)

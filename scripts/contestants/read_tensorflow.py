"""Measure how long TensorFlow alone takes to read a folder, epoch by epoch.

`antialias` is a `tf.data` pipeline of `decode_jpeg` and `resize(antialias=True)`, whose pixels
differ from those of cnnkit by one or two levels. `directory` is `image_dataset_from_directory` with
its defaults, which does not average pixels when it shrinks an image. The time for imports is not
included.

    python scripts/contestants/read_tensorflow.py FOLDER IMAGE_SIZE EPOCHS antialias|directory
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

folder, image_size, epochs, kind = sys.argv[1:]
size = (int(image_size), int(image_size))


def read(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the pixels of one file."""
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, size, antialias=True)
    return tf.cast(tf.round(image), tf.uint8), label


begin = time.perf_counter()
if kind == "directory":
    batches = keras.utils.image_dataset_from_directory(
        folder, batch_size=32, image_size=size, seed=0, verbose=False
    ).prefetch(tf.data.AUTOTUNE)
else:
    names = sorted(entry.name for entry in os.scandir(folder))
    paths = [(entry.path, i) for i, name in enumerate(names)
             for entry in os.scandir(os.path.join(folder, name))]  # fmt: skip
    files = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*sorted(paths), strict=True))))
    shuffled = files.shuffle(len(paths), seed=0)
    batches = shuffled.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(32)
    batches = batches.prefetch(tf.data.AUTOTUNE)
ends, numbers = [], []
for _ in range(int(epochs)):
    numbers.append(sum(int(images.shape[0]) for images, _ in batches))
    ends.append(time.perf_counter() - begin)
print(json.dumps({"epoch_ends": ends, "num_images": numbers}))

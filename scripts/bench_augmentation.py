"""Measure how fast cnnkit augments drawn images, compared with the same Keras layers.

    python scripts/bench_augmentation.py [--images 1000] [--size 160] [--rounds 5]

The operations are flip, rotation, zoom, translation and contrast. Ours run as in training
(`training_batches`). Keras's five layers run one after the other on batches, in a parallel map with
AUTOTUNE. Both read pixels from memory and are measured in turns. Then ours run again with 1, 2 and
8 threads and other batches, and must give the same bits.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np

from cnnkit.augmentation import Augmentation, build_augmentation
from cnnkit.backend import keras, tf
from cnnkit.config.calls import Call
from cnnkit.config.data_section import DataConfig
from cnnkit.data.batches import training_batches
from cnnkit.data.dataset import ImageDataset, load_dataset

CHAIN = (
    Call("random_flip", {"mode": "horizontal"}),
    Call("random_rotation", {"factor": 0.05}),
    Call("random_zoom", {"height_factor": 0.1}),
    Call("random_translation", {"height_factor": 0.1, "width_factor": 0.1}),
    Call("random_contrast", {"factor": 0.2}),
)
BATCH_SIZE = 32
PASSES = 10  # ours run ten times as long as Keras's, or they would be too short to be timed


def main() -> None:
    """Measure both in turns, print the rates and the ratio, and check that ours repeat."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNKIT_CACHE"] = folder
        dataset = _pictures(arguments.images, arguments.size)
        augment = build_augmentation(CHAIN, dataset.settings)
        contestants = {"cnnkit": _ours(dataset, augment), "Keras layers": _keras(dataset)}
        rates = _rates(contestants, arguments.rounds)
        for name, found in rates.items():
            print(f"{name:14} images/s: median {median(found):8,.0f}, slowest {min(found):8,.0f}")
        ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
        print(f"ratio, round by round: median {median(ratios):.1f}, smallest {min(ratios):.1f}")
        is_same = _repeats(dataset, augment)
    print(f"same bits with 1, 2 and 8 threads and other batches: {'yes' if is_same else 'NO'}")
    sys.exit(0 if is_same else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _pictures(number: int, size: int) -> ImageDataset:
    shapes = {"num_images": number, "image_size": size}
    config = DataConfig(source="shapes", image_size=(size, size), shapes=shapes, cache="memory")
    return load_dataset(config)


def _ours(dataset: ImageDataset, augment: Augmentation) -> Callable[[], int]:
    indices = np.tile(np.arange(len(dataset.samples)), PASSES)
    options = {"batch_size": BATCH_SIZE, "seed": 0, "epoch": 0, "augment": augment}
    return lambda: _drain(training_batches(dataset, indices, **options))


def _keras(dataset: ImageDataset) -> Callable[[], int]:
    layers = [getattr(keras.layers, call.keras_name)(**call.arguments, seed=0) for call in CHAIN]
    pixels = tf.data.Dataset.from_tensor_slices(dataset.pixels(range(len(dataset.samples))))

    def change(images: tf.Tensor) -> tf.Tensor:
        for layer in layers:
            images = layer(images, training=True)
        return (images,)

    batches = pixels.batch(BATCH_SIZE).map(change, num_parallel_calls=tf.data.AUTOTUNE)
    return lambda: _drain(batches.prefetch(tf.data.AUTOTUNE))


def _drain(batches: Any) -> int:
    return sum(len(batch[0]) for batch in batches)


def _rates(contestants: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Return the images/s of each round; the first round, which traces graphs, does not count."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            begin = time.perf_counter()
            images = run()
            if number:
                rates[name].append(images / (time.perf_counter() - begin))
    return rates


def _repeats(dataset: ImageDataset, augment: Augmentation) -> bool:
    """Tell whether several numbers of threads and batch sizes all give the same bits."""
    number = len(dataset.samples)
    hashes = [sample.sha256 for sample in dataset.samples]
    keys = augment.keys(0, 0, hashes, np.zeros(number, int))

    def change(part: slice) -> np.ndarray:
        return augment.on_host(dataset.pixels(np.arange(number)[part]), keys[part])

    digests = set()
    for threads, size in ((1, 32), (2, 32), (8, 7), (8, 1)):
        parts = [slice(start, start + size) for start in range(0, number, size)]
        with ThreadPoolExecutor(threads) as pool:
            pixels = np.concatenate(list(pool.map(change, parts)))
        digests.add(hashlib.sha256(pixels).hexdigest())
    return len(digests) == 1


if __name__ == "__main__":
    main()

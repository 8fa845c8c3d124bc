"""Trainings that each have one trouble, and healthy ones, for `scripts/diagnoses.py`.

All are small: handwritten digits of scikit-learn at 16 x 16 pixels, drawn shapes, and photographs
of hand signs. A trouble is made in the config, or in the images that the config learns from. Other
grey images can take the place of the digits.
"""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from grey_images import SPLITS, Images, inverted_test, noisy, split_images

Document = dict[str, Any]  # a config as plain data

_LAYERS = [
    {"conv": {"filters": 16, "kernel_size": 3, "activation": "relu"}},
    {"pool": "max"},
    {"conv": {"filters": 32, "kernel_size": 3, "activation": "relu"}},
    {"pool": "max"},
    "flatten",
    {"dense": {"units": 64, "activation": "relu"}},
]


@dataclass(frozen=True)
class Trouble:
    """A training with one trouble.

    Args:
        name: of the trouble.
        verdicts: the names of the right first verdicts; none for a healthy training.
        make: the config, from an empty folder for images, a seed and images.
    """

    name: str
    verdicts: tuple[str, ...]
    make: Callable[[Path, int, Images], Document]


# --- the config


def _document(folder: Path, rows: list[list[str]], seed: int, **changes: Any) -> Document:
    with (folder / "images.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "split"], *rows])
    document = {
        "data": {
            "source": str(folder / "images.csv"),
            "image_size": 16,
            "color_mode": "grayscale",
        },
        "model": {"layers": copy.deepcopy(_LAYERS)},
        "training": {
            "epochs": 12,
            "optimizer": {"adam": {"learning_rate": 0.001}},
            "seed": seed,
            "tensorboard": False,
        },
    }
    for key, value in changes.items():
        *sections, name = key.split("__")
        part = document
        for section in sections:
            part = part[section]
        part[name] = value
    return document


# --- troubles


def _rate(value: float) -> Callable[[Path, int, Images], Document]:
    def make(folder: Path, seed: int, images: Images) -> Document:
        optimizer = {"adam": {"learning_rate": value}}
        return _document(
            folder, split_images(folder, seed, images), seed, training__optimizer=optimizer
        )

    return make


def _twenty_images(folder: Path, seed: int, images: Images) -> Document:
    rows = split_images(folder, seed, images, counts=(400, 300, 300))
    kept: dict[str, int] = {}
    few = []
    for row in rows:
        if row[2] == "train":
            kept[row[1]] = kept.get(row[1], 0) + 1
            if kept[row[1]] > 2:
                continue
        few.append(row)
    layers = copy.deepcopy(_LAYERS)
    layers[-1]["dense"]["units"] = 512
    return _document(folder, few, seed, model__layers=layers, training__epochs=60)


def _shuffled_labels(folder: Path, seed: int, images: Images) -> Document:
    rows = split_images(folder, seed, images)
    labels = np.random.default_rng(seed).permutation([row[1] for row in rows])
    shuffled = [
        [path, str(label), split] for (path, _, split), label in zip(rows, labels, strict=True)
    ]
    return _document(folder, shuffled, seed)


def _few_epochs(folder: Path, seed: int, images: Images) -> Document:
    return _document(folder, split_images(folder, seed, images), seed, training__epochs=3)


def _tiny_network(folder: Path, seed: int, images: Images) -> Document:
    conv = {"filters": 2, "kernel_size": 3, "activation": "relu"}
    layers = [{"conv": conv}, {"pool": 5}, "flatten"]
    optimizer = {"adam": {"learning_rate": 0.005}}
    rows = split_images(folder, seed, images)
    return _document(
        folder, rows, seed, model__layers=layers, training__optimizer=optimizer, training__epochs=40
    )


def _ten_validation_images(folder: Path, seed: int, images: Images) -> Document:
    """One image of each class in validation; the others are left out."""
    seen: set[str] = set()
    kept = []
    for row in split_images(folder, seed, images):
        if row[2] == "validation" and row[1] in seen:
            continue
        if row[2] == "validation":
            seen.add(row[1])
        kept.append(row)
    return _document(folder, kept, seed)


def _imbalance(folder: Path, seed: int, images: Images) -> Document:
    """Noisy images of one class against fifty times as many of all others."""
    rare = max(images.labels)
    rows = split_images(folder, seed, images, counts=(1000, 500, 250), change=noisy(150, *SPLITS))
    seen = dict.fromkeys(SPLITS, 0)
    others = {split: sum(row[1] != rare for row in rows if row[2] == split) for split in SPLITS}
    kept = []
    for path, label, split in rows:
        if label == rare:
            seen[split] += 1
            if seen[split] > max(1, others[split] // 50):
                continue
        kept.append([path, "rare" if label == rare else "other", split])
    return _document(folder, kept, seed, training__epochs=4)


def _leak(folder: Path, seed: int, images: Images) -> Document:
    """Half of the validation images are copies of training images."""
    rows = split_images(folder, seed, images)
    train = [row for row in rows if row[2] == "train"]
    for row, original in zip(
        [row for row in rows if row[2] == "validation"][::2], train, strict=False
    ):
        (folder / row[0]).write_bytes((folder / original[0]).read_bytes())
        row[1] = original[1]
    return _document(folder, rows, seed)


def _harder_training(folder: Path, seed: int, images: Images) -> Document:
    rows = split_images(folder, seed, images, change=noisy(180, "train"))
    return _document(folder, rows, seed, training__epochs=12)


def _strong_dropout(folder: Path, seed: int, images: Images) -> Document:
    layers = [*copy.deepcopy(_LAYERS[:-1]), {"dropout": 0.9}, copy.deepcopy(_LAYERS[-1])]
    return _document(
        folder, split_images(folder, seed, images), seed, model__layers=layers, training__epochs=20
    )


def _other_test(folder: Path, seed: int, images: Images) -> Document:
    return _document(folder, split_images(folder, seed, images, change=inverted_test), seed)


def _rate_falls_too_early(folder: Path, seed: int, images: Images) -> Document:
    schedule = {"step": {"every_epochs": 2, "factor": 0.03}}
    rows = split_images(folder, seed, images)
    return _document(folder, rows, seed, training__schedule=schedule, training__epochs=24)


def _not_finite(folder: Path, seed: int, images: Images) -> Document:
    optimizer = {"sgd": {"learning_rate": 1e12, "momentum": 0.9}}
    return _document(
        folder, split_images(folder, seed, images), seed, training__optimizer=optimizer
    )


TROUBLES = (
    Trouble("learning rate times 100", ("learning_rate_too_high",), _rate(0.1)),
    Trouble("learning rate / 1000", ("learning_rate_too_low",), _rate(1e-6)),
    Trouble("20 training images", ("overfitting",), _twenty_images),
    Trouble("labels shuffled", ("labels_not_learned",), _shuffled_labels),
    Trouble("too few epochs", ("still_improving",), _few_epochs),
    Trouble("tiny network", ("underfitting",), _tiny_network),
    Trouble("10 validation images", ("validation_too_small",), _ten_validation_images),
    Trouble("imbalance 50:1", ("rare_classes_missed",), _imbalance),
    Trouble("copies in validation", ("copies_in_validation",), _leak),
    Trouble("harder training images", ("validation_better",), _harder_training),
    Trouble("dropout 0.9", ("validation_better",), _strong_dropout),
    Trouble("test images inverted", ("test_worse",), _other_test),
    Trouble("learning rate falls too early", ("plateau",), _rate_falls_too_early),
    Trouble("loss becomes NaN", ("loss_not_finite",), _not_finite),
)


# --- healthy trainings


def _lenet5(folder: Path, seed: int, images: Images) -> Document:
    return _from_config("digits_lenet5", seed, epochs=20)


def _shapes(folder: Path, seed: int, images: Images) -> Document:
    document = _from_config("shapes_cnn", seed, epochs=15)
    document["data"]["shapes"] = {"num_images": 3000, "image_size": 48}
    document["data"]["image_size"] = 48
    return document


def _plain_digits(folder: Path, seed: int, images: Images) -> Document:
    return _document(folder, split_images(folder, seed, images), seed, training__epochs=20)


def _from_config(name: str, seed: int, epochs: int) -> Document:
    from cnnkit.config.yaml_reader import read_yaml

    path = Path(__file__).parents[1] / "configs" / f"{name}.yaml"
    document = read_yaml(path.read_text(encoding="utf-8"), str(path)).data
    del document["x-model"]
    document["training"] |= {"seed": seed, "epochs": epochs, "tensorboard": False}
    return document


def frozen_head(photographs: str, weights: str) -> Trouble:
    """Return a healthy training of a head on a frozen backbone."""

    def make(folder: Path, seed: int, images: Images) -> Document:
        return {
            "data": {"source": photographs, "image_size": 96},
            "model": {"backbone": {"name": "MobileNetV2", "alpha": 0.35, "weights": weights}},
            "training": {
                "epochs": 30,
                "optimizer": {"adam": {"learning_rate": 0.003}},
                "schedule": "cosine",
                "seed": seed,
                "tensorboard": False,
            },
        }

    return Trouble("healthy: frozen backbone", (), make)


HEALTHY = (
    Trouble("healthy: digits_lenet5", (), _lenet5),
    Trouble("healthy: shapes_cnn", (), _shapes),
    Trouble("healthy: plain digits", (), _plain_digits),
)


def all_trainings(photographs: str | None, weights: str | None) -> Iterator[Trouble]:
    """Yield the troubles and the healthy trainings; the frozen backbone needs its two paths."""
    yield from (*TROUBLES, *HEALTHY)
    if photographs and weights:
        yield frozen_head(photographs, weights)

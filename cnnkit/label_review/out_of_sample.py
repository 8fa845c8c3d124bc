"""Probabilities of images by models that have not seen them: cross-validation."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cnnkit.config import Config
from cnnkit.data.dataset import load_dataset
from cnnkit.data.split.division import folds_of, splits_of_fold
from cnnkit.data.split.hashed_images import HashedImages, read_images
from cnnkit.data.split.manifest import Manifest
from cnnkit.evaluation.predictions_reader import read_predictions
from cnnkit.progress import Report

# scikit-learn's C for scaled features: from a strong penalty to a weak one.
_STRENGTHS = (1e-3, 1e-2, 1e-1)
_MOST_ITERATIONS = 300


@dataclass(frozen=True, eq=False)
class OutOfSample:
    """Images with the probabilities that a model gave which had not seen them.

    Args:
        images: all images of the data; their records have the splits that the source states.
        labels: (num_images,) integers.
        probabilities: (num_images, num_classes).
        method: how they were found, in words.
    """

    images: HashedImages
    labels: NDArray
    probabilities: NDArray
    method: str


def out_of_sample(config: Config, num_folds: int, report: Report) -> OutOfSample:
    """Divide all images into folds, and let a model of the other folds answer each fold.

    With a backbone, the model is a logistic regression on the features of the backbone as it was
    before any training on these images; they are computed once and kept in the cache. Otherwise
    the network of the config is trained from the beginning for each fold. Copies of an image, and
    images of one group, are in one fold.

    Args:
        config: its data and model.
        num_folds: at least 2.
        report: shows the progress.

    Raises:
        DataError: the images cannot be read, or a class has too few of them.
    """
    with report.counting("reading images") as progress:
        images = read_images(config.data, [], report.note, progress)
    # The splits of the source do not matter: every label is to be judged.
    pooled = replace(images, records=[replace(each, split=None) for each in images.records])
    folds = folds_of(pooled, num_folds, config.data)
    label_of = {name: label for label, name in enumerate(images.class_names)}
    labels = np.array([label_of[label] for label in images.labels])
    if config.model.backbone is not None:
        features = _features(config, images, report)
        probabilities = _of_regression(features, labels, np.array(folds), report)
        method = f"{num_folds} folds on features of the backbone"
    else:
        probabilities = _of_trainings(config, pooled, folds, num_folds, report)
        method = f"{num_folds} trainings"
    return OutOfSample(images, labels, probabilities, method)


def _features(config: Config, images: HashedImages, report: Report) -> NDArray:
    """Return the features (num_images, num_features) of the backbone, as training keeps them."""
    from cnnkit.model.build_model import build_model
    from cnnkit.training.backbone_features import BackboneFeatures, split_model
    from cnnkit.training.phase_images import ImageBatches

    with report.counting("reading images") as progress:
        dataset = load_dataset(config.data, progress=progress)
    # All of them as one split, so that their features are one entry of the cache.
    samples = tuple(replace(sample, split="train") for sample in dataset.samples)
    dataset = replace(dataset, samples=samples)
    extractor, _ = split_model(build_model(config, len(dataset.class_names)))
    found = BackboneFeatures(ImageBatches(config, dataset), extractor, report).of_split(
        "train", None
    )
    place = {sample.path: index for index, sample in enumerate(samples)}
    features = found.pixels(np.array([place[record.path] for record in images.records]))
    # Maps that the head does not pool at once are pooled here.
    return features.mean(axis=tuple(range(1, features.ndim - 1))).astype(np.float64)


def _of_regression(features: NDArray, labels: NDArray, folds: NDArray, report: Report) -> NDArray:
    """Return the probabilities of logistic regressions, with the best of three penalties."""
    from sklearn.metrics import log_loss

    deviation = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(deviation < 1e-6, 1.0, deviation)
    num_classes, best = labels.max() + 1, (np.inf, None)
    steps = [(strength, fold) for strength in _STRENGTHS for fold in range(folds.max() + 1)]
    # With more threads, those of BLAS wait for each other when the machine has other work.
    with threadpool_limits(1, "blas"), report.counting("cross-validation") as progress:
        for done, (strength, fold) in enumerate(steps, 1):
            if fold == 0:
                probabilities = np.zeros((len(labels), num_classes))
            probabilities[folds == fold] = _fitted(
                scaled, labels, folds != fold, strength, num_classes
            )[folds == fold]
            if fold == folds.max():
                loss = log_loss(labels, probabilities, labels=np.arange(num_classes))
                best = min(best, (loss, probabilities), key=lambda each: each[0])
            progress(done, len(steps))
    return best[1]


def _fitted(
    features: NDArray, labels: NDArray, known: NDArray, strength: float, num_classes: int
) -> NDArray:
    """Return the probabilities of all images by a regression that knows some of them."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS)
    found.fit(features[known], labels[known])
    probabilities = np.zeros((len(labels), num_classes))
    # A class may have no image among those that are known.
    probabilities[:, found.classes_] = found.predict_proba(features)
    return probabilities


def _of_trainings(
    config: Config, pooled: HashedImages, folds: Sequence[int], num_folds: int, report: Report
) -> NDArray:
    """Return the probabilities of one training per fold; their runs are removed."""
    from cnnkit.training.run import train

    position = {content: [] for content in pooled.hashes}
    for index, content in enumerate(pooled.hashes):
        position[content].append(index)
    probabilities = np.zeros((len(folds), len(pooled.class_names)))
    with tempfile.TemporaryDirectory(prefix="cnnkit-labels-") as folder:
        for fold in range(num_folds):
            report.note(f"fold {fold + 1} of {num_folds}")
            manifest = Path(folder, f"fold{fold + 1}.csv")
            splits = splits_of_fold(pooled, folds, fold, config.data)
            pooled.write(manifest, splits, Manifest(manifest), lambda sentence: None)
            own = config.data.model_copy(
                update={"source": str(manifest), "labels": None, "classes": pooled.class_names}
            )
            run = train(
                config.model_copy(update={"data": own}),
                name=manifest.stem, runs_folder=Path(folder), report=report,
            )  # fmt: skip
            found = read_predictions(run.evaluation("test") / "predictions.csv")
            contents = {row["path"]: row["sha256"] for row in run.read_split()}
            for path, row in zip(found.paths, found.probabilities, strict=True):
                probabilities[position[contents[path]]] = row
    return probabilities

"""Take a frame of the film after each epoch: filters, feature maps, answer, confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnkit.data.dataset import ImageDataset
from cnnkit.errors import UsageError
from cnnkit.explore.features.model_graph import Step, run_steps, steps_of
from cnnkit.explore.features.windows_and_kernels import is_convolution, kernel_of
from cnnkit.metrics import MOST_CLASSES_IN_FULL, confusion_matrix
from cnnkit.model.model_info import ModelInfo
from cnnkit.progress import Report
from cnnkit.runs import Run
from cnnkit.training.film.film_page import write_film_page
from cnnkit.training.film.frames import Frames
from cnnkit.training.plan import Plan
from cnnkit.training.weight_averages import with_averages

_MOST_FILTERS = 32
_MOST_DEPTH = 3  # channels below of a filter: those of an image
_MOST_MAPS = 16
_MOST_SIDE = 48  # positions of a map; larger ones are averaged over squares


def film_of(plan: Plan, run: Run, report: Report, done: int) -> Film | None:
    """Return the film of a training; None without `training.film`.

    Args:
        plan: of the training.
        run: whose files are written.
        report: is told if there can be no film.
        done: the number of epochs that were trained before, if the training is resumed.

    Raises:
        CnnkitError: the file with the earlier frames is damaged.
    """
    if not plan.config.training.film:
        return None
    if plan.devices.number > 1:
        # Each device has a part of the validation images only.
        report.note(
            "training.film does nothing: there is a film only if one device trains, and "
            f"{plan.devices.number} do."
        )
        return None
    return Film(plan, run, report, done)


class Film:
    """Looks at the model after each epoch, and changes nothing in it.

    The image is the first one of the validation split in the order of the paths; without a
    validation split it is from test or train. The layers are the first and the last convolution.
    """

    def __init__(self, plan: Plan, run: Run, report: Report, done: int) -> None:
        self._run, self._report = run, report
        dataset = plan.dataset
        self._info = ModelInfo(dataset.class_names, dataset.settings, plan.config.model.output)
        split, index = _chosen_image(dataset)
        self._pixels = dataset.pixels([index])
        self._steps = _steps(plan.model)
        found = [place for place, step in enumerate(self._steps) if is_convolution(step)]
        self._convolutions = list(dict.fromkeys([*found[:1], *found[-1:]]))
        facts = {
            "image": dataset.samples[index].path,
            "split": split,
            "label": dataset.class_names[dataset.labels[index]],
            "layers": [self._steps[place].name for place in self._convolutions],
            "filters": [self._steps[place].shape[-1] for place in self._convolutions],
            "has_backbone": plan.config.model.backbone is not None,
            "has_validation": bool(len(dataset.select("validation"))),
        }
        self._frames = Frames(run.film.with_suffix(".npz"), facts)
        self._frames.read(done)

    def take(self, epoch: int, trained: Any, batches: Any) -> None:
        """Take the frame of an epoch and write it.

        Args:
            epoch: from 1, over all phases.
            trained: the compiled model that is trained: the whole one, or its head on features. If
                its optimizer averages the weights, the averages are looked at, as in validation.
            batches: of the phase, whose validation batches give the confusion matrix.
        """
        with with_averages(trained):
            arrays = {**self._seen(), **self._confused(trained, batches.validation())}
        self._frames.add(epoch, arrays)

    def close(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the page.

        Args:
            rows: of history.csv, for what is said about each epoch.
        """
        self._frames.drop_after(len(rows))
        if self._frames.epochs:
            write_film_page(self._run, self._frames, rows, self._pixels[0], self._info.class_names)
            self._report.note(f"film: {self._run.film}")

    def _seen(self) -> dict[str, NDArray]:
        """Return the filters of the first convolution, the maps, and the answer for the image."""
        steps, places = self._steps, self._convolutions
        if not steps:
            return {}
        ends = [_after(steps, place) for place in places]
        tensors = run_steps(steps, self._pixels, also=ends)
        answer = self._info.probabilities(_numbers(tensors[-1]).reshape(1, -1))[0]
        found = {"answer": answer}
        for number, end in enumerate(ends):
            found[f"maps_{number}"] = smaller_maps(_numbers(tensors[end])[0, ..., :_MOST_MAPS])
        if places:
            weights = kernel_of(steps[places[0]]).weights
            found["filters"] = _numbers(weights[:, :, :_MOST_DEPTH, :_MOST_FILTERS])
        return found

    def _confused(self, trained: Any, validation: Any) -> dict[str, NDArray]:
        count = len(self._info.class_names)
        if validation is None or count > MOST_CLASSES_IN_FULL:
            return {}
        labels, answers = [], []
        for images, targets in validation:
            outputs = self._info.probabilities(np.asarray(trained.predict_on_batch(images)))
            answers.append(outputs.argmax(axis=1))
            labels.append(_labels(np.asarray(targets)))
        matrix = confusion_matrix(
            labels=np.concatenate(labels), predictions=np.concatenate(answers), num_classes=count
        )
        return {"confusion": matrix.astype(np.uint32)}


def _chosen_image(dataset: ImageDataset) -> tuple[str, int]:
    """Return a split that has images, and the index of its first one."""
    for split in ("validation", "test", "train"):
        if len(indices := dataset.select(split)):
            return split, int(indices[0])
    raise UsageError("There are no images.")


def _steps(model: Any) -> list[Step]:
    """Return the graph of a model; nothing if it has none, as some models of own files."""
    try:
        return steps_of(model)
    except UsageError:
        return []


def _after(steps: Sequence[Step], place: int) -> int:
    """Return the step after the normalisation and activation that follow a convolution."""
    while True:
        followers = [number for number, step in enumerate(steps) if place in step.inputs]
        if len(followers) != 1 or is_convolution(steps[followers[0]]):
            return place
        step = steps[followers[0]]
        if len(step.inputs) != 1 or step.shape != steps[place].shape:
            return place
        place = followers[0]


def _numbers(tensor: Any) -> NDArray:
    # Finite ones, because a page cannot say infinity.
    return np.nan_to_num(np.asarray(tensor).astype(np.float32))


def _labels(targets: NDArray) -> NDArray:
    """Return integers for one-hot rows, or for the targets of one sigmoid unit."""
    flat = targets.reshape(len(targets), -1)
    return flat.argmax(axis=1) if flat.shape[1] > 1 else flat[:, 0].astype(np.int64)


def smaller_maps(maps: NDArray) -> NDArray:
    """Return maps (height, width, channels) with at most 48 rows and columns.

    Larger ones are averaged over squares; rows and columns that are no whole square are left out.

    >>> smaller_maps(np.arange(49.0 * 49).reshape(49, 49, 1)).shape
    (24, 24, 1)
    """
    height, width, channels = maps.shape
    side = -(-max(height, width) // _MOST_SIDE)
    # A map that is thinner than a square stays as it is in this direction.
    down, across = min(side, height), min(side, width)
    rows, columns = height // down, width // across
    cut = maps[: rows * down, : columns * across]
    return cut.reshape(rows, down, columns, across, channels).mean(axis=(1, 3))

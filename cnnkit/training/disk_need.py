"""How much room a training takes on disk, and whether there is as much."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from cnnkit.data.cache.folder import cache_folder
from cnnkit.explore.summary_text import FLOAT32_BYTES
from cnnkit.text import size_text
from cnnkit.training.backbone_features import split_model
from cnnkit.training.plan import Plan

# Copies of the weights: best and last, the new files that replace them, and model.tflite.
_MODEL_FILES = 5
# In the backup: the weights, the best ones, and at most two numbers of the optimizer per weight;
# the new file is written next to the old one.
_BACKUP_COPIES = 2 * 4
_EXPORTS = 5  # `cnnkit export` writes a SavedModel, .keras, TFLite, ONNX and OpenVINO


@dataclass(frozen=True)
class DiskNeed:
    """The bytes that a training writes at most, and the places that it writes to.

    Args:
        run: into the run folder, all exports included. The pixels are in the cache already.
        features: of frozen backbones, into the cache.
        runs_folder: where the run folder will be.
    """

    run: int
    features: int
    runs_folder: Path

    def text(self) -> str:
        """Return the expected sizes in words."""
        features = f", {size_text(self.features)} of features" if self.features else ""
        free = size_text(_free(self.runs_folder))
        return f"up to {size_text(self.run)} in the run folder{features} ({free} free)"

    def warning(self) -> str:
        """Return a sentence if a disk is too full, otherwise an empty text."""
        # On one disk, both have to fit.
        folder = cache_folder()
        both = self.run + self.features
        needs = {self.runs_folder: both if _same_disk(self.runs_folder, folder) else self.run}
        if self.features:
            needs.setdefault(folder, self.features)
        for place, need in needs.items():
            if need > (free := _free(place)):
                return (
                    f"The disk of {place} may be too small: this training writes up to "
                    f"{size_text(need)}, and {size_text(free)} are free."
                )
        return ""


def disk_need(plan: Plan, runs_folder: Path) -> DiskNeed:
    """Return what a training will write."""
    weights = FLOAT32_BYTES * plan.model.count_params()
    run = (_MODEL_FILES + _BACKUP_COPIES + _EXPORTS) * weights
    return DiskNeed(run, _feature_bytes(plan), runs_folder)


def _feature_bytes(plan: Plan) -> int:
    if plan.config.data.cache not in ("auto", "disk"):
        return 0
    sizes = set()  # phases with the same features share them
    for planned in plan.phases:
        if planned.caches_features:
            extractor, _ = split_model(plan.model, before_output=planned.phase.is_probe)
            numbers = math.prod(extractor.output_shape[1:])
            sizes.add(FLOAT32_BYTES * numbers * planned.images.num_feature_images)
    return sum(sizes)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _free(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).free


def _same_disk(one: Path, other: Path) -> bool:
    return _existing(one).stat().st_dev == _existing(other).stat().st_dev

"""Grad-CAM of wrong answers: where the image speaks for the wrong class, not the right one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from cnnkit.errors import CnnkitError, ImageError
from cnnkit.evaluation.predictions import Predictions
from cnnkit.explanation.grad_cam import grad_cam
from cnnkit.explanation.gradients import ModelGradients
from cnnkit.explanation.map_layers import chosen_layer
from cnnkit.explanation.target import Target
from cnnkit.explore.features.model_graph import check_finite
from cnnkit.explore.features.opened_model import Opened, find_model
from cnnkit.plots.heat_overlay import heat_overlay
from cnnkit.prediction import pixels_of
from cnnkit.progress import Report
from cnnkit.report.report_images import SIDE, ReportImages, data_address
from cnnkit.runs import Run
from cnnkit.text import quoted


def error_maps(
    run: Run,
    predictions: Predictions,
    positions: Sequence[int],
    images: ReportImages,
    report: Report,
) -> tuple[dict[str, str], str]:
    """Return (path -> `src` of a picture, why there are none).

    Args:
        run: with the weights.
        predictions: the answers.
        positions: of the wrong answers.
        images: loaded; those that cannot be shown have no map either.
        report: shows the progress.
    """
    there = [index for index in positions if images[predictions.paths[index]].source]
    if not there:
        return {}, ""
    maps: dict[str, str] = {}
    try:
        # Loading it imports TensorFlow, which takes seconds.
        opened = find_model(str(run.folder), run.folder.parent, lambda text: None).load()
        with report.counting("explaining errors") as progress:
            for done, index in enumerate(there, start=1):
                path = predictions.paths[index]
                target = Target(int(predictions.predicted[index]), int(predictions.labels[index]))
                try:
                    if picture := _picture(opened, path, target, images):
                        maps[path] = picture
                except ImageError:  # the page says so where the image would be
                    continue
                progress(done, len(there))
    except (
        CnnkitError
    ) as error:  # a module of TensorFlow Hub, for example, has no layers to look at
        hint = f"cnnkit explain --errors --method occlusion --model {quoted(run.folder)}"
        reason = str(error).partition(". ")[0]  # what follows is about options of `explain`
        return {}, f"Grad-CAM is not possible here: {reason}. Instead: {hint}"
    return maps, "" if maps else "Grad-CAM is 0 everywhere in each of these images."


def fold_error_maps(
    folds: Sequence[Run],
    predictions: Predictions,
    positions: Sequence[int],
    images: ReportImages,
    report: Report,
) -> tuple[dict[str, str], str]:
    """Return the same for a cross-validation: each error is explained by the model that made it."""
    maps: dict[str, str] = {}
    for run in folds:
        tested = {row["path"] for row in run.read_split() if row["split"] == "test"}
        own = [index for index in positions if predictions.paths[index] in tested]
        found, why_none = error_maps(run, predictions, own, images, report)
        maps |= found
    return maps, "" if maps else why_none


def _picture(opened: Opened, path: str, target: Target, images: ReportImages) -> str:
    """Return the `src` of a picture of the map; empty if the map is 0 everywhere."""
    pixels = pixels_of(images.find(path), opened.info.pixels)
    layer = chosen_layer(opened.steps, None)
    heat = grad_cam(*ModelGradients(opened.steps).of_layer(pixels, target, layer))
    check_finite(heat, opened.steps[layer].name)
    if not heat.any():
        return ""
    overlay = Image.fromarray(heat_overlay(pixels, heat))
    overlay.thumbnail((SIDE, SIDE))
    return data_address(np.asarray(overlay))

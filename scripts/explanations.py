"""Score the methods of `cnnkit explain` on test images of runs, next to maps that know no model.

    python scripts/explanations.py runs/photos --images 20

Prints a table in Markdown per run: deletion and insertion (see cnnkit/explanation/faithfulness.py),
for how many images the map is better than the best of three maps that are made without the model,
the p-value of that (Wilcoxon's signed-rank test), and the processor time per image, of all cores.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

from cnnkit.config import load_config
from cnnkit.data.pixels import read_pixels
from cnnkit.data.scored_images import run_images
from cnnkit.explanation.faithfulness import deletion_and_insertion
from cnnkit.explanation.gradients import ModelGradients
from cnnkit.explanation.methods import METHODS, heat_map
from cnnkit.explanation.target import Target
from cnnkit.explore.features.opened_model import find_model
from cnnkit.runs import find_run
from cnnkit.runtimes import load_predictor


def random_map(image, random):
    return random.random(image.shape[:2])


def edges(image, random):
    return np.hypot(*np.gradient(image.mean(axis=2)))


def centre(image, random):
    """Return a map that is largest in the middle of the image, where photographers put things."""
    rows, columns = (np.abs(np.linspace(-1, 1, side)) for side in image.shape[:2])
    return -np.hypot(rows[:, None], columns[None])


BASELINES = {"random": random_map, "edges": edges, "centre": centre}


def test_pixels(run, settings, number):
    """Return the pixels of test images, chosen by chance."""
    records = run_images(run.read_split(), "test", load_config(run.config).data)
    order = np.random.default_rng(0).permutation(len(records))[:number]
    return [read_pixels(records[each].file, settings) for each in order]


def table(run, number, methods):
    """Yield the lines of a table in Markdown, each when it is measured."""
    predictor = load_predictor(run.folder, run.folder.parent)
    opened = find_model(str(run.folder), run.folder.parent, lambda text: None).load()
    gradients = ModelGradients(opened.steps)
    images = test_pixels(run, predictor.info.pixels, number)
    targets = [Target(int(predictor(image[None])[0].argmax())) for image in images]

    def scored(make):
        """Return (deletion and insertion of each image, seconds of processor time per image)."""
        start = time.process_time()
        maps = [make(image, target) for image, target in zip(images, targets, strict=True)]
        seconds = (time.process_time() - start) / len(images)
        pairs = [
            deletion_and_insertion(lambda many, t=target: predictor(many)[:, t.label], image, heat)
            for image, target, heat in zip(images, targets, maps, strict=True)
        ]
        return np.array(pairs), seconds

    random = np.random.default_rng(0)
    baselines = {
        name: scored(lambda image, target, make=make: make(image, random))[0]
        for name, make in BASELINES.items()
    }
    best = max(BASELINES, key=lambda name: _gaps(baselines[name]).mean())
    yield f"| map | deletion | insertion | better than {best} | p | ms |"
    yield "|---|---|---|---|---|---|"
    for name, pairs in baselines.items():
        yield f"{_means(name, pairs)} | | |"
    for method in methods:

        def make(image, target, method=method):
            return heat_map(
                method, image, target, probabilities_of=predictor, gradients=gradients
            ).values

        if method != "integrated-gradients":
            make(images[0], targets[0])  # the first call is slower
        pairs, seconds = scored(make)
        better = _gaps(pairs) - _gaps(baselines[best])
        p = wilcoxon(better, alternative="greater").pvalue if better.any() else 1
        counts = f"{(better > 0).sum()} of {len(better)}"
        yield f"{_means(method, pairs)} {counts} | {p:.2g} | {1000 * seconds:.0f} |"


def _gaps(pairs):
    return pairs[:, 1] - pairs[:, 0]


def _means(name, pairs):
    deletion, insertion = pairs.mean(axis=0)
    return f"| {name} | {deletion:.3f} | {insertion:.3f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    options = parser.parse_args()
    for folder in options.runs:
        print(f"\n{folder.name}, {options.images} test images\n", flush=True)
        run = find_run(str(folder), folder.parent)
        for line in table(run, options.images, options.methods):
            print(line, flush=True)


if __name__ == "__main__":
    main()

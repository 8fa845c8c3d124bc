"""Score the methods of `cnnkit explain` on test images of runs, next to maps that know no model.

    python scripts/explanations.py runs/photos --images 20

Prints a table in Markdown per run: deletion and insertion (see cnnkit/explanation/faithfulness.py),
for how many images the map is better than the best of three maps that are made without the model,
the p-value of that (Wilcoxon's signed-rank test), and the time per image on one processor core.
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


def scores(run, number, methods):
    """Return {name: (deletion and insertion of each image, seconds per image)}."""
    predictor = load_predictor(run.folder, run.folder.parent)
    steps = find_model(str(run.folder), run.folder.parent, lambda text: None).load().steps
    images = test_pixels(run, predictor.info.pixels, number)
    targets = [Target(int(predictor(image[None])[0].argmax())) for image in images]
    random = np.random.default_rng(0)
    makers = {
        name: lambda image, target, make=make: make(image, random)
        for name, make in BASELINES.items()
    }
    for method in methods:
        makers[method] = lambda image, target, method=method: (
            heat_map(method, image, target, probabilities_of=predictor, steps=steps).values
        )
        makers[method](images[0], targets[0])  # the first call is slower
    found = {}
    for name, make in makers.items():
        start = time.process_time()
        maps = [make(image, target) for image, target in zip(images, targets, strict=True)]
        seconds = (time.process_time() - start) / len(images)
        pairs = [
            deletion_and_insertion(lambda many, t=target: predictor(many)[:, t.label], image, heat)
            for image, target, heat in zip(images, targets, maps, strict=True)
        ]
        found[name] = np.array(pairs), seconds
        print(f"<!-- {name}: {pairs} -->", flush=True)
    return found


def table(found):
    """Return the lines of a table in Markdown."""
    gaps = {name: pairs[:, 1] - pairs[:, 0] for name, (pairs, _) in found.items()}
    best = max(BASELINES, key=lambda name: gaps[name].mean())
    yield f"| map | deletion | insertion | better than {best} | p | ms |"
    yield "|---|---|---|---|---|---|"
    for name, (pairs, seconds) in found.items():
        deletion, insertion = pairs.mean(axis=0)
        row = f"| {name} | {deletion:.3f} | {insertion:.3f} |"
        if name in BASELINES:
            yield f"{row} | | |"
            continue
        better = gaps[name] - gaps[best]
        p = wilcoxon(better, alternative="greater").pvalue if better.any() else 1
        yield f"{row} {(better > 0).sum()} of {len(better)} | {p:.2g} | {1000 * seconds:.0f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    options = parser.parse_args()
    for folder in options.runs:
        print(f"\n{folder.name}, {options.images} test images\n", flush=True)
        print(
            "\n".join(
                table(scores(find_run(str(folder), folder.parent), options.images, options.methods))
            )
        )


if __name__ == "__main__":
    main()

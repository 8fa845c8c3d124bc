"""Train a config with several seeds, and print a markdown table of the accuracies.

    python scripts/train_and_score.py configs/digits_lenet5.yaml --seeds 0 1 2

For each seed there is one `cnnkit train`, timed as a whole process. The data and its split are the
same for all seeds; only `training.seed` changes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from cnnkit.runtimes import load_predictor


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--split", default="test", choices=["validation", "test"])
    parser.add_argument("--runs-folder", type=Path, help="as for cnnkit train")
    arguments = parser.parse_args()
    trainings = [trained(arguments, seed) for seed in arguments.seeds]
    print(table(arguments.config, arguments.split, trainings))


def trained(arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train with one seed and return run.json, with the minutes that the whole command took.

    `cpu_seconds` is the time that the processors worked for it, which other programs disturb less.
    """
    command = [str(Path(sys.executable).with_name("cnnkit")), "train", str(arguments.config)]
    command += ["--seed", str(seed), "--json"]
    for override in arguments.overrides:
        command += ["--set", override]
    if arguments.runs_folder:
        command += ["--runs-folder", str(arguments.runs_folder)]
    begin, before = time.perf_counter(), os.times()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    minutes, after = (time.perf_counter() - begin) / 60, os.times()
    cpu_seconds = sum(after[2:4]) - sum(before[2:4])  # of child processes: user and system
    if done.returncode:
        sys.exit(done.returncode)
    info = json.loads(done.stdout)
    if arguments.split not in info["metrics"]:
        sys.exit(f"{info['run']} has no {arguments.split} images to score.")
    return {**info, "minutes": minutes, "cpu_seconds": cpu_seconds}


def model_costs(run: Path) -> dict[str, float]:
    """Return the size of a run's model.tflite, and its median time for one decoded image."""
    file = run / "model.tflite"
    predictor = load_predictor(file, run.parent)
    pixels = np.zeros((1, *predictor.info.pixels.shape), np.uint8)
    seconds = []
    for _ in range(30):
        begin = time.perf_counter()
        predictor(pixels)
        seconds.append(time.perf_counter() - begin)
    return {"megabytes": file.stat().st_size / 1e6, "milliseconds": 1000 * median(seconds)}


def table(config: Path, split: str, trainings: list[dict[str, Any]]) -> str:
    """Return the header and the row: accuracy of each seed, their mean and range, minutes."""
    accuracies = [info["metrics"][split]["accuracy"] for info in trainings]
    seeds = ", ".join(str(info["seed"]) for info in trainings)
    number = trainings[0]["metrics"][split]["num_images"]
    cells = [
        config.name,
        ", ".join(f"{value:.4f}" for value in accuracies),
        f"{mean(accuracies):.4f}",
        f"{max(accuracies) - min(accuracies):.4f}",
        f"{median(info['minutes'] for info in trainings):.1f}",
        f"{trainings[0]['parameters']:,}",
    ]
    header = [
        "config",
        f"{split} accuracy, seeds {seeds} ({number} images)",
        *("mean", "largest - smallest", "minutes", "parameters"),
    ]
    rows = [header, ["---"] * len(header), cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()

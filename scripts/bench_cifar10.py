"""Compare trainings of CIFAR-10 from scratch: time, accuracy and images/s, next to rivals by hand.

    python scripts/bench_cifar10.py cifar10/train --torch ~/torch/bin/python

The folder holds the 50,000 training images in class folders. 5,000 of them, chosen by
`data.split: {test: 0.1, seed: 0}`, are held out and scored with the last weights. The rivals take
turns, each in its own process:

- the network of the TensorFlow tutorial (configs/cifar10_cnn.yaml) with a bare `fit`: 10 epochs,
  batches of 32, arrays in memory, no augmentation;
- `cnnkit train configs/cifar10_fast.yaml`, whole commands, first with an empty cache;
- steps of the network of configs/cifar10_fast.yaml by hand in Keras and in PyTorch (channels_last;
  --torch names the Python of an environment that has it), and an epoch of cnnkit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

SCRIPTS = Path(__file__).resolve().parent
CONFIGS = SCRIPTS.parent / "configs"
STEPS = 150
SPLIT = "data.split={validation: 0, test: 0.1, seed: 0}"


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", type=Path, help="the training images, in class folders")
    parser.add_argument("--torch", default=None, metavar="PYTHON", help="with torch installed")
    parser.add_argument("--rounds", type=int, default=2, help="by default 2")
    parser.add_argument("--configs", nargs="+", default=["cifar10_fast"], metavar="NAME")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        arrays = written_arrays(arguments.images.resolve(), work / "arrays.npz")
        rounds = [
            one_round(arguments, arrays, work / f"round{number}")
            for number in range(arguments.rounds)
        ]
    print(trainings_table([one["trainings"] for one in rounds]))
    print(speeds_table([one["speeds"] for one in rounds]))


def written_arrays(images: Path, output: Path) -> Path:
    """Write the images that are trained on and those that are held out."""
    from cnnkit.config import config_from_dict
    from cnnkit.data.dataset import load_dataset

    section = {
        "source": str(images),
        "image_size": 32,
        "split": {"validation": 0, "test": 0.1, "seed": 0},
    }
    dataset = load_dataset(
        config_from_dict({"data": section, "model": {"layers": ["flatten"]}}).data
    )
    arrays = {}
    for split in ("train", "test"):
        indices = dataset.select(split)
        arrays[f"{split}_images"] = dataset.pixels(indices)
        arrays[f"{split}_labels"] = dataset.labels[indices]
    # The order of files is by class, which a hand-written loop does not shuffle.
    order = np.random.default_rng(0).permutation(len(arrays["train_labels"]))
    arrays |= {name: arrays[name][order] for name in ("train_images", "train_labels")}
    np.savez(output, **arrays)
    return output


def one_round(arguments: argparse.Namespace, arrays: Path, folder: Path) -> dict[str, Any]:
    """Run every rival once, and return what each of them printed."""
    trainings = {"tutorial, Keras by hand": by_hand(sys.executable, arrays, "tutorial", 10)}
    for name in arguments.configs:
        trainings[name] = by_cnnkit(name, arguments.images.resolve(), folder)
    speeds = {"Keras by hand": by_hand(sys.executable, arrays, "keras", STEPS)}
    speeds["cnnkit"] = trainings[arguments.configs[0]]
    if arguments.torch:
        speeds["PyTorch by hand"] = by_hand(arguments.torch, arrays, "torch", STEPS)
    return {"trainings": trainings, "speeds": speeds}


def by_hand(python: str, arrays: Path, kind: str, number: int) -> dict[str, Any]:
    """Run scripts/contestants/train_arrays.py."""
    script = SCRIPTS / "contestants" / "train_arrays.py"
    facts, seconds = timed([python, str(script), str(arrays), kind, str(number)])
    return {**facts, "command_seconds": seconds}


def by_cnnkit(name: str, images: Path, folder: Path) -> dict[str, Any]:
    """Train a shipped config twice, with an empty and with a filled cache."""
    command = [sys.executable, "-m", "cnnkit", "train", str(CONFIGS / f"{name}.yaml"), "--json"]
    command += ["--runs-folder", str(folder / "runs"), "--set", f"data.source={images}"]
    command += ["--set", SPLIT, "--set", "training.monitor=train_loss"]
    cache = {"CNNKIT_CACHE": str(folder / f"cache-{name}")}
    _, first_seconds = timed(command, cache)
    info, seconds = timed(command, cache)
    epochs = json_rows(Path(info["run"]) / "history.csv")
    number = sum(info["data"]["counts"]["train"].values())
    return {
        "accuracy": info["metrics"]["test"]["accuracy"],
        "seconds": sum(epochs),
        "command_seconds": seconds,
        "first_command_seconds": first_seconds,
        # Without the first epoch, in which TensorFlow builds its graphs.
        "images_per_second": number * (len(epochs) - 1) / sum(epochs[1:]),
        "parameters": info["parameters"],
    }


def json_rows(history: Path) -> list[float]:
    """Return the seconds of each epoch."""
    table = np.genfromtxt(history, delimiter=",", names=True)
    return [float(value) for value in np.atleast_1d(table["seconds"])]


def timed(command: list[str], environment: dict[str, str] | None = None) -> tuple[Any, float]:
    """Run a command, and return the JSON that it printed, and its seconds."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {done.returncode}.")
    return json.loads(done.stdout), seconds


def trainings_table(rounds: list[dict[str, Any]]) -> str:
    """Return the accuracies and seconds, and their ratio to the tutorial's of the same round."""
    lines = [
        "| training | parameters | accuracy | seconds of training | / tutorial | whole command, s "
        "| first time, s |",
        "|---|---|---|---|---|---|---|",
    ]
    base = [next(iter(one.values())) for one in rounds]
    for name in rounds[0]:
        rows = [one[name] for one in rounds]
        accuracies = ", ".join(f"{row['accuracy']:.4f}" for row in rows)
        ratio = median(r["seconds"] / b["seconds"] for r, b in zip(rows, base, strict=True))
        seconds, command = (
            f"{median(row[key] for row in rows):.0f}" for key in ("seconds", "command_seconds")
        )
        first = [row["first_command_seconds"] for row in rows if "first_command_seconds" in row]
        cells = [
            name,
            f"{rows[0]['parameters']:,}",
            accuracies,
            seconds,
            f"{ratio:.2f}",
            command,
            f"{median(first):.0f}" if first else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def speeds_table(rounds: list[dict[str, Any]]) -> str:
    """Return the images/s of the same network."""
    lines = ["| network of cifar10_fast | images/s | cnnkit / this |", "|---|---|---|"]
    ours = [one["cnnkit"]["images_per_second"] for one in rounds]
    for name in rounds[0]:
        theirs = [one[name]["images_per_second"] for one in rounds]
        ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
        lines.append(f"| {name} | {median(theirs):.0f} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

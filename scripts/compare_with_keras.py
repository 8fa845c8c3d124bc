"""Compare the accuracies of a config with those of a plain Keras network.

    python scripts/compare_with_keras.py configs/sign_digits.yaml --baseline-size 64 64

For each seed there is one `cnnkit train`, and one scripts/contestants/train_baseline.py for each
number in --baseline-epochs, all timed as whole processes. They get the same images in the same
split. More epochs than the usual 20 show what the plain network does with the time that the config
takes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from train_and_score import trained

from cnnkit.config import load_config
from cnnkit.data.dataset import load_dataset

_BASELINE = Path(__file__).resolve().parent / "contestants" / "train_baseline.py"


def main() -> None:
    """Train both in turns and print the table."""
    arguments = _arguments()
    config = load_config(arguments.config, arguments.overrides)
    ours: list[dict[str, Any]] = []
    theirs: dict[int, list[dict[str, Any]]] = {epochs: [] for epochs in arguments.baseline_epochs}
    with tempfile.TemporaryDirectory() as work:
        arguments.runs_folder = arguments.runs_folder or Path(work) / "runs"
        write_splits(config.data, Path(work) / "images")
        for seed in arguments.seeds:
            ours.append(trained(arguments, seed))
            for epochs, trainings in theirs.items():
                words = [*arguments.baseline_size, config.data.color_mode, seed, epochs]
                trainings.append(baseline(Path(work) / "images", *words))
    print(table(arguments, ours, theirs))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument(
        "--baseline-size",
        type=int,
        nargs=2,
        required=True,
        metavar=("HEIGHT", "WIDTH"),
        help="image size of the plain network, in pixels",
    )
    parser.add_argument(
        "--baseline-epochs", type=int, nargs="+", default=[20], metavar="N", help="default: 20"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--split", default="test", choices=["validation", "test"])
    parser.add_argument(
        "--runs-folder",
        type=Path,
        help="where to keep the runs of cnnkit; by default they are removed",
    )
    return parser.parse_args()


def write_splits(data_config: Any, folder: Path) -> None:
    """Copy the image files to folder/split/class/name, unchanged."""
    dataset = load_dataset(data_config)
    for number, sample in enumerate(dataset.samples):
        path = folder / sample.split / dataset.class_names[sample.label]
        path.mkdir(parents=True, exist_ok=True)
        suffix = Path(sample.path).suffix.lower()
        (path / f"{number:06d}{suffix}").write_bytes(sample.file.read_bytes())


def baseline(images: Path, *settings: object) -> dict[str, Any]:
    """Train the plain network and return its metrics, with the minutes of the whole process.

    Args:
        images: the folder of the splits.
        settings: height, width, color_mode, seed and epochs.
    """
    command = [sys.executable, str(_BASELINE), str(images), *map(str, settings)]
    begin = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    minutes = (time.perf_counter() - begin) / 60
    if done.returncode:
        sys.exit(done.returncode)
    return {**json.loads(done.stdout.splitlines()[-1]), "minutes": minutes}


def table(
    arguments: argparse.Namespace,
    ours: list[dict[str, Any]],
    theirs: dict[int, list[dict[str, Any]]],
) -> str:
    """Return a markdown table: accuracy of each seed, mean, range, minutes, parameters."""
    seeds = ", ".join(map(str, arguments.seeds))
    header = ["training", f"{arguments.split} accuracy, seeds {seeds}", "mean"]
    header += ["largest - smallest", "minutes", "parameters"]
    height, width = arguments.baseline_size
    rows = [header, ["---"] * len(header)]
    rows.append(_cells(arguments.config.name, arguments.split, ours))
    for epochs, trainings in theirs.items():
        name = f"plain Keras network, {height} x {width}, {epochs} epochs"
        rows.append(_cells(name, arguments.split, trainings))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(name: str, split: str, trainings: list[dict[str, Any]]) -> list[str]:
    accuracies = [training["metrics"][split]["accuracy"] for training in trainings]
    return [
        name,
        ", ".join(f"{value:.4f}" for value in accuracies),
        f"{mean(accuracies):.4f}",
        f"{max(accuracies) - min(accuracies):.4f}",
        f"{mean(training['minutes'] for training in trainings):.2f}",
        f"{trainings[0]['parameters']:,}",
    ]


if __name__ == "__main__":
    main()

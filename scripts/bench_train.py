"""Measure how many images per second cnnkit and hand-written Keras code train on.

    python scripts/bench_train.py --photos FOLDER --images 2000 --epochs 4 --repeats 3

JPEGs of about 500 x 375 in two classes are cut out of the photographs, or drawn if there are none.
Three trainings on them take turns, each in its own process: `cnnkit` with
configs/dogs_vs_cats.yaml, `image_dataset_from_directory` + `fit` of the same network, and the same
with `.cache()`. All use four fifths for training and one fifth for validation, batches of 32, no
XLA, and the same determinism and augmentation. cnnkit starts with an empty cache, so its first
epoch includes decoding and packing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from photographs import write_two_classes

SCRIPTS = Path(__file__).resolve().parent
CONFIG = SCRIPTS.parent / "configs" / "dogs_vs_cats.yaml"
OURS, KERAS, CACHED = "cnnkit", "Keras by hand", "Keras by hand, .cache()"
TARGET = 0.95


@dataclass(frozen=True)
class Training:
    """What one process achieved.

    Args:
        whole: images/s from the first line after the imports to the end of the last epoch.
        later: images/s of all epochs but the first.
        peak_megabytes: largest resident memory, including mapped pages of files.
        parameters: of the model.
    """

    whole: float
    later: float
    peak_megabytes: float
    parameters: int


def main() -> None:
    """Measure and print a table."""
    arguments = _arguments()
    results: dict[str, list[Training]] = {OURS: [], KERAS: [], CACHED: []}
    with tempfile.TemporaryDirectory() as work:
        images = Path(work) / "images"
        write_two_classes(images, arguments.images, arguments.photos)
        for repeat in range(arguments.repeats):
            for name, trainings in results.items():
                command = _command(name, arguments, images, Path(work) / f"runs{repeat}")
                trainings.append(measured(command, Path(work) / f"cache{repeat}"))
                print(f"{name}: {trainings[-1]}", file=sys.stderr)
    if len({training.parameters for trainings in results.values() for training in trainings}) > 1:
        sys.exit("The models have different numbers of parameters, so they cannot be compared.")
    print(table(results, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, help="a folder of photographs to cut images out of")
    parser.add_argument("--images", type=int, default=2000, help="by default 2000")
    parser.add_argument("--epochs", type=int, default=4, help="at least 2, by default 4")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, by default 3")
    for name, text in (
        ("augmentation", "that of the config for all three (default), or none"),
        ("deterministic", "results that repeat bit for bit, for all three (default), or not"),
    ):
        parser.add_argument(
            f"--{name}", action=argparse.BooleanOptionalAction, default=True, help=text
        )
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        parser.error("--epochs must be at least 2: the later epochs are compared with the first.")
    return arguments


def _command(name: str, arguments: argparse.Namespace, images: Path, runs: Path) -> list[str]:
    if name == OURS:
        overrides = [
            f"data.source={images}",
            "data.split={validation: 0.2, test: 0, seed: 0}",
            f"training.epochs={arguments.epochs}",
            "training.early_stopping=null",
            f"training.deterministic={str(arguments.deterministic).lower()}",
            *([] if arguments.augmentation else ["augmentation=[]"]),
        ]
        return ["train_cnnkit.py", str(CONFIG), str(runs), *overrides]
    options = {
        "cache": name == CACHED,
        "augmentation": arguments.augmentation,
        "deterministic": arguments.deterministic,
    }
    chosen = [option for option, wanted in options.items() if wanted]
    return ["train_keras.py", str(images), str(arguments.epochs), *chosen]


def measured(command: list[str], cache: Path) -> Training:
    """Run one training in its own process and return what it achieved."""
    script, *words = command
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPTS / "contestants" / script), *words],
            stdout=output,
            env={**os.environ, "CNNKIT_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{script} ended with exit code {process.returncode}.")
        output.seek(0)
        facts = json.loads(output.read().splitlines()[-1])
    ends, number = facts["epoch_ends"], facts["num_images"]
    per_megabyte = 1e6 if sys.platform == "darwin" else 1e3
    return Training(
        whole=number * len(ends) / ends[-1],
        later=number * (len(ends) - 1) / (ends[-1] - ends[0]),
        peak_megabytes=usage.ru_maxrss / per_megabyte,
        parameters=facts["parameters"],
    )


def table(results: dict[str, list[Training]], arguments: argparse.Namespace) -> str:
    """Return a markdown table of the medians, and of cnnkit's ratio to each training per round."""
    lines = [
        "| training | images/s, whole | later epochs | peak MB | cnnkit / this, whole | later |",
        "|---|---|---|---|---|---|",
    ]
    for name, trainings in results.items():
        numbers = [
            median(getattr(t, column) for t in trainings)
            for column in ("whole", "later", "peak_megabytes")
        ]
        whole, later = (median_ratio(results[OURS], trainings, c) for c in ("whole", "later"))
        shown = " | ".join(f"{number:.0f}" for number in numbers)
        lines.append(f"| {name} | {shown} | {whole:.3f} | {later:.3f} |")
    settings = ", ".join(
        f"{name} {'on' if getattr(arguments, name) else 'off'}"
        for name in ("augmentation", "deterministic")
    )
    photos = "cut out of photographs" if arguments.photos else "drawn"
    ratio = median_ratio(results[OURS], results[KERAS], "whole")
    lines += [
        "",
        f"{arguments.images} images ({photos}, four fifths for training), "
        f"{arguments.epochs} epochs, {arguments.repeats} rounds, {settings}, XLA off, "
        f"{os.cpu_count()} cores. Ratio to Keras by hand: {ratio:.3f} (wanted: at least {TARGET}).",
    ]
    return "\n".join(lines)


def median_ratio(ours: list[Training], theirs: list[Training], column: str) -> float:
    """Return the median over the rounds of the ratio of images/s."""
    pairs = zip(ours, theirs, strict=True)
    return median(getattr(mine, column) / getattr(other, column) for mine, other in pairs)


if __name__ == "__main__":
    main()

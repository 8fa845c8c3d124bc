"""Measure the wall time of a cold `cnnkit predict`, and that of plain scripts with the same answer.

    python scripts/bench_predict.py runs/digits_lenet5 photo.jpg --repeats 5

Each time is that of a whole process. Every round runs `cnnkit predict`, a script that imports
TensorFlow and loads weights/best.keras, and a script that runs model.tflite on bare LiteRT. All
answers must agree. The first round warms the disk cache and is not counted.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from cnnkit.config import load_config
from cnnkit.runs import Run

CONTESTANTS = Path(__file__).resolve().parent / "contestants"
MAX_DIFFERENCE = 1e-4
TARGET = 1 / 10  # of the time of the script that imports TensorFlow


def main() -> None:
    """Measure and print a table; exit with 1 if answers differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="a finished run folder")
    parser.add_argument("image", type=Path, metavar="IMAGE", help="RGB or grey, no transparency")
    parser.add_argument(
        "--repeats", type=int, default=5, help="number of counted rounds, by default 5"
    )
    arguments = parser.parse_args()
    run = Run(arguments.run)
    commands = command_lines(run, arguments.image)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(arguments.repeats + 1):
        answers = {}
        for name, command in commands.items():
            seconds, text = timed(command)
            answers[name] = probabilities(text, run)
            if round_number:
                times[name].append(seconds)
        check_agreement(answers)
    print(table(times))


def command_lines(run: Run, image: Path) -> dict[str, list[str]]:
    """Return the command of each contestant."""
    data = load_config(run.config).data
    if data.resize != "stretch":
        sys.exit(
            f"{run.folder} has data.resize: {data.resize}, but the plain scripts only stretch. "
            "Give another run."
        )
    mode = "RGB" if data.color_mode == "rgb" else "L"
    facts = [str(image), *map(str, data.image_size), mode]
    python, cnnkit = sys.executable, str(Path(sys.executable).with_name("cnnkit"))
    return {
        "cnnkit predict": [
            *(cnnkit, "predict", str(image), "--model", str(run.folder), "--format", "csv")
        ],
        "TensorFlow and .keras": [
            *(python, str(CONTESTANTS / "predict_keras.py"), str(run.best), *facts)
        ],
        "bare LiteRT": [*(python, str(CONTESTANTS / "predict_litert.py"), str(run.tflite), *facts)],
    }


def timed(command: list[str]) -> tuple[float, str]:
    """Run a command and return the seconds of the whole process and its stdout."""
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {done.returncode}:\n{done.stderr}")
    return seconds, done.stdout


def probabilities(text: str, run: Run) -> np.ndarray:
    """Read the probability of every class from cnnkit's CSV or from a plain script's JSON."""
    if text.startswith("path,"):
        row = next(csv.DictReader(io.StringIO(text)))
        return np.array([float(row[f"p_{name}"]) for name in run.class_names()])
    values = np.array(json.loads(text))
    return np.array([1 - values[0], values[0]]) if len(values) == 1 else values


def check_agreement(answers: dict[str, np.ndarray]) -> None:
    """Exit if two answers differ by more than the limit."""
    for name, answer in answers.items():
        difference = np.abs(answer - answers["cnnkit predict"]).max()
        if not difference < MAX_DIFFERENCE:
            sys.exit(f"cnnkit predict and {name} differ by {difference:.1e}.")


def table(times: dict[str, list[float]]) -> str:
    """Return a markdown table of the medians, and of the ratios of the times of one round."""
    lines = [
        "| whole process, cold | median s | min | max | cnnkit / this |",
        "|---|---|---|---|---|",
    ]
    for name, seconds in times.items():
        ratio = median_ratio(times["cnnkit predict"], seconds)
        lines.append(
            f"| {name} | {median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} "
            f"| {ratio:.3f} |"
        )
    ratio = median_ratio(times["cnnkit predict"], times["TensorFlow and .keras"])
    lines += [
        "",
        f"cnnkit predict takes {ratio:.3f} of the TensorFlow script's time (median of "
        f"{len(times['cnnkit predict'])} pairs; wanted: at most {TARGET:g}). All answers agree "
        f"within {MAX_DIFFERENCE:g}.",
    ]
    return "\n".join(lines)


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median over the rounds of our time divided by the other's."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()

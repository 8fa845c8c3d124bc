"""Measure `cnnkit predict`: one image from a cold start, thousands of images, and the memory.

    python scripts/bench_predict.py RUN --image photo.jpg           whole processes
    python scripts/bench_predict.py RUN --bulk 5000 --photos FOLDER  images of about 500 x 375
    python scripts/bench_predict.py RUN --memory 50000

- image: `cnnkit predict`, a script that imports TensorFlow and loads weights/best.keras, and a
  script that runs model.tflite on bare LiteRT. All answers must agree.
- bulk: `cnnkit predict`, whole process, compared to its parts alone on all cores, and to
  `model.predict` over `image_dataset_from_directory`, without imports and loading.
- memory: the peak of `cnnkit predict` for that many files, and for 500.

Contestants take turns. The first round warms the disk cache and is not counted. Processor seconds
tell what a computer with nothing else to do would reach, also if this one is busy.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from photographs import write_two_classes

from cnnkit.config import load_config
from cnnkit.runs import Run

CONTESTANTS = Path(__file__).resolve().parent / "contestants"
MAX_DIFFERENCE = 1e-4
TARGET = 1 / 15  # of the time of the script that imports TensorFlow
FEW = 500
OURS = "cnnkit predict"


class Measured(NamedTuple):
    """One run of a contestant."""

    images: int
    seconds: float
    processor_seconds: float
    peak_mb: float = 0.0


def main() -> None:
    """Run the requested measurements and print their tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="a finished run folder")
    parser.add_argument("--image", type=Path, help="RGB or grey, no transparency")
    parser.add_argument("--bulk", type=int, metavar="N", help="number of images")
    parser.add_argument("--memory", type=int, metavar="N", help="number of files")
    parser.add_argument("--photos", type=Path, help="folder of photographs; without, drawn shapes")
    parser.add_argument(
        "--repeats", type=int, default=5, help="number of counted rounds, by default 5"
    )
    arguments = parser.parse_args()
    run = Run(arguments.run)
    if arguments.image:
        print(one_image(run, arguments.image, arguments.repeats))
    with tempfile.TemporaryDirectory() as work:
        if arguments.bulk:
            write_two_classes(Path(work, "photos"), arguments.bulk, arguments.photos)
            print(bulk(run, Path(work), arguments.repeats))
        if arguments.memory:
            write_two_classes(Path(work, "originals"), FEW, arguments.photos)
            print(memory(run, Path(work), arguments.memory))


def one_image(run: Run, image: Path, repeats: int) -> str:
    """Return a table of whole processes; exit if answers differ."""
    commands = command_lines(run, image)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(repeats + 1):
        answers = {}
        for name, command in commands.items():
            measured, text = timed(command)
            answers[name] = probabilities(text, run)
            if round_number:
                times[name].append(measured.seconds)
        check_agreement(answers)
    return table(times)


def command_lines(run: Run, image: Path) -> dict[str, list[str]]:
    """Return the command of each contestant for one image."""
    data = load_config(run.config).data
    if data.resize != "stretch":
        sys.exit(
            f"{run.folder} has data.resize: {data.resize}, but the plain scripts only stretch. "
            "Give another run."
        )
    mode = "RGB" if data.color_mode == "rgb" else "L"
    facts = [str(image), *map(str, data.image_size), mode]
    ours = predict_command(run, image)
    return {
        OURS: [*ours, "--format", "csv"],
        "TensorFlow and .keras": script("predict_keras.py", run.best, *facts),
        "bare LiteRT": script("predict_litert.py", run.tflite, *facts),
    }


def predict_command(run: Run, images: Path) -> list[str]:
    """Return the command line of `cnnkit predict`."""
    program = Path(sys.executable).with_name("cnnkit")
    return [str(program), "predict", str(images), "--model", str(run.folder)]


def script(name: str, *words: object) -> list[str]:
    """Return the command line of a plain script."""
    return [sys.executable, str(CONTESTANTS / name), *map(str, words)]


def timed(command: list[str], images: int = 1) -> tuple[Measured, str]:
    """Run a command; return what the whole process needed, and its stdout."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)} exited with {process.returncode}:\n{errors.read()}")
        processor = used.ru_utime + used.ru_stime
        return Measured(images, seconds, processor, used.ru_maxrss / 1024), output.read()


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
        difference = np.abs(answer - answers[OURS]).max()
        if not difference < MAX_DIFFERENCE:
            sys.exit(f"cnnkit predict and {name} differ by {difference:.1e}.")


def table(times: dict[str, list[float]]) -> str:
    """Return a markdown table of the medians, and of the ratios of the times of one round."""
    lines = [
        "| whole process, cold | median s | min | max | cnnkit / this |",
        "|---|---|---|---|---|",
    ]
    for name, seconds in times.items():
        ratio = median_ratio(times[OURS], seconds)
        lines.append(
            f"| {name} | {median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} "
            f"| {ratio:.3f} |"
        )
    ratio = median_ratio(times[OURS], times["TensorFlow and .keras"])
    lines += [
        "",
        f"cnnkit predict takes {ratio:.3f} of the TensorFlow script's time (median of "
        f"{len(times[OURS])} pairs; wanted: at most {TARGET:.3f}). All answers agree "
        f"within {MAX_DIFFERENCE:g}.",
    ]
    return "\n".join(lines)


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median over the rounds of our time divided by the other's."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def bulk(run: Run, work: Path, repeats: int) -> str:
    """Return a table of images/s, and how near cnnkit predict comes to its parts."""
    photos, output = work / "photos", work / "answers.csv"
    height, width = load_config(run.config).data.image_size
    ours = [*predict_command(run, photos), "--output", str(output), "--overwrite"]
    inner = {
        "decode alone": script("predict_pieces.py", run.folder, photos, "decode"),
        "infer alone": script("predict_pieces.py", run.folder, photos, "infer"),
        "decode and infer": script("predict_pieces.py", run.folder, photos, "both"),
        "model.predict": script("predict_directory.py", run.best, photos, height, width),
    }
    images = sum(path.is_file() for path in photos.rglob("*"))
    found: dict[str, list[Measured]] = {name: [] for name in (OURS, *inner)}
    for round_number in range(repeats + 1):
        measured = {OURS: timed(ours, images)[0]}
        for name, command in inner.items():
            measured[name] = Measured(**json.loads(timed(command)[1]))
        if round_number:
            for name, each in measured.items():
                found[name].append(each)
    return bulk_table(found)


def bulk_table(found: dict[str, list[Measured]]) -> str:
    """Return the rates of each contestant, and the ratios of one round."""
    cores = os.cpu_count() or 1
    lines = [
        f"| {found[OURS][0].images:,} images, {cores} cores | images/s | images/s of free cores |",
        "|---|---|---|",
    ]
    for name, each in found.items():
        wall = median(one.images / one.seconds for one in each)
        lines.append(f"| {name} | {wall:,.0f} | {free_rate(each):,.0f} |")
    parts = free_rate(found["decode alone"]), free_rate(found["infer alone"])
    shared = 1 / (1 / parts[0] + 1 / parts[1])
    ratios = {name: ratio(found[OURS], each) for name, each in found.items()}
    lines += [
        "",
        "Images/s of free cores: cores x images / processor seconds; ratios are medians of rounds.",
        f"Decoding and inference share the {cores} cores, so both together can be at most "
        f"{shared:,.0f} images/s, which is {shared / min(parts):.2f} of the slower part alone.",
        f"cnnkit predict, whole process: {free_rate(found[OURS]) / shared:.2f} of that bound, "
        f"{ratios['decode and infer'][0]:.2f} of decode and infer by the clock "
        f"({ratios['decode and infer'][1]:.2f} by the processor), "
        f"{ratios['decode alone'][0]:.2f} of decode alone, and "
        f"{ratios['model.predict'][0]:.2f} times model.predict over image_dataset_from_directory "
        f"({ratios['model.predict'][1]:.2f} by the processor; wanted: 1.5).",
    ]
    return "\n".join(lines)


def free_rate(measured: list[Measured]) -> float:
    """Return the images/s of this computer with nothing else to do."""
    cores = os.cpu_count() or 1
    return median(cores * one.images / one.processor_seconds for one in measured)


def ratio(ours: list[Measured], others: list[Measured]) -> tuple[float, float]:
    """Return how many times as fast we are, by the clock and by the processor."""
    pairs = list(zip(ours, others, strict=True))
    per_image: list[Callable[[Measured], float]] = [
        lambda one: one.seconds / one.images,
        lambda one: one.processor_seconds / one.images,
    ]
    clock, processor = (median(each(b) / each(a) for a, b in pairs) for each in per_image)
    return clock, processor


def memory(run: Run, work: Path, many: int) -> str:
    """Return the peak memory for many files and for few; the files are links to the same few."""
    originals = sorted((work / "originals").rglob("*.jpg"))
    peaks = {}
    for number in (FEW, many):
        folder = work / str(number)
        for index in range(number):
            link = folder / f"{index // 1000:03d}" / f"{index:06d}.jpg"
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(originals[index % len(originals)], link)
        command = [*predict_command(run, folder), "--output", str(work / f"{number}.csv")]
        peaks[number] = timed(command)[0].peak_mb
    few, most = peaks.values()
    return (
        f"Peak memory of cnnkit predict: {few:.0f} MB for {FEW} files, {most:.0f} MB for "
        f"{many:,} (wanted: at most 50 MB more)."
    )


if __name__ == "__main__":
    main()

"""Measure how fast cnnkit reads, checks, augments and lists images compared to other programs.

    python scripts/bench_data.py --photos FOLDER                   everything
    python scripts/bench_data.py --photos FOLDER --only reading    or another part

- reading: 4,000 JPEGs of about 500 x 375 and 200 of 12 megapixels, cut out of the photographs, to
  224 x 224, compared to TensorFlow. The first epoch of cnnkit lists, hashes, decodes and packs.
- checking: `cnnkit data check` on 8,000 images of 32 x 32, half of them PNG files, and half as many
  JPEGs as above, compared to a short script that hashes one image after another.
- augmentation: the chain of `scripts/bench_augmentation.py` at 160 pixels.
- listing: 100,000 files.
- memory: the peak memory of a training on 100,000 files, and on 1,000.

Every contestant runs in its own process, in turns, on files that are in the page cache; ratios are
medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from photographs import SMALL, TWELVE_MEGAPIXELS, write_two_classes
from PIL import Image

SCRIPTS = Path(__file__).resolve().parent
CONTESTANTS = SCRIPTS / "contestants"
OURS = "cnnkit"
READERS = {
    OURS: ["read_cnnkit.py"],
    "decode_jpeg + resize(antialias=True)": ["read_tensorflow.py", "antialias"],
    "image_dataset_from_directory (aliases)": ["read_tensorflow.py", "directory"],
}
IMAGE_SIZE = 224
TINY = (32, 32)  # width, height
MANY, FEW = 100_000, 1_000
NET = {"layers": [{"conv": {"filters": 4, "kernel_size": 3, "strides": 2}}, "global_pool"]}


def main() -> None:
    """Run the requested measurements and print their tables."""
    parts: dict[str, Callable[[argparse.Namespace, Path], None]] = {
        "reading": reading,
        "checking": checking,
        "augmentation": augmentation,
        "listing": listing,
        "memory": memory,
    }
    arguments = _arguments(list(parts))
    for name, measure in parts.items():
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory() as work:
                print(f"\n## {name}\n", flush=True)
                measure(arguments, Path(work))


def _arguments(parts: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, help="folder of photographs; without, drawn shapes")
    parser.add_argument("--only", choices=parts)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", type=int, default=8000, help="images of 32 x 32")
    parser.add_argument("--small", type=int, default=4000, help="images of about 500 x 375")
    parser.add_argument("--large", type=int, default=200, help="images of 12 megapixels")
    parser.add_argument("--files", type=int, default=MANY, help="files to list")
    return parser.parse_args()


def reading(arguments: argparse.Namespace, work: Path) -> None:
    """Print images/s of the first epoch and of later ones."""
    print("| images | reader | first epoch, images/s | later | cnnkit / this, first | later |")
    print("|---|---|---|---|---|---|")
    for size, number in ((SMALL, arguments.small), (TWELVE_MEGAPIXELS, arguments.large)):
        images = work / f"images{size[0]}"
        write_two_classes(images, number, arguments.photos, size)
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in READERS}
        for _ in range(arguments.repeats):
            for name, (script, *kind) in READERS.items():
                cache = work / "cache"
                facts = run(script, images, IMAGE_SIZE, 3, *kind, cache=cache)
                # Otherwise, packed pixels of earlier rounds would fill the page cache.
                shutil.rmtree(cache, ignore_errors=True)
                first, _, last = facts["epoch_ends"]
                rates[name].append((number / first, 2 * number / (last - first)))
                print(f"{size} {name}: {rates[name][-1]}", file=sys.stderr)
        for name, found in rates.items():
            shown = " | ".join(f"{median(column):,.0f}" for column in zip(*found, strict=True))
            ratios = [median_ratio(rates[OURS], found, column) for column in (0, 1)]
            print(
                f"| {number:,} of about {size[0]} x {size[1]} | {name} | {shown} | "
                f"{ratios[0]:.2f} | {ratios[1]:.1f} |",
                flush=True,
            )


def checking(arguments: argparse.Namespace, work: Path) -> None:
    """Print images/s of `cnnkit data check`, its start included."""
    print("| images | cnnkit data check, images/s | loop | cnnkit / loop |")
    print("|---|---|---|---|")
    sizes = {TINY: arguments.tiny, SMALL: arguments.small // 2}
    sizes[TWELVE_MEGAPIXELS] = arguments.large // 2
    for size, number in sizes.items():
        images = work / f"images{size[0]}"
        if size == TINY:  # parts of photographs would be too alike at this size
            write_patches(images, number)
        else:
            write_two_classes(images, number, arguments.photos, size)
        rates: dict[str, list[tuple[float]]] = {OURS: [], "loop": []}
        for _ in range(arguments.repeats):
            for name, found in rates.items():
                facts = run("check.py", images, name, cache=work / "cache")
                found.append((number / facts["seconds"],))
                print(f"{size} {name}: {found[-1]}", file=sys.stderr)
        shown = " | ".join(f"{median(rate for (rate,) in found):,.0f}" for found in rates.values())
        ratio = median_ratio(rates[OURS], rates["loop"], 0)
        print(f"| {number:,} of about {size[0]} x {size[1]} | {shown} | {ratio:.2f} |", flush=True)


def median_ratio(ours: list[tuple[float, ...]], theirs: list[tuple[float, ...]], at: int) -> float:
    """Return the median over the rounds of ours / theirs."""
    return median(mine[at] / other[at] for mine, other in zip(ours, theirs, strict=True))


def augmentation(arguments: argparse.Namespace, work: Path) -> None:
    """Run the script that compares the chain of augmentations."""
    subprocess.run([sys.executable, SCRIPTS / "bench_augmentation.py"], check=True)


def listing(arguments: argparse.Namespace, work: Path) -> None:
    """Print the seconds that listing, hashing and splitting take."""
    write_many(work / "images", arguments.files)
    rounds = [
        {
            **run("list_files.py", work / "images", OURS, cache=work),
            **run("list_files.py", work / "images", "keras", cache=work),
            **run("list_files.py", work / "images", "read", cache=work),
        }
        for _ in range(arguments.repeats)
    ]
    ours = [row["index"] + row["split"] for row in rounds]
    lists = [row["list"] for row in rounds]
    print(f"{arguments.files:,} files, medians of {arguments.repeats} rounds, seconds:\n")
    for name in ("index", "split", "hash", "read", "list"):
        meaning = {"read": "read alone, nothing else", "list": "image_dataset_from_directory"}
        print(f"- {meaning.get(name, OURS + ', ' + name)}: {median(r[name] for r in rounds):.2f}")
    ratio = median(mine / other for mine, other in zip(ours, lists, strict=True))
    print(f"\nindex + split / image_dataset_from_directory: {ratio:.3f}")
    print(f"hash / read alone: {median(r['hash'] / r['read'] for r in rounds):.2f}")


def memory(arguments: argparse.Namespace, work: Path) -> None:
    """Print the peak memory of two trainings of one epoch."""
    print("| files | peak resident MB | private MB among them |")
    print("|---|---|---|")
    for number in (FEW, arguments.files):
        images = work / f"images{number}"
        write_many(images, number)
        config = work / f"{number}.yaml"
        data = {"source": str(images), "image_size": 32}
        config.write_text(json.dumps({"data": data, "model": NET, "training": {"epochs": 1}}))
        facts = run("train_memory.py", config, work / "runs", cache=work / "cache")
        print(f"| {number:,} | {facts['resident']:.0f} | {facts['private']:.0f} |", flush=True)


def run(script: str, *words: object, cache: Path) -> dict:
    """Run a contestant in its own process and return the JSON document of its last line."""
    command = [sys.executable, str(CONTESTANTS / script), *map(str, words)]
    environment = {**os.environ, "CNNKIT_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def write_patches(folder: Path, number: int) -> None:
    """Write images of 32 x 32 pixels that show random patches, as PNG and JPEG files in turns."""
    random = np.random.default_rng(0)
    for index in range(number):
        path = folder / ("first", "second")[index % 2] / f"{index:05d}{('.png', '.jpg')[index % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        patches = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        patches.resize(TINY).save(path)


def write_many(folder: Path, number: int) -> None:
    """Write small JPEGs with different contents into ten class folders."""
    seed = folder.parent / "seed"
    write_two_classes(seed, 2, None, (64, 48))
    images = [path.read_bytes() for path in sorted(seed.rglob("*.jpg"))]
    for index in range(number):
        path = folder / f"class{index % 10}" / f"{index:06d}.jpg"
        if index < 10:
            path.parent.mkdir(parents=True)
        # Bytes after the end of a JPEG change its content, not its pixels.
        path.write_bytes(images[index % 2] + index.to_bytes(4, "big"))


if __name__ == "__main__":
    main()

"""Measure how long a head trains with cached features and without.

    python scripts/bench_transfer.py photos.yaml --epochs 10

Each time is that of a whole `cnnkit train`. In every round one training with
`training.feature_cache: true`, which starts without features in the cache, and one with `false`,
which computes them in every epoch, take turns. Both read packed pixels. CPU seconds, user and
system together, are less disturbed by other programs than seconds are. The table has the test
accuracies too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from statistics import mean, median

from train_and_score import trained

_WAYS = {"cached features": "true", "features computed in every epoch": "false"}


def main() -> None:
    """Train in turns and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument("--epochs", type=int, default=10, help="by default 10")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--split", default="test", choices=["validation", "test"])
    arguments = parser.parse_args()
    own = list(arguments.overrides)
    found: dict[str, list[dict]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory() as work:
        os.environ["CNNKIT_CACHE"] = str(Path(work) / "cache")
        arguments.runs_folder = Path(work) / "runs"
        for number, seed in enumerate([arguments.seeds[0], *arguments.seeds]):
            for way, value in _WAYS.items():
                shutil.rmtree(Path(work) / "cache" / "features", ignore_errors=True)
                arguments.overrides = [
                    *own,
                    f"training.epochs={arguments.epochs}",
                    f"training.feature_cache={value}",
                ]
                info = trained(arguments, seed)
                if number:  # the first round packs the pixels and warms the disk cache
                    found[way].append(info)
    print(table(found, arguments.split))


def table(found: dict[str, list[dict]], split: str) -> str:
    """Return a markdown table: times, how many times as fast as the last way, accuracies."""
    slowest = median(info["minutes"] for info in list(found.values())[-1])
    lines = [
        "| training of the head | seconds | CPU seconds | times as fast | accuracies | mean |",
        "|---|---|---|---|---|---|",
    ]
    for way, infos in found.items():
        minutes = median(info["minutes"] for info in infos)
        cpu = median(info["cpu_seconds"] for info in infos)
        accuracies = [info["metrics"][split]["accuracy"] for info in infos]
        listed = ", ".join(f"{value:.3f}" for value in accuracies)
        times = f"{60 * minutes:.1f} | {cpu:.1f} | {slowest / minutes:.1f}"
        lines.append(f"| {way} | {times} | {listed} | {mean(accuracies):.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

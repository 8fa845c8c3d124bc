"""Measure what it costs to train on two processes instead of one, with the same global batch.

Both processes run on this computer and talk over the loopback interface, with one thread each, so
this measures the messages, not what a network of machines gains. The trainings alternate.

    python scripts/bench_devices.py --repetitions 3
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_EPOCHS = 4  # the first one is not timed: graphs are built in it
_BATCH, _SIDE, _IMAGES = 64, 48, 800  # of the 1,000 pictures, the others are held out
_CONFIG = f"""
data:
  source: shapes
  image_size: [{_SIDE}, {_SIDE}]
  batch_size: {_BATCH}
augmentation: [random_rotation: 0.05]
model:
  layers:
    - conv: {{filters: 32, kernel_size: 3, activation: relu, padding: same}}
    - pool: {{pool_size: 2}}
    - conv: {{filters: 64, kernel_size: 3, activation: relu, padding: same}}
    - pool: {{pool_size: 2}}
    - conv: {{filters: 64, kernel_size: 3, activation: relu, padding: same}}
    - global_pool
training: {{epochs: {_EPOCHS}, optimizer: {{adam: {{learning_rate: 0.001}}}}, tensorboard: false}}
"""


def main() -> None:
    """Train one process and two in turn, and print step times and losses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    repetitions = parser.parse_args().repetitions
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "shapes.yaml"
        config.write_text(_CONFIG)
        found: dict[int, list[list[dict[str, float]]]] = {1: [], 2: []}
        for repetition in range(repetitions):
            for processes in (1, 2):
                name = f"{processes}-{repetition}"
                found[processes].append(_history(config, Path(folder) / name, processes))
    steps = -(-_IMAGES // _BATCH)
    for processes, histories in found.items():
        times = [1000 * row["seconds"] / steps for rows in histories for row in rows[1:]]
        print(
            f"{processes} process(es): {statistics.median(times):.0f} ms per step, validation "
            f"included ({min(times):.0f} to {max(times):.0f}, {len(times)} epochs)"
        )
    for one, two in zip(found[1][0], found[2][0], strict=True):
        losses = ", ".join(f"{key} {one[key]:.6f} {two[key]:.6f}" for key in _LOSSES)
        print(f"epoch {one['epoch']:.0f}: {losses}")


_LOSSES = ("train_loss", "val_loss")


def _history(config: Path, runs: Path, processes: int) -> list[dict[str, float]]:
    """Train with the command line and return the rows of history.csv."""
    ports = _free_ports(processes)
    command = [sys.executable, "-m", "cnnkit", "train", str(config), "--runs-folder", str(runs)]
    started = []
    for number in range(processes):
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        task = {"type": "worker", "index": number}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps({"cluster": cluster, "task": task}),
            "TF_NUM_INTRAOP_THREADS": "1",
        }
        started.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        )
    for process in started:
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(errors.decode())
    with (runs / config.stem / "history.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    main()

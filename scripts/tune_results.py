"""Compare what `cnnkit tune` finds with a random search, and print a markdown table.

    python scripts/tune_results.py --datasets data/datasets --weights data/weights

Every study has as many trials as the others of its data set; with --minutes, it has as many
minutes, and both samplers search at the same time, so that what else the machine does slows both.
A study adds a line to the file of --results; one that has its line there is not repeated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from cnnkit.config import read_yaml

_DIGITS = Path(__file__).resolve().parent.parent / "configs" / "digits_tune.yaml"
_WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
_SIGNS: dict[str, Any] = {
    "data": {"image_size": 96, "batch_size": 64},
    "model": {
        "backbone": {"name": "MobileNetV2", "alpha": 0.35},
        "head": ["global_pool", {"dropout": 0.2}],
    },
    "training": {"epochs": 10, "optimizer": {"adam": {"learning_rate": 0.001}}},
    "search": {
        "training.optimizer.adam.learning_rate": {"log": [1e-4, 1e-1]},
        "training.label_smoothing": {"uniform": [0, 0.2]},
        "training.schedule": ["constant", "cosine"],
        "data.batch_size": [16, 32, 64],
        "model.head": {
            "choices": {
                "linear": ["global_pool", {"dropout": 0.2}],
                "normalised": ["global_pool", "batch_norm", {"dropout": 0.2}],
                "hidden": [
                    "global_pool",
                    {"dense": {"units": 128, "activation": "relu"}},
                    {"dropout": 0.2},
                ],
            }
        },
    },
}
_SAMPLERS = ("tpe", "random")
_SHOWN = (1, 5, 10, 15, 20, 30)  # trials after which the table shows the best so far


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--datasets", type=Path, required=True, help="has the folder sign_digits")
    parser.add_argument("--weights", type=Path, required=True, help="has the .h5 file")
    parser.add_argument("--results", type=Path, default=Path("tune_results.jsonl"))
    parser.add_argument("--trials", type=int, default=20, help="of every study; default: 20")
    parser.add_argument("--minutes", type=float, help="of every search, in place of --trials")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the searches")
    parser.add_argument("--final-seeds", type=int, default=3, help="of each config; default: 3")
    parser.add_argument("--only", choices=["digits", "sign_digits"])
    arguments = parser.parse_args()
    lines = arguments.results.read_text().splitlines() if arguments.results.exists() else []
    rows = [json.loads(line) for line in lines]
    for dataset in [arguments.only] if arguments.only else ["digits", "sign_digits"]:
        for seed in arguments.seeds:
            keys = [{"dataset": dataset, "sampler": each, "seed": seed} for each in _SAMPLERS]
            missing = [key for key in keys if not any(key.items() <= row.items() for row in rows)]
            with ThreadPoolExecutor(len(_SAMPLERS) if arguments.minutes else 1) as pool:
                for row in pool.map(partial(one_study, arguments), missing):
                    rows.append(row)
                    with arguments.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
    print(table(rows))


def one_study(arguments: argparse.Namespace, key: dict[str, Any]) -> dict[str, Any]:
    """Run a study and return its best scores by trial, its final scores and its minutes."""
    dataset, sampler, seed = key["dataset"], key["sampler"], key["seed"]
    config = read_yaml(_DIGITS.read_text(), _DIGITS.name).data
    if dataset == "sign_digits":
        config = json.loads(json.dumps(_SIGNS))
        config["data"]["source"] = str((arguments.datasets / dataset).resolve())
        config["model"]["backbone"]["weights"] = str((arguments.weights / _WEIGHTS).resolve())
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "searched.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        command = [sys.executable, "-m", "cnnkit", "tune", str(path), "--json"]
        command += ["--sampler", sampler, "--seed", str(seed), "--runs-folder", work]
        # Only the search of tpe is followed by final trainings: one is enough to see what it wins.
        seeds = arguments.final_seeds if sampler == "tpe" else 0
        effort = ["--trials", str(arguments.trials)]
        if arguments.minutes:  # final trainings would slow the other search
            effort, seeds = ["--minutes", str(arguments.minutes)], 0
        command += [*effort, "--seeds", str(seeds)]
        begin = time.time()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        minutes = (time.time() - begin) / 60
        found = json.loads(done.stdout)
    trials = found["trials"]
    return {
        **key,
        "best_so_far": found["best_so_far"],
        "values": [trial["value"] for trial in trials],
        "states": [trial["state"] for trial in trials],
        "search_minutes": sum(trial["seconds"] or 0 for trial in trials) / 60,
        "minutes": minutes,
        "best": found["best"],
        "importances": found["importances"],
        "final": found["final"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table with the best validation accuracy so far after some numbers of trials."""
    most = max(len(row["best_so_far"]) for row in rows)
    shown = [number for number in _SHOWN if number <= most]
    heads = [f"after {number}" for number in shown]
    lines = [f"| images | sampler | seed | {' | '.join(heads)} | pruned | minutes |"]
    lines.append("|---" * (5 + len(shown)) + "|")
    for row in rows:
        best = [row["best_so_far"][number - 1 : number] for number in shown]
        cells = ["" if not value else f"{value[0]:.4f}" for value in best]
        pruned = row["states"].count("pruned")
        names = f"{row['dataset']} | {row['sampler']} | {row['seed']}"
        lines.append(f"| {names} | {' | '.join(cells)} | {pruned} | {row['search_minutes']:.1f} |")
    for row in rows:
        if row["final"]:
            lines.append(f"\n{row['dataset']}, seed {row['seed']}: {row['final']['verdict']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Measure what transfer learning achieves, and print a markdown table.

    python scripts/transfer_results.py --datasets data/datasets --weights data/weights

Each accuracy is that of one `cnnkit train` on the test images; each time is that of the whole
command. MB is the size of model.tflite, ms its time for one decoded image. Every training adds a
line to the file of --results. A training that has its line there is not repeated, so an interrupted
table can be continued.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median
from typing import Any

from train_and_score import model_costs, trained

_V2_WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
_V1_WEIGHTS = "mobilenet_2_5_224_tf_no_top.h5"
_BACKBONES = {
    "MobileNetV2 0.35": {"name": "MobileNetV2", "alpha": 0.35, "weights": _V2_WEIGHTS},
    "MobileNet 0.25": {"name": "MobileNet", "alpha": 0.25, "weights": _V1_WEIGHTS},
    **{f"EfficientNetLite{number}": {"name": f"EfficientNetLite{number}"} for number in range(3)},
}
_SHIFT = {"random_translation": {"height_factor": 0.08, "width_factor": 0.08}}
# For each data set: the section data, and the augmentation and phase settings of fine-tuning.
_DATASETS: dict[str, tuple[dict, list, dict]] = {
    "clothing_small": (
        {"image_size": 224, "batch_size": 16},
        [
            {"random_flip": "horizontal"},
            {"random_rotation": {"factor": 0.03, "fill_mode": "nearest"}},
            {"random_resized_crop": {"scale": [0.7, 1], "ratio": [0.8, 1.25]}},
            {"random_color_jitter": {"brightness_factor": 0.2, "contrast_factor": [0.3, 0.3]}},
        ],
        {"epochs": 40, "warmup_epochs": 2, "optimizer": {"adam": 1e-3}},
    ),
    "fashion_mnist_sprite900": (
        {"image_size": 96},
        [{"random_flip": "horizontal"}, {"random_zoom": 0.1}, _SHIFT],
        {"epochs": 15, "optimizer": {"adam": 5e-4}},
    ),
    "sign_digits": (
        {"image_size": 128},
        [{"random_rotation": 0.05}, {"random_zoom": 0.1}, _SHIFT],
        {"epochs": 12, "optimizer": {"adam": 5e-4}},
    ),
}
_PROBE = {"train": "linear_probe"}
_HEAD = {"train": "head", "epochs": 20, "optimizer": {"adam": 3e-3}}
_METHODS = {"linear probe": [_PROBE], "head": [_HEAD], "fine-tuned": [_PROBE, {"train": "all"}]}


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--datasets", type=Path, required=True, help="has one folder per data set")
    parser.add_argument("--weights", type=Path, required=True, help="has the two .h5 files")
    parser.add_argument("--results", type=Path, default=Path("transfer_results.jsonl"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    words = "data sets, backbones or methods; all of a kind if none of that kind is named"
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=words)
    arguments = parser.parse_args()
    rows = read_rows(arguments.results)
    for names in chosen(parser, arguments.only):
        for seed in arguments.seeds:
            key = {**names, "seed": seed}
            if any(key.items() <= row.items() for row in rows):
                continue
            rows.append({**key, **one_training(arguments, **key)})
            with arguments.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the trainings in a results file; none if there is no such file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def chosen(parser: argparse.ArgumentParser, names: list[str]) -> Iterator[dict[str, str]]:
    """Yield data set, backbone and method: of each kind those that are named, or all."""
    kinds = [list(_DATASETS), list(_BACKBONES), list(_METHODS)]
    allowed = sum(kinds, [])
    if not set(names) <= set(allowed):
        parser.error(f"--only takes {', '.join(allowed)}, not all of {', '.join(names)}")
    datasets, backbones, methods = (
        [name for name in kind if name in names] or kind for kind in kinds
    )
    for dataset in datasets:
        for backbone in backbones:
            for method in methods:
                yield {"dataset": dataset, "backbone": backbone, "method": method}


def one_training(
    arguments: argparse.Namespace, dataset: str, backbone: str, method: str, seed: int
) -> dict[str, float]:
    """Train once and return the accuracies and the seconds."""
    config = recipe(dataset, backbone, method)
    config["data"]["source"] = str(arguments.datasets.resolve() / dataset)
    if "weights" in _BACKBONES[backbone]:
        weights = arguments.weights.resolve() / _BACKBONES[backbone]["weights"]
        config["model"]["backbone"]["weights"] = str(weights)
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "transfer.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        command = {"config": path, "overrides": [], "runs_folder": Path(work), "split": "test"}
        info = trained(argparse.Namespace(**command), seed)
        costs = model_costs(Path(info["run"]))
    return {
        "test": info["metrics"]["test"]["accuracy"],
        "validation": info["metrics"]["validation"]["accuracy"],
        "seconds": round(60 * info["minutes"], 1),
        **costs,
    }


def recipe(dataset: str, backbone: str, method: str) -> dict[str, Any]:
    """Return the config of a training, without its paths."""
    data, augmentation, fine_tuning = _DATASETS[dataset]
    *before, last = _METHODS[method]
    if method == "fine-tuned":
        last = {**last, "warmup_epochs": 1, **fine_tuning}
    return {
        "data": dict(data),
        "augmentation": augmentation if method == "fine-tuned" else [],
        "model": {"backbone": dict(_BACKBONES[backbone])},
        "training": {"label_smoothing": 0.1, "schedule": "cosine", "phases": [*before, last]},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table with one row per data set, backbone and method, in order of training."""
    lines = ["| images | backbone | training | test accuracy | mean | seconds | MB | ms |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        groups.setdefault((row["dataset"], row["backbone"], row["method"]), []).append(row)
    for names, same in groups.items():
        values = [row["test"] for row in same]
        listed = ", ".join(f"{value:.3f}" for value in values)
        seconds = median(row["seconds"] for row in same)
        milliseconds = median(row["milliseconds"] for row in same)
        costs = f"{same[0]['megabytes']:.1f} | {milliseconds:.1f}"
        lines.append(
            f"| {' | '.join(names)} | {listed} | {mean(values):.3f} | {seconds:.0f} | {costs} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

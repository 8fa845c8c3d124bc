"""Measure what `cnnkit init` proposes, and what other settings would have reached.

    python scripts/proposals.py photos/ hands/ --seeds 0 1 2 --others
    python scripts/proposals.py photos/ digits --from-scratch --others

For each data set, `cnnkit init` writes a config, which is trained with each seed. With --others the
same config is also trained with one setting changed at a time. The table has the accuracy on the
test images, the minutes that init expected and that the whole `cnnkit train` took, with the minutes
that the processors worked, and the size of model.tflite and its time for one image, without
decoding. Every training adds a line to the file of --results, so an interrupted table can be
continued.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median

from train_and_score import model_costs, trained

_PROBE = "{train: linear_probe}"


def _fine_tuned(learning_rate: str) -> str:
    optimizer = f"{{adam: {{learning_rate: {learning_rate}}}}}"
    return f"{{train: all, epochs: 15, warmup_epochs: 1, optimizer: {optimizer}}}"


# What each of them changes of the proposal, as --set options.
_OTHERS = {
    "stretch": ["data.resize=stretch"],
    "pad": ["data.resize=pad"],
    "MobileNetV2": ["model.backbone={name: MobileNetV2, alpha: 0.35}"],
    "EfficientNetLite1": ["model.backbone.name=EfficientNetLite1"],
    "EfficientNetLite2": ["model.backbone.name=EfficientNetLite2"],
    "linear probe": [f"training.phases=[{_PROBE}]"],
    "no linear probe": [f"training.phases=[{_fine_tuned('5e-4')}]"],
    "learning rate 2e-4": [f"training.phases=[{_PROBE}, {_fine_tuned('2e-4')}]"],
    "learning rate 1e-3": [f"training.phases=[{_PROBE}, {_fine_tuned('1e-3')}]"],
    "monitor val_accuracy": ["training.monitor=val_accuracy"],
    "no label smoothing": ["training.label_smoothing=0"],
    "no augmentation": ["augmentation=[]"],
}
_OTHERS_FROM_SCRATCH = {
    "AdamW": ["training.optimizer={adamw: {learning_rate: 0.003, weight_decay: 0.02}}"],
    "muon, learning rate 0.02": ["training.optimizer.muon.learning_rate=0.02"],
    "muon, learning rate 0.1": ["training.optimizer.muon.learning_rate=0.1"],
    "30 epochs": ["training.epochs=30"],
    "no label smoothing": ["training.label_smoothing=0"],
    "no augmentation": ["augmentation=[]"],
}
_INIT = "cnnkit init"


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="as for cnnkit init")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--from-scratch", action="store_true", help="as for cnnkit init")
    parser.add_argument("--others", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--results", type=Path, default=Path("proposals.jsonl"))
    arguments = parser.parse_args()
    overrides = _OTHERS_FROM_SCRATCH if arguments.from_scratch else _OTHERS
    others = [] if arguments.others is None else arguments.others or list(overrides)
    if unknown := set(others) - set(overrides):
        parser.error(f"--others {', '.join(unknown)}: choose from {', '.join(overrides)}")
    label = "from scratch: " if arguments.from_scratch else ""
    rows = _read_rows(arguments.results)
    with tempfile.TemporaryDirectory() as work:
        for source in arguments.sources:
            config = Path(work) / f"{Path(source).name}.yaml"
            expected = _init(source, config, from_scratch=arguments.from_scratch)
            for name in (_INIT, *others):
                for seed in arguments.seeds:
                    key = {"source": Path(source).name, "settings": label + name, "seed": seed}
                    if any(key.items() <= row.items() for row in rows):
                        continue
                    row = {**key, **_scores(config, overrides.get(name, []), seed, Path(work))}
                    rows.append({**row, "expected_minutes": expected})
                    with arguments.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    print("\n".join(_table(rows)))


def _read_rows(path: Path) -> list[dict]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def _init(source: str, config: Path, *, from_scratch: bool) -> float:
    """Write the proposal and return the minutes that it is expected to take."""
    command = [str(Path(sys.executable).with_name("cnnkit")), "init", source, "-o", str(config)]
    command += ["--from-scratch"] * from_scratch
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)["expected_seconds"] / 60


def _scores(config: Path, overrides: list[str], seed: int, work: Path) -> dict:
    info = trained(
        Namespace(config=config, overrides=overrides, runs_folder=work / "runs", split="test"), seed
    )
    metrics = info["metrics"]
    return {
        **model_costs(Path(info["run"])),
        "test": metrics["test"]["accuracy"],
        "validation": metrics.get("validation", {}).get("accuracy"),
        "minutes": info["minutes"],
        "processor_minutes": info["cpu_seconds"] / 60,
    }


def _table(rows: list[dict]) -> Iterator[str]:
    yield (
        "| images | settings | test accuracy, by seed | mean | minutes | processor minutes | "
        "expected by init | MB | ms per image |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    kinds = dict.fromkeys((row["source"], row["settings"]) for row in rows)
    for source, settings in kinds:
        found = [r for r in rows if (r["source"], r["settings"]) == (source, settings)]
        each = ", ".join(f"{row['test']:.3f}" for row in sorted(found, key=lambda r: r["seed"]))
        minutes = mean(row["minutes"] for row in found)
        expected = mean(row["expected_minutes"] for row in found)
        expected_text = f"{expected:.1f}" if settings.endswith(_INIT) else ""
        processors = mean(row["processor_minutes"] for row in found)
        yield (
            f"| {source} | {settings} | {each} | {mean(row['test'] for row in found):.3f} | "
            f"{minutes:.1f} | {processors:.1f} | {expected_text} | {found[0]['megabytes']:.1f} | "
            f"{median(row['milliseconds'] for row in found):.1f} |"
        )


if __name__ == "__main__":
    main()

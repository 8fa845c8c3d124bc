"""Train with known troubles, and print which verdicts `cnnkit diagnose` gives to each.

    python scripts/diagnoses.py /tmp/troubles --seeds 0 1 2

Each training takes some seconds. Runs that are in the folder already are diagnosed again without
training, so that rules can be changed and checked at once.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from grey_images import Images, digits, images_in
from troubles import Trouble, all_trainings

from cnnkit.config import config_from_dict
from cnnkit.errors import CnnkitError
from cnnkit.runs import Run
from cnnkit.training.diagnosis import diagnose_run

_CONFIGS = Path(__file__).parents[1] / "configs"
_NONE = "nothing"


def main() -> None:
    """Train what is missing, diagnose all, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="for images and runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--photographs", help="sign_digits, for a head on a frozen backbone")
    parser.add_argument("--weights", help="of MobileNetV2 alpha 0.35, for the same")
    parser.add_argument("--images", type=Path, help="class folders of grey PNG files, not digits")
    arguments = parser.parse_args()
    images = images_in(arguments.images) if arguments.images else digits()
    troubles = list(all_trainings(arguments.photographs, arguments.weights))
    found = {
        trouble: [verdicts_of(trouble, seed, arguments.folder, images) for seed in arguments.seeds]
        for trouble in troubles
    }
    print(table(found))


def verdicts_of(trouble: Trouble, seed: int, folder: Path, images: Images) -> list[str]:
    """Train with a trouble, unless that was done before, and return the names of the verdicts."""
    words = "".join(c if c.isalnum() else " " for c in trouble.name).split()
    run = Run(folder / "runs" / f"{'-'.join(words)}-{seed}")
    if not run.folder.exists():
        from cnnkit.training.run import train  # imports TensorFlow

        own = folder / "images" / run.name
        own.mkdir(parents=True, exist_ok=True)
        config = config_from_dict(trouble.make(own, seed, images), folder=_CONFIGS)
        try:
            train(config, name=run.name, runs_folder=run.folder.parent)
        except CnnkitError as error:  # a loss that becomes NaN ends the training
            print(f"{run.name}: {error}", flush=True)
    return [verdict.name for verdict in diagnose_run(run).verdicts]


def table(found: dict[Trouble, list[list[str]]]) -> str:
    """Return a row per trouble: in how many trainings each verdict was the first one.

    A number after a + counts the trainings in which the verdict came after another one.
    """
    columns = list(dict.fromkeys(name for one in found for name in one.verdicts))
    columns += sorted({n for runs in found.values() for names in runs for n in names} - {*columns})
    columns.append(_NONE)
    rows = [["training", *(name.replace("_", " ") for name in columns)]]
    rows.append(["---"] * len(rows[0]))
    for trouble, runs in found.items():
        first = Counter(names[0] if names else _NONE for names in runs)
        later = Counter(name for names in runs for name in names[1:])
        cells = [_cell(first[name], later[name]) for name in columns]
        rows.append([trouble.name, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(first: int, later: int) -> str:
    return f"{first or ''}{f' +{later}' if later else ''}".strip()


if __name__ == "__main__":
    main()

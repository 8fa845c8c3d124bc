"""Print paths of test images of a run, one per line, spread over the classes.

For example: `python scripts/test_images.py 5 | cnnkit predict -`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, islice, zip_longest
from pathlib import Path

from cnnkit.config import load_config
from cnnkit.data.records import ImageRecord
from cnnkit.data.scored_images import run_images
from cnnkit.default_folders import RUNS_FOLDER
from cnnkit.errors import CnnkitError
from cnnkit.runs import Run, find_run


def main() -> None:
    """Print the paths."""
    arguments = _parser().parse_args()
    *run, number = arguments.run_and_number
    if len(run) > 1 or not number.isdigit():
        _parser().error(f"expected [RUN] N, received {' '.join(arguments.run_and_number)}")
    try:
        named = run[0] if run else None
        found = find_run(named, arguments.runs_folder, lambda text: print(text, file=sys.stderr))
        for path in test_images(found, int(number)):
            print(path)
    except CnnkitError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "run_and_number",
        nargs="+",
        metavar="[RUN] N",
        help="a run folder or name (by default the newest finished run), and how many images",
    )
    parser.add_argument(
        "--runs-folder", type=Path, default=Path(os.environ.get("CNNKIT_RUNS", RUNS_FOLDER))
    )
    return parser


def test_images(run: Run, number: int) -> list[Path]:
    """Return `number` images: the first of each class, then the second of each, and so on.

    Raises:
        CnnkitError: the run has no test split, or its images have changed.
    """
    records = run_images(run.read_split(), "test", load_config(run.config).data)
    return [record.file for record in islice(_in_turns(records), number)]


def _in_turns(records: Iterable[ImageRecord]) -> Iterable[ImageRecord]:
    by_class: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        by_class[record.label].append(record)
    rounds = zip_longest(*(by_class[name] for name in sorted(by_class)))
    return (record for record in chain.from_iterable(rounds) if record is not None)


if __name__ == "__main__":
    main()

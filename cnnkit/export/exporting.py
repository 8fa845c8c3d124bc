"""Write a run's model in other formats; a format whose answers differ is not kept."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export.export_folder import check_export_folder, write_parity
from cnnkit.export.exported import Export
from cnnkit.export.formats import FORMATS, Format
from cnnkit.export.golden import DEFAULT_LIMIT, check_parity
from cnnkit.export.judgement import HeldOut, milliseconds
from cnnkit.export.stand_alone_scripts import write_script
from cnnkit.files import write_text
from cnnkit.memory import explaining_lack_of_memory, this_computer_has
from cnnkit.model.model_info import LABELS_NAME
from cnnkit.runs import Run, lacking, note_unfinished
from cnnkit.runtimes import predictor_of
from cnnkit.text import size_text
from cnnkit.utf8_paths import utf8_alias

CARD_NAME = "model_card.md"  # `cnnkit.report` writes it
DEFAULT_DROP = 1.0  # percentage points


def export_run(
    run: Run,
    formats: Sequence[str] = (),
    *,
    output: Path | None = None,
    limit: float = DEFAULT_LIMIT,
    allow_drop: float = DEFAULT_DROP,
    note: Callable[[str], None] = lambda text: None,
) -> Export:
    """Write each format into the run's export folder and compare its answers with the original's.

    A format that fails the comparison leaves no file; the formats before it are kept. One that
    loses too much accuracy leaves no file either, and is among the `refused` of the result.

    Args:
        run: a finished run, or an interrupted one that has kept its best weights.
        formats: keys of `FORMATS`, or `all`; empty for all exact ones that this installation can
            write.
        output: another folder to write into, which is new or an earlier export.
        limit: the largest allowed difference of a probability.
        allow_drop: how many percentage points of accuracy a format with smaller numbers may lose
            on held-out images.
        note: called with each sentence for the user.

    Raises:
        CnnkitError: an export differs from the model by more than `limit`, gives NaN, or gives
            the same answer to all images.
        UsageError: the run lacks files, a format needs an extra that is not installed, or
            something else has the name of an export, or nothing can be written.
        DataError: images of the run are missing or have changed.
    """
    # All that can be refused is refused before TensorFlow is imported, which takes seconds.
    missing = [file for file in (run.best, run.tflite, run.golden) if not file.exists()]
    if missing:
        raise lacking(run, missing)
    chosen = _chosen(formats, note)
    kinds = chosen.values()
    names = [name for kind in kinds for name in (kind.file, kind.script) if name]
    folder = check_export_folder(run, output, [*names, CARD_NAME])
    status = note_unfinished(run, note)
    with explaining_lack_of_memory(lambda: _need(run)):
        return _Writing(run, folder, limit, allow_drop, note).write(chosen, status)


def _need(run: Run) -> str:
    size = size_text(run.best.stat().st_size)
    return (
        f"Exporting {run.best} ({size}) needs several times its size, and {this_computer_has()}. "
        "Close other programs, or choose one format with --format."
    )


class _Writing:
    """Write formats of a run one after the other.

    Args:
        run: see `export_run`.
        folder: to write into.
        limit: see `export_run`.
        allow_drop: see `export_run`.
        note: see `export_run`.
    """

    def __init__(
        self,
        run: Run,
        folder: Path,
        limit: float,
        allow_drop: float,
        note: Callable[[str], None],
    ) -> None:
        from cnnkit.export.original import load_original

        self.original = load_original(run, note)
        self.folder = folder
        self.limit = limit
        self.allow_drop = allow_drop
        self.refused: dict[str, dict[str, Any]] = {}

    def write(self, formats: Mapping[str, Format], status: str) -> Export:
        """Write the formats and what belongs to them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found: dict[str, dict[str, Any]] = {}
        for name, kind in formats.items():
            values, is_kept = self._export_one(name, kind)
            (found if is_kept else self.refused)[name] = values
            # After each format, so that all is there also if a later format fails.
            num_images = len(self.original.golden.pixels)
            write_parity(self.folder, limit=self.limit, num_images=num_images, formats=found)
            write_text(self.folder / LABELS_NAME, self.original.info.labels())
            if is_kept and kind.script and "needs_cnnkit" not in values:
                write_script(self.folder, kind.script, has_sounds=self.original.has_sounds)
        return Export(self.folder, found, status, self.refused, self.allow_drop)

    def _export_one(self, name: str, kind: Format) -> tuple[dict[str, Any], bool]:
        """Write one format, and return its values and whether it is kept."""
        target = self.folder / kind.file
        # In the same folder as the target, so that the move at the end is a rename.
        with (
            tempfile.TemporaryDirectory(dir=self.folder, prefix=f".{name}-") as temporary,
            utf8_alias(Path(temporary)) as alias,
        ):
            fresh = alias / target.name
            facts = kind.write(self.original, fresh)
            try:
                # The file is compared before it gets its name: a wrong one is never left behind.
                predictor = predictor_of(fresh / kind.model if kind.model else fresh)
                limit = math.inf if kind.is_judged else self.limit
                parity = check_parity(predictor, self.original.golden, limit=limit)
            except CnnkitError as error:
                raise CnnkitError(f"{name}: {error} Nothing was exported to {target}.") from error
            values = {"file": target.name, "bytes": _size(fresh), **parity, **facts}
            values["milliseconds"] = round(milliseconds(predictor)[0], 3)
            if kind.is_judged:
                judgement = self._held_out.judge(predictor)
                values["judgement"] = judgement.as_dict()
                if judgement.drop > self.allow_drop:
                    return values, False
            if target.is_dir():  # os.replace cannot replace a folder that has files
                shutil.rmtree(target)
            os.replace(fresh, target)
        return values, True

    @cached_property
    def _held_out(self) -> HeldOut:
        run = self.original.run
        return HeldOut(run, predictor_of(run.tflite), self.original.note)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _chosen(formats: Sequence[str], note: Callable[[str], None]) -> dict[str, Format]:
    """Return the formats to write.

    Raises:
        UsageError: one was named that this installation cannot write.
    """
    every = not formats or "all" in formats
    if every:
        named = [name for name in FORMATS if formats or FORMATS[name].by_default]
    else:
        named = list(dict.fromkeys(formats))
    chosen = {}
    for name in named:
        kind = FORMATS[name]
        if kind.is_installed():
            chosen[name] = kind
            continue
        extra = f'it needs an extra: pip install "cnnkit[{kind.extra}]"'
        if not every:
            raise UsageError(
                f"{name} cannot be written: {extra}. To write other formats: --format tflite."
            )
        note(f"{name} is left out, because {extra}.")
    return chosen

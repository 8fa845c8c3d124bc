"""Write a run's model in other formats; a format whose answers differ is not kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export.export_folder import PARITY_NAME, check_export_folder
from cnnkit.export.exported import Export
from cnnkit.export.formats import FORMATS, Format
from cnnkit.export.golden import DEFAULT_LIMIT, check_parity
from cnnkit.files import write_json, write_text
from cnnkit.memory import explaining_lack_of_memory, this_computer_has
from cnnkit.model.model_info import LABELS_NAME
from cnnkit.runs import Run, note_unfinished
from cnnkit.runtimes import lacking, predictor_of
from cnnkit.text import size_text
from cnnkit.utf8_paths import utf8_alias

if TYPE_CHECKING:
    from cnnkit.export.original import Original


def export_run(
    run: Run,
    formats: Sequence[str] = (),
    *,
    output: Path | None = None,
    limit: float = DEFAULT_LIMIT,
    note: Callable[[str], None] = lambda text: None,
) -> Export:
    """Write each format into the run's export folder and compare its answers with the original's.

    A format that fails the comparison leaves no file; the formats before it are kept.

    Args:
        run: a finished run, or an interrupted one that has kept its best weights.
        formats: keys of `FORMATS`; empty for all that this installation can write.
        output: another folder to write into, which is new or an earlier export.
        limit: the largest allowed difference of a probability.
        note: called with each sentence for the user.

    Raises:
        CnnkitError: an export differs from the model by more than `limit`, gives NaN, or gives
            the same answer to all images.
        UsageError: the run lacks files, a format needs an extra that is not installed, or
            something else has the name of an export, or nothing can be written.
    """
    # All that can be refused is refused before TensorFlow is imported, which takes seconds.
    missing = [file for file in (run.best, run.tflite, run.golden) if not file.exists()]
    if missing:
        raise lacking(run, missing)
    formats = formats or _writable_formats(note)
    for name in formats:
        _check_installed(name, FORMATS[name])
    folder = check_export_folder(run, output, [FORMATS[name].file for name in formats])
    status = note_unfinished(run, note)
    with explaining_lack_of_memory(lambda: _need(run)):
        return Export(folder, _write_formats(run, folder, formats, limit, note), status)


def _need(run: Run) -> str:
    size = size_text(run.best.stat().st_size)
    return (
        f"Exporting {run.best} ({size}) needs several times its size, and {this_computer_has()}. "
        "Close other programs, or choose one format with --format."
    )


def _write_formats(
    run: Run, folder: Path, formats: Sequence[str], limit: float, note: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    from cnnkit.export.original import load_original

    original = load_original(run, note)
    folder.mkdir(parents=True, exist_ok=True)
    parity: dict[str, dict[str, Any]] = {}
    for name in formats:
        parity[name] = _export_one(name, folder, original, limit)
        # After each format, so that the file is also right if a later format fails.
        write_json(
            folder / PARITY_NAME,
            {"limit": limit, "num_images": len(original.golden.pixels), "formats": parity},
        )
    write_text(folder / LABELS_NAME, original.info.labels())
    return parity


def _export_one(name: str, folder: Path, original: Original, limit: float) -> dict[str, Any]:
    kind = FORMATS[name]
    target = folder / kind.file
    # In the same folder as the target, so that the move at the end is a rename.
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as temporary,
        utf8_alias(Path(temporary)) as alias,
    ):
        fresh = alias / target.name
        facts = kind.write(original, fresh)
        try:
            # The file is compared before it gets its name: a wrong one is never left behind.
            predictor = predictor_of(fresh / kind.model if kind.model else fresh)
            parity = check_parity(predictor, original.golden, limit=limit)
        except CnnkitError as error:
            raise CnnkitError(f"{name}: {error} Nothing was exported to {target}.") from error
        values = {"file": target.name, "bytes": _size(fresh), **parity, **facts}
        if target.is_dir():  # os.replace cannot replace a folder that has files
            shutil.rmtree(target)
        os.replace(fresh, target)
    return values


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _check_installed(name: str, kind: Format) -> None:
    if not kind.is_installed():
        raise UsageError(
            f'{name} needs an extra: pip install "cnnkit[{kind.extra}]". To write other formats: '
            "--format saved_model --format tflite."
        )


def _writable_formats(note: Callable[[str], None]) -> tuple[str, ...]:
    """Return the formats of an export that names none, and say which need an extra."""
    usual = {name: kind for name, kind in FORMATS.items() if kind.by_default}
    for name, kind in usual.items():
        if not kind.is_installed():
            note(f'{name} is left out: it needs an extra, pip install "cnnkit[{kind.extra}]".')
    return tuple(name for name, kind in usual.items() if kind.is_installed())

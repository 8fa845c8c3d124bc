"""Write a run's model in other formats; a format whose answers differ is not kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export.golden import DEFAULT_LIMIT, Golden, check_parity
from cnnkit.files import write_json, write_text
from cnnkit.memory import explaining_lack_of_memory, this_computer_has
from cnnkit.model.calibrated_layers import DISTANCE, calibrated_model, load_references
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo, read_appended_info
from cnnkit.new_folders import check_writable
from cnnkit.output_guard import check_output
from cnnkit.runs import Run, note_unfinished
from cnnkit.runtimes import lacking, load_predictor
from cnnkit.tables import table_text
from cnnkit.text import quoted, size_text
from cnnkit.utf8_paths import utf8_alias

# The file or folder of each format in the export folder. What writes them is imported later:
# it needs TensorFlow, whose import takes seconds, and mistakes should show at once.
FILE_NAMES = {"saved_model": "saved_model", "tflite": "model.tflite", "onnx": "model.onnx"}
_ONNX_EXTRA = ("tf2onnx", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Export:
    """The files of one export.

    Args:
        folder: where they are.
        formats: for each format its `file`, its size in `bytes`, and `max_difference` and
            `top1_agreement` as from `check_parity`.
        run_status: of the run: finished, interrupted, ...
    """

    folder: Path
    formats: dict[str, dict[str, Any]]
    run_status: str

    def as_dict(self) -> dict[str, Any]:
        """Return the folder, the status of the run and the formats, ready for JSON."""
        return {
            "folder": str(self.folder),
            "run_status": self.run_status,
            "formats": self.formats,
        }

    def text(self) -> str:
        """Return a table with one row per file, and a command that uses the first of them."""
        rows = [
            [
                str(self.folder / values["file"]),
                f"{values['bytes'] / 1e6:.2f} MB",
                f"{values['max_difference']:.1e}",
                f"{values['top1_agreement']:.2f}",
            ]
            for values in self.formats.values()
        ]
        numbers = ["size", "max_difference", "top1_agreement"]
        return (
            table_text(["file", *numbers], rows, right=numbers)
            + f"\nnext: cnnkit predict IMAGE --model {quoted(rows[0][0])}"
        )


def export_run(
    run: Run,
    formats: Sequence[str] = (),
    *,
    limit: float = DEFAULT_LIMIT,
    note: Callable[[str], None] = lambda text: None,
) -> Export:
    """Write each format into the run's export folder and compare its answers with the original's.

    A format that fails the comparison leaves no file; the formats before it are kept.

    Args:
        run: a finished run, or an interrupted one that has kept its best weights.
        formats: keys of `FILE_NAMES`; empty for all that this installation can write.
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
    if "onnx" in formats and not _has_onnx():
        raise UsageError(
            'ONNX needs an extra: pip install "cnnkit[onnx]". To write the other formats: '
            "--format saved_model --format tflite."
        )
    check_writable(run.export, "Make it writable, or export a copy of the run.")
    for name in formats:
        _check_target(run.export / FILE_NAMES[name])
    status = note_unfinished(run, note)
    with explaining_lack_of_memory(lambda: _need(run)):
        return Export(run.export, _write_formats(run, formats, limit), status)


def _need(run: Run) -> str:
    size = size_text(run.best.stat().st_size)
    return (
        f"Exporting {run.best} ({size}) needs several times its size, and {this_computer_has()}. "
        "Close other programs, or choose one format with --format."
    )


def _write_formats(run: Run, formats: Sequence[str], limit: float) -> dict[str, dict[str, Any]]:
    model = load_keras_model(run.best)
    info = read_appended_info(run.tflite)
    golden = Golden.load(run.golden)
    if info.calibration is not None:
        references = load_references(run.calibration.with_suffix(".npz"))
        model = calibrated_model(model, info.calibration.temperature, references)
        found = model(golden.pixels, training=False)[DISTANCE]
        golden = replace(golden, distances=np.asarray(found)[:, 0])
    model(golden.pixels[:1], training=False)  # Keras cannot write ONNX before a first call
    run.export.mkdir(exist_ok=True)
    parity: dict[str, dict[str, Any]] = {}
    for name in formats:
        target = run.export / FILE_NAMES[name]
        parity[name] = _export_one(name, target, model, info, golden, limit)
        # After each format, so that the file is also right if a later format fails.
        write_json(
            run.export / "parity.json",
            {"limit": limit, "num_images": len(golden.pixels), "formats": parity},
        )
    write_text(run.export / LABELS_NAME, info.labels())
    return parity


def _check_target(target: Path) -> None:
    """Refuse to replace what is not an earlier export.

    Raises:
        UsageError: the target is a folder that cnnkit did not write, or a picture.
    """
    if not target.is_dir():
        check_output(target, "--format", (target.suffix,), overwrite=True, in_run=True)
    elif not (target / INFO_NAME).is_file():
        raise UsageError(
            f"{target} is a folder that cnnkit did not write. Move it to another place, or choose "
            "other formats with --format."
        )


def _export_one(
    name: str, target: Path, model: Any, info: ModelInfo, golden: Golden, limit: float
) -> dict[str, Any]:
    from cnnkit.export.formats import WRITERS

    # In the same folder as the target, so that the move at the end is a rename.
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as folder,
        utf8_alias(Path(folder)) as alias,
    ):
        fresh = alias / target.name
        WRITERS[name](model, info, fresh)
        try:
            # The file is compared before it gets its name: a wrong one is never left behind.
            parity = check_parity(load_predictor(fresh, target.parent), golden, limit=limit)
        except CnnkitError as error:
            raise CnnkitError(f"{name}: {error} Nothing was exported to {target}.") from error
        parity |= {"file": target.name, "bytes": _size(fresh)}
        if target.is_dir():  # os.replace cannot replace a folder that has files
            shutil.rmtree(target)
        os.replace(fresh, target)
    return parity


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _writable_formats(note: Callable[[str], None]) -> tuple[str, ...]:
    """Return the formats that this installation can write, and say why ONNX is not one of them."""
    if _has_onnx():
        return tuple(FILE_NAMES)
    note('ONNX is left out, because it needs an extra: pip install "cnnkit[onnx]".')
    return tuple(name for name in FILE_NAMES if name != "onnx")


def _has_onnx() -> bool:
    # Looked for but not imported: tf2onnx imports TensorFlow, which takes seconds.
    return all(find_spec(name) for name in _ONNX_EXTRA)

"""A run enters; models in other formats leave, each replayed on the run's golden samples."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.export.formats import FORMATS, write_tflite
from cnnkit.export.golden import DEFAULT_LIMIT, Golden, check_parity, golden_samples
from cnnkit.files import write_json, write_text
from cnnkit.model.loading import load_keras_model
from cnnkit.model.model_info import LABELS_NAME, read_appended_info
from cnnkit.runs import Run
from cnnkit.runtimes import lacking, load_predictor


def default_formats() -> tuple[str, ...]:
    """Return the formats that this installation can write; ONNX needs its extra."""
    return tuple(name for name in FORMATS if name != "onnx" or _has_onnx())


def export_run(
    run: Run, formats: Sequence[str], *, limit: float = DEFAULT_LIMIT
) -> dict[str, dict[str, Any]]:
    """Write each format into the run's export folder and return its parity with the original.

    A format that fails its check leaves nothing behind; those before it stay.

    Raises:
        CnnkitError: an export differs from the model by more than `limit`, or is constant or NaN.
        UsageError: the run is not finished, or a format needs an extra that is not there.
    """
    missing = [file for file in (run.best, run.tflite, run.golden) if not file.exists()]
    if missing:
        raise lacking(run, missing)
    if "onnx" in formats and not _has_onnx():
        raise UsageError(
            'ONNX needs an extra: pip install "cnnkit[onnx]". The other formats: '
            "--format saved_model --format tflite."
        )
    model = load_keras_model(run.best)
    info = read_appended_info(run.tflite)
    golden = Golden.load(run.golden)
    model(golden.pixels[:1], training=False)  # Keras writes no ONNX of a model it never called
    run.export.mkdir(exist_ok=True)
    parity = {}
    for name in formats:
        target = run.export / FORMATS[name].file_name
        parity[name] = _export_one(name, target, model, info, golden, limit)
        write_json(
            run.export / "parity.json",
            {"limit": limit, "num_images": len(golden.pixels), "formats": parity},
        )
    write_text(run.export / LABELS_NAME, info.labels())
    return parity


def _export_one(
    name: str, target: Path, model: Any, info: Any, golden: Golden, limit: float
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as folder:
        fresh = Path(folder) / target.name
        FORMATS[name].write(model, info, fresh)
        try:
            parity = check_parity(load_predictor(fresh, target.parent), golden, limit=limit)
        except CnnkitError as error:
            raise CnnkitError(f"{name}: {error} Nothing was exported to {target}.") from error
        parity |= {"file": target.name, "bytes": _size(fresh)}
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(fresh, target)
    return parity


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _has_onnx() -> bool:
    return all(find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))


__all__ = [
    "DEFAULT_LIMIT",
    "FORMATS",
    "Golden",
    "check_parity",
    "default_formats",
    "export_run",
    "golden_samples",
    "write_tflite",
]

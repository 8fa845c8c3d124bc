"""The formats that `cnnkit export` writes, one row each.

What writes them is imported when it is called: it needs TensorFlow, whose import takes seconds, and
mistakes should show at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnkit.export.original import Original

Facts = dict[str, Any]

_TFLITE_SCRIPT = "predict_tflite.py"


@dataclass(frozen=True)
class Format:
    """One format of exported models.

    Args:
        file: the name of the file or folder in the export folder.
        write: writes the model to a path that does not exist yet, and returns facts for
            parity.json, such as what was measured on the way.
        model: the file in the folder that answers images; empty if `file` itself does.
        use: a command that uses it, with {} for its path.
        by_default: whether it is written if no format is chosen.
        is_judged: whether its numbers are smaller than float32, so that it is judged by its
            accuracy on held-out images instead of by the differences of probabilities.
        script: that predicts with it and does not need cnnkit, such as `predict_onnx.py`.
        extra: of the installation that writes it, as in `pip install "cnnkit[onnx]"`.
        packages: that this extra brings.
    """

    file: str
    write: Callable[[Original, Path], Facts]
    model: str = ""
    use: str = "cnnkit predict IMAGE --model {}"
    by_default: bool = True
    is_judged: bool = False
    script: str = ""
    extra: str = ""
    packages: tuple[str, ...] = ()

    def is_installed(self) -> bool:
        """Return whether this installation can write the format."""
        # Looked for but not imported: tf2onnx imports TensorFlow.
        return all(find_spec(name) for name in self.packages)


def _saved_model(original: Original, path: Path) -> Facts:
    from cnnkit.export.bytes_difference import bytes_difference
    from cnnkit.export.saved_model import write_saved_model

    saved = write_saved_model(original.model, original.features, original.info, path)
    return {"bytes_signature": bytes_difference(saved, original)}


def _tflite(original: Original, path: Path) -> Facts:
    from cnnkit.export.tflite_file import write_tflite

    write_tflite(original.model, original.info, path)
    # In a file for any number of images, sizes that depend on it are not known.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        of_one = Path(folder) / path.name
        write_tflite(original.model, original.info, of_one, num_images=1)
        return _with_profile(of_one)


def _float16_tflite(original: Original, path: Path) -> Facts:
    from cnnkit.export.tflite_file import write_float16_tflite

    write_float16_tflite(original.model, original.info, path)
    return {}


def _dynamic_tflite(original: Original, path: Path) -> Facts:
    from cnnkit.export.tflite_file import write_dynamic_tflite

    write_dynamic_tflite(original.model, original.info, path)
    return {}


def _int8_tflite(original: Original, path: Path) -> Facts:
    from cnnkit.export.tflite_file import write_int8_tflite
    from cnnkit.export.training_images import balanced_images

    images, num_classes = balanced_images(original.run, original.info.pixels)
    write_int8_tflite(original.model, original.info, path, images)
    counts = {"calibration_images": len(images), "calibration_classes": num_classes}
    return counts | _with_profile(path)


def _with_profile(path: Path) -> Facts:
    from cnnkit.export.device_profile import device_profile

    return {"device": vars(device_profile(path))}


def _onnx(original: Original, path: Path) -> Facts:
    from cnnkit.export.onnx_file import write_onnx

    write_onnx(original.model, original.info, path)
    return {}


def _openvino(original: Original, path: Path) -> Facts:
    from cnnkit.export.openvino_ir import write_openvino

    write_openvino(original.model, original.info, path)
    return {}


def _keras(original: Original, path: Path) -> Facts:
    from cnnkit.model.backbones.own_models import layers_of
    from cnnkit.model.model_info import append_info

    original.model.save(path)
    append_info(path, original.info)  # a .keras file is a ZIP archive
    # Keras knows the layer of a TF Hub module only if cnnkit is imported.
    has_hub = any(type(layer).__name__ == "HubModule" for layer in layers_of(original.model))
    return {"needs_cnnkit": True} if has_hub else {}


def _browser(original: Original, path: Path) -> Facts:
    from cnnkit.export.browser_folder import write_browser_folder

    write_browser_folder(
        original.model, original.info, path, original.note, has_sounds=original.has_sounds
    )
    return {}


_SMALLER: dict[str, Any] = {
    "by_default": False,
    "is_judged": True,
    "script": _TFLITE_SCRIPT,
}

FORMATS: Mapping[str, Format] = {
    "saved_model": Format("saved_model", _saved_model, script="predict_saved_model.py"),
    "keras": Format("model.keras", _keras, script="predict_keras.py"),
    "tflite": Format("model.tflite", _tflite, script=_TFLITE_SCRIPT),
    "tflite-float16": Format("model_float16.tflite", _float16_tflite, **_SMALLER),
    "tflite-dynamic": Format("model_dynamic.tflite", _dynamic_tflite, **_SMALLER),
    "tflite-int8": Format("model_int8.tflite", _int8_tflite, **_SMALLER),
    "onnx": Format(
        "model.onnx",
        _onnx,
        script="predict_onnx.py",
        extra="onnx",
        packages=("tf2onnx", "onnx", "onnxruntime"),
    ),
    "openvino": Format(
        "openvino",
        _openvino,
        script="predict_openvino.py",
        extra="openvino",
        packages=("openvino",),
    ),
    # It downloads LiteRT.js, so it must be asked for.
    "browser": Format(
        "browser",
        _browser,
        model="model.tflite",
        use="python -m http.server --bind 127.0.0.1 --directory {}",
        by_default=False,
    ),
}

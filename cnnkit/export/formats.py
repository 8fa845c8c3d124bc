"""The formats that `cnnkit export` writes, one row each.

What writes them is imported when it is called: it needs TensorFlow, whose import takes seconds, and
mistakes should show at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnkit.export.original import Original

Facts = dict[str, Any]


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
        extra: of the installation that writes it, as in `pip install "cnnkit[onnx]"`.
        packages: that this extra brings.
    """

    file: str
    write: Callable[[Original, Path], Facts]
    model: str = ""
    use: str = "cnnkit predict IMAGE --model {}"
    by_default: bool = True
    extra: str = ""
    packages: tuple[str, ...] = ()

    def is_installed(self) -> bool:
        """Return whether this installation can write the format."""
        # Looked for but not imported: tf2onnx imports TensorFlow.
        return all(find_spec(name) for name in self.packages)


def _saved_model(original: Original, path: Path) -> Facts:
    from cnnkit.export.saved_model import write_saved_model

    write_saved_model(original.model, original.info, path)
    return {}


def _tflite(original: Original, path: Path) -> Facts:
    from cnnkit.export.tflite_file import write_tflite

    write_tflite(original.model, original.info, path)
    return {}


def _onnx(original: Original, path: Path) -> Facts:
    from cnnkit.export.onnx_file import write_onnx

    write_onnx(original.model, original.info, path)
    return {}


def _browser(original: Original, path: Path) -> Facts:
    from cnnkit.export.browser_folder import write_browser_folder

    write_browser_folder(original.model, original.info, path, original.note)
    return {}


FORMATS: Mapping[str, Format] = {
    "saved_model": Format("saved_model", _saved_model),
    "tflite": Format("model.tflite", _tflite),
    "onnx": Format("model.onnx", _onnx, extra="onnx", packages=("tf2onnx", "onnx", "onnxruntime")),
    # It downloads LiteRT.js, so it must be asked for.
    "browser": Format(
        "browser",
        _browser,
        model="model.tflite",
        use="python -m http.server --bind 127.0.0.1 --directory {}",
        by_default=False,
    ),
}

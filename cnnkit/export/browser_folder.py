"""Write a folder that classifies pictures in a browser, without network: the model and a page."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from cnnkit.data.cache.folder import cache_folder
from cnnkit.data.sources.download import fetch
from cnnkit.data.sources.litert_js import LITERT_JS_CORE, LITERT_JS_LOADER, LITERT_JS_VERSION
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.model_info import INFO_NAME, LABELS_NAME, ModelInfo
from cnnkit.pages import render_page
from cnnkit.text import count_of

MODEL_NAME = "model.tflite"
_TITLE = "Classify a picture"
_ON_SOUNDS = " The network was trained on sounds, which this page cannot read."
_SCRIPTS = ("classifier.js", "pixels.js")
_RUNTIME = "litert"
# Of each archive, what the page loads: file in the archive -> file in the folder. Browsers without
# relaxed SIMD instructions load the compatible ones.
_PARTS = {
    LITERT_JS_CORE: {
        "package/dist/index.js": "index.js",
        "package/wasm/litert_wasm_internal.js": "litert_wasm_internal.js",
        "package/wasm/litert_wasm_internal.wasm": "litert_wasm_internal.wasm",
        "package/wasm/litert_wasm_compat_internal.js": "litert_wasm_compat_internal.js",
        "package/wasm/litert_wasm_compat_internal.wasm": "litert_wasm_compat_internal.wasm",
    },
    LITERT_JS_LOADER: {"package/dist/index.js": "wasm_utils.js"},
}
_CHANGED = "// cnnkit has changed this file: it imports wasm_utils.js from this folder.\n"


def write_browser_folder(
    model: Any, info: ModelInfo, folder: Path, note: Callable[[str], None], *, has_sounds: bool
) -> None:
    """Write the model, its labels and settings, LiteRT.js, and the page that uses them.

    LiteRT.js is downloaded once and kept in the cache.

    Args:
        model: the Keras model.
        info: of the model.
        folder: is made.
        note: called with one sentence on each thing the user should know.
        has_sounds: whether the model was trained on WAV files, which the page cannot read.

    Raises:
        DataError: LiteRT.js cannot be downloaded; the text says where to put it by hand.
    """
    if info.pixels.sample_range is not None:
        note("Browsers read pictures with more than 8 bits per sample without data.sample_range.")
    if has_sounds:
        note(
            "browser: its page reads pictures but not the WAV files that the model was trained on."
        )
    (folder / _RUNTIME).mkdir(parents=True)
    _write_runtime(folder / _RUNTIME, note)
    # LiteRT.js refuses a file with an open number of images.
    write_tflite(model, info, folder / MODEL_NAME, num_images=1)
    templates = files("cnnkit.export") / "templates"
    texts = {INFO_NAME: info.to_json(), LABELS_NAME: info.labels()}
    texts |= {name: (templates / name).read_text("utf-8") for name in _SCRIPTS}
    texts[f"{_RUNTIME}/LICENSE"] = (templates / "LICENSE").read_text("utf-8")
    for name, template in (("index.html", "browser.html"), ("README.txt", "browser_readme.txt")):
        texts[name] = _page(template, info, _ON_SOUNDS * has_sounds)
    for name, text in texts.items():
        # Jinja removes the last line break.
        (folder / name).write_text(text.rstrip() + "\n", encoding="utf-8", newline="\n")


def _page(template: str, info: ModelInfo, more: str) -> str:
    height, width = info.pixels.image_size
    size = f"{width} x {height} pixels, {info.pixels.color_mode}, {info.pixels.resize}"
    classes = count_of(len(info.class_names), "class", "classes")
    values = {
        "title": _TITLE,
        "about": f"{classes}, {size}.{more}",
        "version": LITERT_JS_VERSION,
        "data": {},
    }
    return render_page("cnnkit.export", template, **values)


def _write_runtime(folder: Path, note: Callable[[str], None]) -> None:
    for remote, parts in _PARTS.items():
        archive = fetch(remote, cache_folder() / "downloads", note=note)
        with tarfile.open(archive) as opened:
            for inner, name in parts.items():
                # The archive is the published one, so every part is there.
                (folder / name).write_bytes(opened.extractfile(inner).read())
    start = folder / "index.js"
    # A bare name would need an import map in every page; the source map is not in the folder.
    text = start.read_text("utf-8").replace('"@litertjs/wasm-utils"', '"./wasm_utils.js"')
    text = text.replace("//# sourceMappingURL=index.js.map", "")
    start.write_text(_CHANGED + text, encoding="utf-8", newline="\n")

"""Compare pixels and answers of an exported browser folder in Chromium with those of cnnkit.

Run: cnnkit export runs/photos --format browser
     python scripts/browser_pixels.py runs/photos/export/browser photos/test/*/*.jpg
"""

from __future__ import annotations

import base64
import functools
import shutil
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from cnnkit.data.pixels import read_pixels
from cnnkit.runtimes import predictor_of

_ASK = """async (content) => {
  window.loading ??= (await import("/classifier.js")).loadClassifier();
  const classifier = await window.loading;
  const { readPixels } = await import("/pixels.js");
  const blob = new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))]);
  const pixels = [...await readPixels(blob, classifier.info.pixels)];
  return [pixels, await classifier.classify(blob)];
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def main(folder: Path, images: list[Path]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    predictor = predictor_of(folder / "model.tflite")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/README.txt")
        rows = np.array([_differences(page, path, predictor) for path in images])
    pixels, largest, answers, same, milliseconds = rows.T
    print(f"{len(rows)} images, {predictor.info.pixels}")
    print(f"pixels: {pixels.mean():.3f} levels on average, {largest.max():.0f} at most")
    print(f"probabilities: {np.median(answers):.2g} (median), {answers.max():.2g} at most")
    print(f"same class: {same.sum():.0f}; network: {np.median(milliseconds):.0f} ms (median)")


def _differences(page, path, predictor):
    info = predictor.info
    pixels = read_pixels(path, info.pixels)
    probabilities = predictor(pixels[None])[0]
    found, answer = page.evaluate(_ASK, base64.b64encode(path.read_bytes()).decode())
    difference = np.abs(np.reshape(found, pixels.shape) - pixels)
    others = {each["class"]: each["probability"] for each in answer["top"]}
    ours = [others[name] for name in info.class_names]
    return (
        difference.mean(),
        difference.max(),
        np.abs(ours - probabilities).max(),
        np.argmax(ours) == np.argmax(probabilities),
        answer["milliseconds"]["network"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])

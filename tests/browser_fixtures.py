"""A small calibrated run, its browser folder, and photographs for both."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from conftest import write_tiny_images
from images import file_bytes, four_corners
from PIL import Image
from sklearn.datasets import load_sample_image

from cnnkit.calibration.calibrate_run import Wanted, calibrate_run
from cnnkit.data.sources.download import fetch
from cnnkit.data.sources.litert_js import LITERT_JS_FILES
from cnnkit.errors import DataError
from cnnkit.export import export_run
from cnnkit.runs import Run


@pytest.fixture(scope="session")
def litert_js(made_once):
    """Put LiteRT.js into the cache; skip the test if it cannot be downloaded."""
    try:
        folder = made_once(
            "litert-js", lambda path: [fetch(file, path) for file in LITERT_JS_FILES]
        )
    except DataError as error:
        pytest.skip(f"LiteRT.js is not here: {error}")
    downloads = Path(os.environ["CNNKIT_CACHE"]) / "downloads"
    shutil.copytree(folder, downloads, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def calibrated_run(trained_run, made_once):
    """Return a run that answers `unknown` for foreign pictures; tests must not change it."""

    def calibrate(folder):
        run = Run(folder / "run")
        shutil.copytree(trained_run.folder, run.folder)
        calibrate_run(run, Wanted(accept=0.9))

    return Run(made_once("calibrated", calibrate) / "run")


@pytest.fixture(scope="session")
def browser_run(calibrated_run, made_once, litert_js):
    """Return the same run with an exported browser folder; tests must not change it."""

    def export(folder):
        run = Run(folder / "run")
        shutil.copytree(calibrated_run.folder, run.folder)
        export_run(run, ["browser"])

    return Run(made_once("browser", export) / "run")


@pytest.fixture(scope="session")
def photographs(made_once):
    """Return files: parts of two photographs, a turned and a transparent picture, two colours."""

    def write(folder):
        colours = write_tiny_images(folder.parent / "colours", images_per_class=1, seed=7)
        for name in ("blue", "red"):
            shutil.copy(colours / name / "0.png", folder / f"{name}.png")
        for name in ("china", "flower"):
            whole = Image.fromarray(load_sample_image(f"{name}.jpg"))
            for place in range(4):
                part = whole.crop((place * 80, place * 40, place * 80 + 400, place * 40 + 307))
                part.save(folder / f"{name}{place}.{('jpg', 'png')[place % 2]}", quality=90)
        whole.save(folder / "large.jpg")
        exif = Image.Exif()
        exif[0x0112] = 6
        corners = four_corners(64, 48)
        (folder / "turned.jpg").write_bytes(file_bytes(corners, "JPEG", exif=exif))
        transparent = corners.convert("RGBA")
        transparent.putalpha(Image.linear_gradient("L").resize(corners.size))
        transparent.save(folder / "transparent.png")

    return sorted(made_once("photographs", write).iterdir())

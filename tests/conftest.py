"""Fixtures that several test files share, and what protects tests from each other."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from browser import open_page, serve_folder  # noqa: F401 (fixtures)
from filelock import FileLock
from hypothesis.configuration import set_hypothesis_home_dir
from images import write_classes, write_image
from PIL import Image
from places import ROOT

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
set_hypothesis_home_dir(ROOT / ".hypothesis")  # its default is in the current folder


@pytest.fixture(autouse=True, scope="session")
def _session_folder(tmp_path_factory):
    """Keep the user's cache and settings away, and what fixtures write out of the checkout."""
    folder = tmp_path_factory.mktemp("session")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CNNKIT_")]:
            if name != "CNNKIT_TEST_DATA":
                patch.delenv(name)
        patch.setenv("CNNKIT_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        yield folder


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard():
    """Let the processes of tests hear SIGINT, which is ignored in the background of a script."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _no_garbage_in_imports():
    """Leave what is imported by now out of garbage collection, which Keras runs for each model."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _pillow_keeps_its_limit(monkeypatch):
    """`cnnkit serve` changes the most pixels of a picture, for the whole process."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


@pytest.fixture(autouse=True)
def _current_folder(_session_folder):
    """Run each test in an empty folder, so that no file in the current folder helps or harms it.

    It is not `tmp_path`, because paths inside the current folder are printed without it.
    """
    folder = _session_folder / "current"
    folder.mkdir()
    os.chdir(folder)
    yield
    os.chdir(_session_folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Return a function that fills a folder once, for all workers of pytest-xdist.

    `made_once(name, fill)` calls `fill(folder)` in the first worker that asks for this name, makes
    the others wait, and returns the folder. Tests must not change what is in it.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each worker has a folder of its own in that of the session

    def filled(name, fill):
        path = folder / f"shared-{name}"
        with FileLock(f"{path}.lock"):
            if not path.exists():
                path.mkdir()
                try:
                    fill(path)
                except BaseException:
                    shutil.rmtree(path)  # so that the next test fails for the same reason
                    raise
        return path

    return filled


@pytest.fixture
def tiny_images(tmp_path):
    """Return a folder of 3 classes x 8 noisy one-coloured images of 16 px."""
    return write_tiny_images(tmp_path / "tiny")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Return an empty cache folder for this test alone."""
    monkeypatch.setenv("CNNKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def sets_cache(own_cache, tmp_path, monkeypatch):
    """Return an empty cache; Keras has none either, and no proxy answers."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    return own_cache


@pytest.fixture
def pack_cache(own_cache):
    """Return the folder of packs in an empty cache."""
    return own_cache / "pixels"


@pytest.fixture
def pack_files(tmp_path):
    """Return 24 image files."""
    from packs import write_files

    return write_files(tmp_path / "files", 24)


@pytest.fixture(params=["disk", "off"])
def tiny_dataset(tiny_images, request):
    """Return the data set of `tiny_images`, with its pixels on disk or decoded each time."""
    from images import data_config

    from cnnkit.data.dataset import load_dataset

    return load_dataset(data_config(tiny_images, cache=request.param))


@pytest.fixture
def cats_and_owls(tmp_path):
    """Return a folder of 20 cats and 10 owls."""
    return write_classes(tmp_path / "photos", {"cat": 20, "owl": 10})


@pytest.fixture
def own_photos(tmp_path, monkeypatch):
    """Return a folder of photos, in the current folder, with a config next to it."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "photos", {"cat": 6, "owl": 6})
    write_image(tmp_path / "photos" / "owl" / "copy.png", seed=3, width=80, height=60)
    with Image.open(tmp_path / "photos" / "owl" / "copy.png") as image:  # a near duplicate
        image.save(tmp_path / "photos" / "cat" / "copy.jpg", quality=95)
    (tmp_path / "a.yaml").write_text(
        "data: {source: photos, image_size: 16}\nmodel: {layers: [flatten]}\n"
    )
    (tmp_path / "rubric.yaml").write_text(
        "data: {source: photos}\npass_mark: 1\n"
        "criteria: [{parameters: {at_most: 20000}, points: 1}]\n"
    )
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def hub_folder(made_once):
    """Return the folder of a small module of TF Hub; tests must not change it."""
    from hub_modules import TrainableModule, save_module

    return made_once("hub", lambda folder: save_module(TrainableModule(), folder))


@pytest.fixture(scope="session")
def resume_start(made_once):
    """Return a folder with images, two configs, and what they give in one go."""
    from interrupted_runs import train_in_one_go

    return made_once("resume", train_in_one_go)


@pytest.fixture(scope="session")
def interrupted_once(resume_start, made_once):
    """Return a run that was interrupted after its second epoch; tests must not change it."""
    from interrupted_runs import interrupted_run

    from cnnkit.runs import find_run

    config = resume_start / "plain.yaml"
    return find_run("cut", made_once("cut", lambda folder: interrupted_run(config, folder, 2)))


@pytest.fixture
def cut_run(interrupted_once, resume_start, tmp_path):
    """Return a copy of that run, on a copy of the images."""
    from cnnkit.runs import Run

    shutil.copytree(resume_start / "images", tmp_path / "images")
    run = Run(tmp_path / "cut")
    shutil.copytree(interrupted_once.folder, run.folder)
    text = run.config.read_text()
    assert str(resume_start / "images") in text
    run.config.write_text(text.replace(str(resume_start / "images"), str(tmp_path / "images")))
    return run


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of real data sets; skip the test if there is none."""
    folder = Path(os.environ.get("CNNKIT_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CNNKIT_TEST_DATA to a folder that has it")
    return folder


def write_tiny_images(folder, *, images_per_class=8, size=16, seed=0):
    """Write class folders of pictures that are brightest in the colour of their class."""
    random = np.random.default_rng(seed)
    for channel, name in ((2, "blue"), (1, "green"), (0, "red")):
        (folder / name).mkdir(parents=True)
        for index in range(images_per_class):
            pixels = random.integers(0, 100, (size, size, 3), dtype=np.uint8)
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


_TINY_CONFIG = """
data:
  source: images
  image_size: 16
  split: {validation: 0.2, test: 0.2}
  batch_size: 8
model:
  layers:
    - conv: {filters: 4, kernel_size: 3, activation: relu}
    - global_pool
training:
  epochs: 6
  optimizer: {adam: {learning_rate: 0.05}}
"""


@pytest.fixture(scope="session")
def tiny_config(made_once):
    """Return a config file that trains in seconds on three colours, 12 images each."""

    def write(folder):
        write_tiny_images(folder / "images", images_per_class=12)
        (folder / "tiny.yaml").write_text(_TINY_CONFIG)

    return made_once("tiny", write) / "tiny.yaml"


@pytest.fixture(scope="session")
def trained_run(tiny_config, made_once):
    """Return the finished run of `tiny_config`; a test that changes it makes the session fail."""
    import cnnkit
    from cnnkit.runs import find_run

    folder = made_once("runs", lambda folder: cnnkit.train(tiny_config, runs_folder=folder))
    run = find_run("tiny", folder)
    before = _files(run.folder)
    yield run
    assert _files(run.folder) == before, "a test has changed the run that all tests share"


@pytest.fixture
def no_pictures(monkeypatch):
    """Let matplotlib draw nothing: pictures take a quarter of a tiny training. Files are empty."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)


def _files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

"""Damaged files of runs and of the cache: commands say what is damaged, or make it again."""

from __future__ import annotations

import io
import json
import platform
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzzing import Mutant, check_cases, random_of
from images import data_config
from mutations import mutated
from odd_files import is_signed, odd_index, odd_json, odd_lines

from cnnkit.data.cache.feature_rows import feature_rows
from cnnkit.data.cache_report import CacheReport, remove
from cnnkit.data.dataset import load_dataset
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.data.sources.listing import find_images
from cnnkit.data.split.division import divide
from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.explore.summarize import summarize
from cnnkit.prediction import predict
from cnnkit.runs import Run, find_run, newest_run, unfinished_runs
from cnnkit.runs.in_training import only_training
from cnnkit.runtimes import load_predictor
from cnnkit.streams import json_text

_FILES = (
    "run.json", "split.csv", "classes.txt", "index.bin", "run.json", "split.csv", "about.json",
    "pixels.npy", "index.bin", "history.csv", "config.yaml", "model.tflite", "features.npy",
    "contents.bin", "classes.txt", "golden.npz", "training.npz",
)  # fmt: skip
_QUICK = 60  # cases that do not need TensorFlow, which takes longer to import than they all
_KEY = "0" * 32
_folder = Path()  # of the undamaged files; set by `prepare`


def prepare(folder):
    """Remember where the undamaged files are."""
    global _folder
    _folder = folder / "input"


def begin(indices):
    """Draw no pictures, which would take most of the time; import TensorFlow before it is timed."""
    from matplotlib.figure import Figure

    Figure.savefig = lambda *_, **__: None
    platform.processor()  # of which libraries ask; Python starts a program the first time
    if max(indices) >= _QUICK:
        from cnnkit import backend, training  # noqa: F401


def mutant(index):
    """Return a damaged file of a run or of the cache; its name says where it belongs."""
    random, wanted = random_of(index), _FILES[index % len(_FILES)]
    places = [path for path in sorted(_folder.rglob("*")) if path.name in _FILES]
    path = next(place for place in places if place.name == wanted)
    content, others = path.read_bytes(), [place.read_bytes() for place in places]
    if path.suffix == ".json" and random.random() < 0.6:
        content = odd_json(content, random)
    elif path.suffix in (".csv", ".txt", ".yaml") and random.random() < 0.6:
        content = odd_lines(content, random)
    elif wanted == "index.bin" and random.random() < 0.6:
        content = odd_index(content, random)
    elif wanted == "model.tflite":  # what is before the class names is read by LiteRT alone
        start = content.index(b"PK\3\4")
        content = content[:start] + mutated(content[start:], others, random)
    else:
        content = mutated(content, others, random)
    return Mutant(str(path.relative_to(_folder)), content)


def before(case, folder):
    """Copy the run and the cache, and damage one file of the copy."""
    shutil.rmtree(folder / "work")
    for name in ("runs", "cache"):
        shutil.copytree(folder / "input" / name, folder / "work" / name)
    shutil.copyfile(folder / "input/runs/tiny/split.csv", folder / "work" / "split.csv")
    for name in (case.name, Path(case.name).name):
        (folder / "work" / name).write_bytes(case.content)


def uses(case, folder):
    """Use the run or the cache as the commands do."""
    images = folder / "input" / "images"
    if case.name.startswith("cache"):
        yield lambda: _use_cache(images, is_signed(case.content))
        return
    run = Run(folder / "work" / "runs" / "tiny")
    for step in (_lookups, _models, _evaluations, _manifests, _trainings):
        yield from step(run, images)


def _lookups(run, images):
    runs, notes = run.folder.parent, []
    yield lambda: newest_run(runs, notes.append)
    yield lambda: unfinished_runs(runs, notes.append)
    yield lambda: find_run("tiny", runs)
    yield lambda: json_text(run.as_dict(), sys.stdout).encode()
    yield run.class_names
    yield run.read_split
    yield run.num_epochs


def _models(run, images):
    runs, notes = run.folder.parent, []
    yield lambda: summarize(run.folder, (), None, None, runs_folder=runs, note=notes.append)
    picture = next(images.glob("*/0.png"))
    models = [run.folder, run.best] if _has_tensorflow() else [run.folder]
    for model in models:
        yield lambda model=model: [
            prediction.top(2)
            for prediction in predict(load_predictor(model, runs, notes.append), [str(picture)])
        ]


def _evaluations(run, images):
    name, runs, notes = str(run.folder), run.folder.parent, []
    for options in ({}, {"split": "train"}, {"data": images, "name": "other"}):
        yield lambda options=options: evaluate_model(name, runs, **options, note=notes.append)
    if _has_tensorflow():
        yield lambda: evaluate_model(str(run.best), runs, note=notes.append)


def _manifests(run, images):
    notes = []
    yield lambda: find_images(data_config(run.split))
    yield lambda: divide(data_config(images), run.split.parents[2] / "split.csv", note=notes.append)


def _trainings(run, images):
    if not _has_tensorflow():
        return
    from cnnkit.export.golden import Golden
    from cnnkit.training.checkpoint import Backup
    from cnnkit.training.resuming import earlier_seconds, run_to_resume

    def locked():
        with only_training(run):
            return earlier_seconds(run, Backup.read(run.backup))

    yield lambda: Golden.load(run.golden)
    yield lambda: run_to_resume(run.folder, run.folder.parent, print)
    yield lambda: run_to_resume(None, run.folder.parent, lambda note: None)
    yield locked


def _has_tensorflow():
    return "cnnkit.training" in sys.modules


def _use_cache(images, is_forged):
    notes, config = [], data_config(images, cache="disk")
    report = CacheReport.now()
    report.text(), json_text(report.as_dict(), sys.stdout)
    dataset = load_dataset(config, note=notes.append)
    found = dataset.pixels(range(len(dataset.samples)))
    if not is_forged:
        settings = PixelSettings.of(config)
        expected = [read_pixels(sample.file, settings) for sample in dataset.samples]
        assert np.array_equal(found, np.stack(expected)), "pixels of a damaged cache were used"
    features = _features([sample.sha256 for sample in dataset.samples])
    expected = _computed(np.arange(len(dataset.samples)))
    found = features.read(np.arange(len(dataset.samples)))
    assert np.array_equal(found, expected), "features of a damaged cache were used"
    report = CacheReport.now()
    assert remove(report).number == len(report.entries)


def _features(hashes):
    about, notes = {"backbone": "tiny"}, []
    return feature_rows(
        _KEY, hashes, _computed, about=about, on_disk=True, limit_gb=1, note=notes.append
    )


def _computed(positions):
    return np.asarray(positions, np.float32)[:, None] * np.arange(1, 4, dtype=np.float32)


@pytest.fixture
def undamaged(trained_run, tiny_config, tmp_path, monkeypatch):
    """Return a folder whose `input` has a run, its images and a cache, the same in each session."""
    source, folder = tmp_path / "input", tmp_path / "input" / "runs" / "tiny"
    shutil.copytree(tiny_config.parent / "images", source / "images")
    ignored = shutil.ignore_patterns("plots", "evaluation", "tensorboard", "last.keras")
    shutil.copytree(trained_run.folder, folder, ignore=ignored)
    run = Run(folder)
    info = json.loads((folder / "run.json").read_text())
    info["data"]["source"] = "../../images"
    info |= {"pid": 1, "host": "here", "seconds": 5.0, "started": "2020", "ended": "2021"}
    (folder / "run.json").write_text(json.dumps(info))
    config = run.config.read_text().replace(str(tiny_config.parent / "images"), "../../images")
    assert "../../images" in config
    run.config.write_text(config)
    run.backup.parent.mkdir(exist_ok=True)
    facts = json.dumps({"rows": [{"seconds": 1.5}], "facts": {}, "has_best": False})
    stream = io.BytesIO()
    np.savez(stream, facts=np.array(facts), model_0=np.zeros(3, np.float32))
    run.backup.write_bytes(stream.getvalue())
    monkeypatch.setenv("CNNKIT_CACHE", str(source / "cache"))
    dataset = load_dataset(data_config(source / "images", cache="disk"))
    _features([sample.sha256 for sample in dataset.samples])
    return tmp_path


def test_damaged_runs_and_caches_are_named_or_made_again(undamaged):
    check_cases("test_fuzz_runs", range(_QUICK), undamaged)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_two_thousand_damaged_runs_and_caches_are_named_or_made_again(part, undamaged):
    check_cases("test_fuzz_runs", range(500 * part, 500 * (part + 1)), undamaged)

"""Exports without cnnkit: their scripts, and their runtimes, give the answers of predict."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from images import file_bytes, noise
from PIL import Image

import cnnkit
from cnnkit.calibration.calibrate_run import Wanted, calibrate_run
from cnnkit.data.pixels import read_pixels
from cnnkit.export import export_run
from cnnkit.export.tflite_file import write_tflite
from cnnkit.model.calibrated_layers import calibrated_model, load_references
from cnnkit.model.calibration import UNKNOWN
from cnnkit.model.loading import load_keras_model
from cnnkit.runs import Run
from cnnkit.runtimes import predictor_of

pytestmark = pytest.mark.slow

_SCRIPTS = ("keras", "onnx", "openvino", "saved_model", "tflite")
# Runs a script, or code, in a process in which `import cnnkit` fails.
_ALONE = "import runpy, sys; sys.modules['cnnkit'] = None; sys.argv = sys.argv[1:]; "


def _alone(code, *words):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ALONE + code, *map(str, words)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    return export_run(trained_run, output=tmp_path_factory.mktemp("plain") / "export").folder


@pytest.fixture(scope="module")
def calibrated(trained_run, tmp_path_factory):
    """Return a calibrated run, exported, that never answers red."""
    run = Run(tmp_path_factory.mktemp("calibrated") / "run")
    shutil.copytree(trained_run.folder, run.folder)
    calibrate_run(run, Wanted(accept=0.9))
    _write_with(run, thresholds=(0.0, 0.0, None), largest_distance=2.0)
    export_run(run)
    return run


def _write_with(run, **changes):
    """Write model.tflite with other limits: those that were fitted are too near to the pictures."""
    info = predictor_of(run.tflite).info
    limits = replace(info.calibration, **changes)
    references = load_references(run.calibration.with_suffix(".npz"))
    model = calibrated_model(load_keras_model(run.best), limits.temperature, references)
    write_tflite(model, replace(info, calibration=limits), run.tflite)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return ten pictures: of each class, of nothing, turned, transparent, grey, large."""
    folder = tmp_path_factory.mktemp("pictures")
    files = {}
    for channel, name in enumerate(("red", "green", "blue")):
        pixels = np.array(noise(60, 40, seed=channel)) // 3
        pixels[..., channel] += 150
        files[f"{name}.png"] = file_bytes(Image.fromarray(pixels))
        files[f"{name}.jpg"] = file_bytes(Image.fromarray(pixels), "JPEG", quality=95)
        exif = Image.Exif()
        exif[0x0112] = 6 + channel
        large = Image.fromarray(pixels).resize((403, 262))
        files[f"{name}_turned.jpg"] = file_bytes(large, "JPEG", exif=exif)
    see_through = noise(50, 50, seed=9).convert("RGBA")
    see_through.putalpha(noise(50, 50, seed=8).convert("L"))
    files["see_through.png"] = file_bytes(see_through)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def _script_answers(folder, name, paths):
    code = "runpy.run_path(sys.argv[0], run_name='__main__')"
    output = _alone(code, folder / f"predict_{name}.py", *paths)
    return [line.split("\t") for line in output.splitlines()]


@pytest.mark.parametrize("name", _SCRIPTS)
def test_each_script_gives_the_answers_of_predict(name, exported, trained_run, pictures):
    _same_answers(_script_answers(exported, name, pictures), trained_run, pictures, name)


@pytest.mark.parametrize("name", _SCRIPTS)
def test_each_script_of_a_calibrated_run_says_unknown_where_predict_does(
    name, calibrated, pictures
):
    rows = _script_answers(calibrated.export, name, pictures)
    _same_answers(rows, calibrated, pictures, name)
    assert 3 <= sum(row[1] == UNKNOWN for row in rows) <= 4


def test_pictures_that_are_too_far_are_unknown_to_scripts_too(calibrated, tmp_path, pictures):
    run = Run(tmp_path / "run")
    shutil.copytree(calibrated.folder, run.folder)
    _write_with(run, largest_distance=-1.0)
    export_run(run, ["saved_model", "tflite"])
    for name in ("saved_model", "tflite"):
        answers = {row[1] for row in _script_answers(run.export, name, pictures)}
        assert answers == {UNKNOWN}


def _same_answers(rows, run, pictures, name):
    expected = cnnkit.load_run(run.folder).predict(list(map(str, pictures)))
    assert [row[0] for row in rows] == [each.path for each in expected]
    assert [row[1] for row in rows] == [each.answer for each in expected]
    found = [float(row[2]) for row in rows]
    # TensorFlow decodes within a level of 255; the others have the same pixels.
    limit = 0.01 if name == "saved_model" else 1e-4
    np.testing.assert_allclose(found, [each.top(1)[0][1] for each in expected], atol=limit)


@pytest.mark.parametrize("name", _SCRIPTS)
def test_photographs_get_the_same_answers(name, exported, trained_run, shared_data):
    photos = sorted((shared_data / "photos").glob("*.[jb][pm][gp]"))
    assert len(photos) == 9
    _same_answers(_script_answers(exported, name, photos), trained_run, photos, name)


def test_the_signatures_of_a_saved_model_alone(exported, trained_run, pictures):
    code = (
        "import json, tensorflow as tf; from pathlib import Path\n"
        "model = tf.saved_model.load(sys.argv[1]); signatures = model.signatures\n"
        "contents = tf.constant([Path(path).read_bytes() for path in sys.argv[2:]])\n"
        "found = signatures['serving_bytes'](image_bytes=contents)\n"
        "pixels = model.decode(contents)\n"
        "again = signatures['serving_default'](image=pixels)\n"
        "features = signatures['features'](image=pixels)['features']\n"
        "print(json.dumps({'names': [name.decode() for name in found['class_name'].numpy()],\n"
        "    'same': bool((again['class_name'] == found['class_name']).numpy().all()),\n"
        "    'features': features.shape.as_list(), 'inputs': sorted(signatures)}))"
    )
    found = json.loads(_alone(code, "-", exported / "saved_model", *pictures))
    expected = cnnkit.load_run(trained_run.folder).predict(list(map(str, pictures)))
    assert found == {
        "names": [each.answer for each in expected],
        "same": True,
        "features": [10, 4],
        "inputs": ["features", "serving_bytes", "serving_default"],
    }


def test_openvino_reads_the_tflite_file_itself(exported, trained_run, pictures, tmp_path):
    predictor = predictor_of(trained_run.tflite)
    pixels = np.stack([read_pixels(str(path), predictor.info.pixels) for path in pictures])
    np.save(tmp_path / "pixels.npy", pixels)
    code = (
        "import numpy as np, openvino\n"
        "options = {'INFERENCE_PRECISION_HINT': 'f32'}\n"
        "model = openvino.Core().compile_model(sys.argv[1], 'CPU', options)\n"
        "rows = [model(one[None])[0][0].copy() for one in np.load(sys.argv[2])]\n"
        "np.savetxt(sys.stdout, rows, delimiter=',')"
    )
    output = _alone(code, "-", exported / "model.tflite", tmp_path / "pixels.npy")
    found = [list(map(float, row)) for row in csv.reader(io.StringIO(output))]
    np.testing.assert_allclose(found, predictor(pixels), atol=1e-5)

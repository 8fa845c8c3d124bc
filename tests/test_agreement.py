"""Predict, evaluate, Keras and every export give one image the same answer."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from images import file_bytes, four_corners
from PIL import Image

import cnnkit
from cnnkit.data.pixels import read_pixels
from cnnkit.errors import ImageError
from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.export import export_run
from cnnkit.runs import Run
from cnnkit.runtimes import load_predictor

_FORMATS = ("saved_model", "tflite", "onnx")


@pytest.fixture(scope="module")
def run(trained_run, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("agreement") / "run")
    shutil.copytree(trained_run.folder, run.folder)
    export_run(run, _FORMATS)
    return run


def _answers(run, paths):
    """Return {name: probabilities (num_paths, classes)} for each model file of the run."""
    from cnnkit.backend import keras

    info = load_predictor(run.tflite, run.folder.parent).info
    pixels = np.stack([read_pixels(path, info.pixels) for path in paths])
    model = keras.models.load_model(run.best)
    answers = {"keras": model.predict(pixels, verbose=0)}
    for how in (
        "model.tflite",
        *(f"export/{f}" for f in ("saved_model", "model.tflite", "model.onnx")),
    ):
        predictions = cnnkit.load_run(run.folder / how).predict(paths)
        answers[how] = np.stack([prediction.probabilities for prediction in predictions])
    return answers


def _evaluated(run, paths, tmp_path):
    """Return the probabilities that `evaluate` writes for the files."""
    table = tmp_path / "files.csv"
    names = ("blue", "green", "red")
    rows = "".join(f'"{path}",{names[i % 3]}\n' for i, path in enumerate(paths))
    table.write_text(f"path,label\n{rows}")
    evaluation = evaluate_model(
        str(run.folder), run.folder.parent, data=table, note=lambda text: None,
        allow_missing_classes=True,
    )  # fmt: skip
    with (evaluation.folder / "predictions.csv").open() as file:
        by_name = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    return np.array([[float(by_name[p.name][f"p_{name}"]) for name in names] for p in paths])


def _assert_one_answer(answers):
    for how, probabilities in answers.items():
        assert np.abs(probabilities - answers["keras"]).max() < 1e-4, how


def _awkward_files(folder):
    """Write files of kinds that tools often read differently, and return their paths."""
    picture = four_corners(64, 48)
    exif = Image.Exif()
    exif[0x0112] = 6
    sixteen = Image.fromarray((np.arange(64 * 48, dtype=np.uint16) * 20).reshape(48, 64))
    transparent = picture.convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(picture.size))
    kinds = {
        "plain.jpg": file_bytes(picture, "JPEG"),
        "exif6.jpg": file_bytes(picture, "JPEG", exif=exif),
        "cmyk.jpg": file_bytes(picture.convert("CMYK"), "JPEG"),
        "palette.png": file_bytes(picture.convert("P")),
        "gray.jpg": file_bytes(picture.convert("L"), "JPEG"),
        "bits16.png": file_bytes(sixteen),
        "alpha.png": file_bytes(transparent),
        "gray_alpha.png": file_bytes(transparent.convert("LA")),
        "lossless.webp": file_bytes(picture, "WEBP", lossless=True),
        "bitmap.bmp": file_bytes(picture, "BMP"),
        "deep.tiff": file_bytes(sixteen, "TIFF"),
    }
    for name, content in kinds.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in kinds]


def test_all_give_the_same_answer_for_awkward_files(run, tmp_path):
    paths = _awkward_files(tmp_path)
    answers = _answers(run, paths)
    answers["evaluate"] = _evaluated(run, paths, tmp_path)
    _assert_one_answer(answers)
    assert np.ptp(answers["keras"], axis=0).max() > 0.05  # the files do not all look alike


def test_all_give_the_same_answer_for_real_photographs(run, shared_data, tmp_path):
    info = load_predictor(run.tflite, run.folder.parent).info
    files = sorted([*(shared_data / "photos").iterdir(), *(shared_data / "messy").iterdir()])
    paths = []
    for file in files:
        try:
            read_pixels(file, info.pixels)
        except ImageError:
            continue
        paths.append(file)
    assert len(paths) > 40
    answers = _answers(run, paths)
    answers["evaluate"] = _evaluated(run, paths, tmp_path)
    _assert_one_answer(answers)


def test_a_photo_with_exif_orientation_6_gets_the_answer_of_the_upright_one(run, tmp_path):
    upright = four_corners(64, 48)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = upright.transpose(Image.Transpose.ROTATE_90)  # orientation 6 turns it back
    (tmp_path / "turned.png").write_bytes(file_bytes(turned, exif=exif))
    upright.save(tmp_path / "upright.png")
    one, other = cnnkit.load_run(run.folder).predict(
        [tmp_path / "turned.png", tmp_path / "upright.png"]
    )
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_the_bytes_of_a_file_get_the_same_answer_as_the_file(run, tmp_path):
    paths = _awkward_files(tmp_path)
    model = cnnkit.load_run(run.folder)
    for by_path, by_bytes in zip(
        model.predict(paths), model.predict([path.read_bytes() for path in paths]), strict=True
    ):
        np.testing.assert_array_equal(by_path.probabilities, by_bytes.probabilities)


def test_the_csv_of_predict_has_the_same_numbers(run, tmp_path):
    from click.testing import CliRunner

    from cnnkit.cli import main

    paths = _awkward_files(tmp_path)
    words = ["predict", *map(str, paths), "--format", "csv", "--model", str(run.folder)]
    rows = list(csv.DictReader(io.StringIO(CliRunner().invoke(main, words).stdout)))
    written = [[float(row[f"p_{name}"]) for name in ("blue", "green", "red")] for row in rows]
    assert np.abs(np.array(written) - _answers(run, paths)["keras"]).max() < 1e-4

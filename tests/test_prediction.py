"""Predictions: their formats, their order, errors that stop nothing."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from predict_command import image_folder, run_predict

from cnnkit.errors import UsageError
from cnnkit.prediction import Prediction, predict
from cnnkit.prediction.output_formats import write_predictions
from cnnkit.runtimes import load_predictor

# What takes time to import and is only needed for other models, for data sets or for folders.
_NOT_FOR_ONE_IMAGE = {
    "tensorflow", "keras", "matplotlib", "sklearn", "pydantic", "yaml", "rich", "filelock",
    "difflib", "fsspec", "hashlib", "http", "multiprocessing", "pyarrow", "socket", "ssl",
    "urllib3",
    "cnnkit.backend", "cnnkit.cli.path_list", "cnnkit.cli.train", "cnnkit.config",
    "cnnkit.data.dataset", "cnnkit.data.file_contents", "cnnkit.data.parallel",
    "cnnkit.data.records", "cnnkit.data.sources.folders", "cnnkit.data.worker_processes",
    "cnnkit.locks", "cnnkit.progress", "cnnkit.tables", "cnnkit.training",
}  # fmt: skip


@pytest.mark.parametrize("format_", ["table", "csv", "jsonl"])
def test_predict_imports_only_what_one_image_needs(trained_run, format_):
    folder = image_folder(trained_run)
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, "predict", f"{folder}/red/0.png"]
    done = subprocess.run(
        [*command, "--model", str(trained_run.folder), "--format", format_],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *_, answer, imported = done.stdout.splitlines()
    assert f"{folder}/red/0.png" in answer and "red" in answer
    assert set(imported.split()) & _NOT_FOR_ONE_IMAGE == set()


_ANSWERS = [
    Prediction("a.png", ("cat", "dog", "owl"), np.array([0.25, 0.0625, 0.6875])),
    Prediction("b, c.png", ("cat", "dog", "owl"), error="there is no such file"),
    Prediction("d.png", ("cat", "dog", "owl"), np.array([0.5, 0.5, 0.0])),
]


@pytest.mark.parametrize(
    ("format_", "topk", "expected"),
    [
        (
            "table",
            2,
            "a.png  owl 0.6875  cat 0.2500\n"
            "b, c.png  ERROR  there is no such file\n"
            "d.png  cat 0.5000  dog 0.5000\n",
        ),
        (
            "csv",
            2,
            "path,prediction,probability,prediction_2,probability_2,error,p_cat,p_dog,p_owl\n"
            "a.png,owl,0.6875,cat,0.25,,0.25,0.0625,0.6875\n"
            '"b, c.png",,,,,there is no such file,,,\n'
            "d.png,cat,0.5,dog,0.5,,0.5,0.5,0\n",
        ),
        (
            "jsonl",
            9,  # more than there are classes
            '{"path": "a.png", "prediction": "owl", "probability": 0.6875, "top": '
            '[{"class": "owl", "probability": 0.6875}, {"class": "cat", "probability": 0.25}, '
            '{"class": "dog", "probability": 0.0625}]}\n'
            '{"path": "b, c.png", "error": "there is no such file"}\n'
            '{"path": "d.png", "prediction": "cat", "probability": 0.5, "top": '
            '[{"class": "cat", "probability": 0.5}, {"class": "dog", "probability": 0.5}, '
            '{"class": "owl", "probability": 0.0}]}\n',
        ),
    ],
)
def test_each_format_is_written_exactly_so(format_, topk, expected, tmp_path):
    output = tmp_path / "out"
    written = write_predictions(_ANSWERS, ("cat", "dog", "owl"), format_, topk, output)
    assert written == (3, 1)
    assert output.read_bytes().decode() == expected


_REFUSED = [
    Prediction(
        "a.png", ("cat", "dog"), np.array([0.75, 0.25]), distance=0.5, reason="too far away"
    ),
    Prediction("b.png", ("cat", "dog"), np.array([0.25, 0.75]), distance=0.125),
]


@pytest.mark.parametrize(
    ("format_", "topk", "expected"),
    [
        ("table", 1, "a.png  unknown  (too far away)\nb.png  dog 0.7500\n"),
        (
            "table",
            2,
            "a.png  unknown  cat 0.7500  dog 0.2500  (too far away)\n"
            "b.png  dog 0.7500  cat 0.2500\n",
        ),
        (
            "csv",
            1,
            "path,prediction,probability,error,reason,distance,p_cat,p_dog\n"
            "a.png,unknown,0.75,,too far away,0.5,0.75,0.25\n"
            "b.png,dog,0.75,,,0.125,0.25,0.75\n",
        ),
        (
            "jsonl",
            1,
            '{"path": "a.png", "prediction": "unknown", "probability": 0.75, "reason": '
            '"too far away", "distance": 0.5, "top": [{"class": "cat", "probability": 0.75}]}\n'
            '{"path": "b.png", "prediction": "dog", "probability": 0.75, "distance": 0.125, '
            '"top": [{"class": "dog", "probability": 0.75}]}\n',
        ),
    ],
)
def test_unknown_is_written_with_its_reason(format_, topk, expected, tmp_path):
    output = tmp_path / "out"
    names = ("cat", "dog")
    write_predictions(_REFUSED, names, format_, topk, output, is_calibrated=True)
    assert output.read_text() == expected


def test_a_newline_in_a_file_name_breaks_no_row_of_the_table(tmp_path):
    answers = [Prediction("a\nb.png", ("cat",), error="there is no such file")]
    write_predictions(answers, ("cat",), "table", 1, tmp_path / "out")
    assert (tmp_path / "out").read_text() == '"a\\nb.png"  ERROR  there is no such file\n'


def test_a_broken_file_gets_a_row_with_its_reason_and_the_others_go_on(trained_run, tmp_path):
    whole = f"{image_folder(trained_run)}/blue/1.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:1500])
    (tmp_path / "text.jpg").write_text("this is a shopping list")
    images = [tmp_path / "cut.jpg", whole, tmp_path / "text.jpg", tmp_path / "none.jpg"]
    done = run_predict(*images, "--model", trained_run.folder, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert done.returncode == 1
    assert [row["path"] for row in rows] == [str(image) for image in images]
    assert [row["prediction"] for row in rows] == ["", "blue", "", ""]
    assert "truncated" in rows[0]["error"]
    assert "text" in rows[2]["error"]
    assert rows[3]["error"] == "there is no such file"
    assert done.stderr.decode().strip() == "3 of 4 images could not be read."
    assert run_predict(*images, "--model", trained_run.folder, "--allow-errors").returncode == 0


@pytest.mark.parametrize("format_", ["table", "csv", "jsonl"])
def test_an_answer_comes_before_the_next_path_is_known(trained_run, format_):
    path = f"{image_folder(trained_run)}/green/2.png"
    command = [sys.executable, "-m", "cnnkit", "predict", "-", "--model", str(trained_run.folder)]
    command += ["--format", format_]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        if format_ == "csv":
            assert process.stdout.readline().startswith("path,prediction,")
        assert path in process.stdout.readline()
        process.stdin.close()


def test_topk_adds_the_next_classes_and_csv_has_a_column_per_class(trained_run):
    path = f"{image_folder(trained_run)}/green/2.png"
    done = run_predict(path, "--topk", "2", "--format", "csv", "--model", trained_run.folder)
    (row,) = csv.DictReader(io.StringIO(done.stdout.decode()))
    assert list(row) == [
        "path", "prediction", "probability", "prediction_2", "probability_2", "error",
        "p_blue", "p_green", "p_red",
    ]  # fmt: skip
    probabilities = {name: float(row[f"p_{name}"]) for name in ("blue", "green", "red")}
    ranked = sorted(probabilities, key=probabilities.get, reverse=True)
    assert [row["prediction"], row["prediction_2"]] == ranked[:2]
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_an_output_file_has_all_rows(trained_run, tmp_path):
    folder = image_folder(trained_run)
    done = run_predict(folder, "--output", tmp_path / "out.csv", "--format", "csv",
                "--model", trained_run.folder)  # fmt: skip
    assert done.stdout == b""
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 37
    assert os.listdir(tmp_path) == ["out.csv"]


@pytest.mark.parametrize(
    ("name", "options", "first"),
    [
        ("a.csv", [], "path,prediction,probability,error,p_blue,p_green,p_red"),
        ("a.JSONL", [], '{"path": '),
        ("a.txt", [], "/"),
        ("a", [], "/"),
        ("a.csv", ["--format", "jsonl"], '{"path": '),
        ("a.csv", ["--json"], '{"path": '),
        ("a.jsonl", ["--format", "table"], "/"),
    ],
)
def test_the_ending_of_the_output_is_the_default_of_the_format(
    trained_run, tmp_path, name, options, first
):
    image, output = f"{image_folder(trained_run)}/green/2.png", tmp_path / name
    done = run_predict(image, "--model", trained_run.folder, "-o", output, *options)
    assert done.returncode == 0, done.stderr
    assert output.read_text().startswith(first)


def test_a_command_without_images_is_wrong_usage(trained_run):
    done = run_predict("--model", trained_run.folder)
    assert done.returncode == 2
    assert "Name the images: files, folders, globs" in done.stderr.decode()


def test_reading_ahead_is_bounded(trained_run):
    predictor = load_predictor(trained_run.folder, trained_run.folder.parent)
    source = f"{image_folder(trained_run)}/green/2.png"
    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            yield source

    stream = predict(predictor, endless())
    for _ in range(20):
        next(stream)
    # Those that may wait for a core, and those whose answers may wait for the user.
    assert asked <= 20 + 8 * (os.cpu_count() or 1) + 2 * max(16, os.cpu_count() or 1) + 4
    stream.close()


def test_an_error_of_the_source_of_paths_is_raised(trained_run):
    predictor = load_predictor(trained_run.folder, trained_run.folder.parent)

    def failing():
        yield f"{image_folder(trained_run)}/green/2.png"
        raise OSError("the list of paths broke off")

    with pytest.raises(OSError, match="broke off"):
        list(predict(predictor, failing()))


def test_the_error_for_a_wrong_model_names_it_and_says_what_is_allowed(tmp_path, trained_run):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match=r"cnnkit cannot read .*a.txt as a model"):
        load_predictor(tmp_path / "a.txt", tmp_path)
    (tmp_path / "a.tflite").write_bytes(b"TFL3")
    with pytest.raises(UsageError, match="has no class names"):
        load_predictor(tmp_path / "a.tflite", tmp_path)
    with pytest.raises(UsageError, match="is not a run folder"):
        load_predictor(tmp_path / "nowhere", tmp_path)


def test_a_file_name_that_is_not_utf8_is_printed_unchanged(trained_run, tmp_path):
    source = Path(f"{image_folder(trained_run)}/red/0.png")
    odd = os.fsencode(tmp_path) + b"/b\xe9.png"
    Path(os.fsdecode(odd)).write_bytes(source.read_bytes())
    for words, stdin in (([tmp_path], None), (["-"], odd + b"\n"), (["-", "-0"], odd + b"\0")):
        done = run_predict(*words, "--model", trained_run.folder, stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(odd + b"  red ")
    done = run_predict(tmp_path, "--output", tmp_path / "out.csv", "--format", "csv",
                "--model", trained_run.folder)  # fmt: skip
    assert done.returncode == 0
    assert odd in (tmp_path / "out.csv").read_bytes()

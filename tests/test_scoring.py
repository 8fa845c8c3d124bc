"""What `evaluate` finds besides the numbers: columns, slices, averaged views, worsened images."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

import cnnkit
from cnnkit.cli import main
from cnnkit.data.pixels import read_pixels
from cnnkit.evaluation.corruptions import CORRUPTIONS, corrupt
from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.evaluation.images_of_table import images_of_table
from cnnkit.runs import Run
from cnnkit.runtimes import load_predictor


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy that a test may write into."""
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "tiny")
    return Run(tmp_path / "runs" / "tiny")


def _source(run):
    return Path(cnnkit.load_config(run.config).data.source)


def _rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def _evaluate(run, notes=None, **what):
    note = (lambda text: None) if notes is None else notes.append
    return evaluate_model(str(run.folder), run.folder.parent, note=note, **what)


def _write_table(run, path, header, cells):
    """Write a CSV of all images of the run's source, with more columns from `cells(index)`."""
    images = sorted(_source(run).rglob("*.png"))
    lines = [f"path,label,{header}"]
    lines += [f"{image},{image.parent.name},{cells(i)}" for i, image in enumerate(images)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_columns_of_the_data_s_csv_become_slices(run, tmp_path):
    table = _write_table(
        run, tmp_path / "all.csv", "Camera,p_no", lambda i: f"{'old' if i % 2 else 'new'},{i}"
    )
    notes = []
    evaluation = _evaluate(run, notes, data=table)
    rows = _rows(evaluation.folder / "predictions.csv")
    assert [row["Camera"] for row in rows] == ["new", "old"] * 18
    assert [note for note in notes if note.startswith("Not used for slices: p_no in ")]
    slices = _rows(evaluation.folder / "slices.csv")
    sizes = {row["value"]: row["images"] for row in slices if row["by"] == "Camera"}
    assert sizes == {"new": "18", "old": "18"}


def test_the_user_s_own_column_is_used_instead_of_a_measure(run, tmp_path):
    table = _write_table(run, tmp_path / "all.csv", "brightness", lambda i: "day")
    rows = _rows(_evaluate(run, data=table).folder / "predictions.csv")
    assert {row["brightness"] for row in rows} == {"day"}
    assert {row["file_type"] for row in rows} == {"PNG"}


def test_averaged_flips_are_the_mean_of_two_answers(run):
    evaluation = _evaluate(run, tta="flips")
    assert evaluation.folder.name == "test-flips"
    predictor = load_predictor(run.tflite, run.folder.parent)
    for path, probabilities in zip(
        evaluation.predictions.paths, evaluation.predictions.probabilities, strict=True
    ):
        pixels = read_pixels(str(_source(run) / path), predictor.info.pixels)
        both = predictor(np.stack([pixels, pixels[:, ::-1]]))
        assert probabilities == pytest.approx(both.mean(axis=0), abs=1e-6)
    plain = json.loads((run.evaluation("test") / "metrics.json").read_text())
    averaging = evaluation.details.averaging
    assert averaging.as_dict()["accuracy_without"] == plain["accuracy"]
    right = averaging.right_before + averaging.gained - averaging.lost
    assert right / averaging.num_images == evaluation.metrics["accuracy"]


def test_the_accuracy_on_worsened_images_is_that_of_their_answers(run):
    evaluation = _evaluate(run, corruptions=True)
    robustness = evaluation.details.robustness
    predictor = load_predictor(run.tflite, run.folder.parent)
    labels = evaluation.predictions.labels
    images = [
        read_pixels(str(_source(run) / path), predictor.info.pixels)
        for path in evaluation.predictions.paths
    ]
    for kind in CORRUPTIONS:
        copies = np.stack([corrupt(image, kind, 5) for image in images])
        accuracy = (predictor(copies).argmax(axis=1) == labels).mean()
        assert robustness.accuracies[kind][4] == pytest.approx(accuracy)
    assert robustness.clean_accuracy == evaluation.metrics["accuracy"]
    written = _rows(evaluation.folder / "corruptions.csv")
    assert len(written) == 35 and {row["images"] for row in written} == {"6"}
    means = [np.mean(values) for values in robustness.accuracies.values()]
    assert robustness.mean_accuracy == pytest.approx(np.mean(means))
    for name in ("corruptions.png", "corruption_examples.png"):
        assert (evaluation.folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_images_of_a_predictions_csv_are_found_by_their_paths(run, tmp_path):
    table = run.evaluation("test") / "predictions.csv"
    path = _rows(table)[0]["path"]
    assert images_of_table(table)(path) == str(_source(run) / path)
    assert images_of_table(table)("red/gone.png") is None
    (tmp_path / "red").mkdir()
    shutil.copy(_source(run) / path, tmp_path / "red" / "here.png")
    assert images_of_table(tmp_path / "other.csv")("red/here.png").read_bytes()
    absolute = str(tmp_path / "red" / "here.png")
    assert images_of_table(table)(absolute) == absolute


def test_the_images_of_a_built_in_are_found_in_the_cache(run):
    config = yaml.safe_load(run.config.read_text())
    config["data"] |= {"source": "shapes", "shapes": {"num_images": 8, "image_size": 8}}
    run.config.write_text(yaml.safe_dump(config))
    info = json.loads((run.folder / "run.json").read_text())
    info["data"]["source"] = "shapes"
    (run.folder / "run.json").write_text(json.dumps(info))
    find = images_of_table(run.evaluation("test") / "predictions.csv")
    with Image.open(find("square/000001.png")) as image:
        assert image.size == (8, 8)
    assert find("square/000002.png") is None


def test_no_file_of_an_earlier_evaluation_is_left(run):
    folder = _evaluate(run, corruptions=True).folder
    assert folder.name == "test-corruptions"
    assert _evaluate(run, name=folder.name).folder == folder
    assert sorted(path.name for path in folder.glob("*corruption*")) == []
    assert (folder / "least_certain.png").exists()


def test_the_json_has_slices_views_and_corruptions(run):
    words = ["evaluate", str(run.folder), "--tta", "crops", "--corruptions", "--json"]
    facts = json.loads(CliRunner().invoke(main, words).stdout)
    assert facts["slices"] == {"tried": 0, "worse": []}  # six images
    assert facts["tta"]["kind"] == "crops" and facts["corruptions"]["accuracy"].keys() == {
        *CORRUPTIONS
    }
    assert Path(facts["folder"]).name == "test-crops-corruptions"


def test_the_text_says_what_was_tried(run):
    done = CliRunner().invoke(main, ["evaluate", str(run.folder), "--tta", "flips"])
    assert "Too few images to compare slices." in done.stdout
    sentence = "accuracy 1.0000, without it 1.0000. It corrects 0 images and spoils 0 (McNemar's"
    assert f"--tta flips: {sentence} test: p = 1)." in done.stdout


def test_a_table_that_cannot_be_read_any_more_costs_only_its_columns(run, tmp_path):
    table = _write_table(run, tmp_path / "all.csv", "camera", lambda i: "old")
    config = run.config.read_text().replace(f"source: {_source(run)}", f"source: {table}")
    split = [{**row, "path": str(_source(run) / row["path"])} for row in run.read_split()]
    run.config.write_text(config)
    with run.split.open("w") as file:
        writer = csv.DictWriter(file, list(split[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(split)
    rows = _rows(_evaluate(run).folder / "predictions.csv")
    assert {row["camera"] for row in rows} == {"old"}
    table.write_text('path,label,camera\n"' + "a" * 200_000)
    notes = []
    rows = _rows(_evaluate(run, notes).folder / "predictions.csv")
    assert "camera" not in rows[0]
    assert [note for note in notes if "are not used" in note and "cannot be read as CSV" in note]

"""`cnnkit explain` on a real run: files, JSON, questions, mistakes and wrong input."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from cnnkit.cli import main
from cnnkit.runs import Run


@pytest.fixture
def own_run(trained_run, tmp_path):
    """Return a copy of the trained run that a test may write into."""
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "tiny")
    return Run(tmp_path / "runs" / "tiny")


@pytest.fixture
def red(tiny_images):
    return tiny_images / "red" / "0.png"


def _explained(*words):
    result = CliRunner().invoke(main, ["explain", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_all_methods_write_a_picture_arrays_and_json(own_run, red):
    code, out, _ = _explained(red, "--model", own_run.folder, "--method", "all", "--json")
    assert code == 0
    [image] = json.loads(out)["images"]
    folder = own_run.folder / "explanation" / "0"
    assert image == json.loads((folder / "explanation.json").read_text())
    assert (folder / "explanation.png").is_file()
    assert len(image["maps"]) == 7
    for facts in image["maps"]:
        values = np.load(facts["array"])
        assert list(values.shape) == facts["shape"]
        assert values.max() == pytest.approx(facts["max"])
        assert (facts["layer"] == "conv_1") == ("cam" in facts["method"])
    assert sum(image["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_why_a_and_not_b(own_run, red, tmp_path):
    words = [red, "--model", own_run.folder, "--method", "saliency"]
    code, out, _ = _explained(*words, "--class", "green", "--against", "red", "-o", tmp_path / "o")
    assert code == 0
    assert "why green and not red?" in out
    code, _, err = _explained(*words, "--class", "red", "--against", "red")
    assert code == 2 and "Name two classes" in err
    code, _, err = _explained(*words, "--class", "gren")
    assert code == 2 and "no class gren. Did you mean green?" in err


def test_a_wrong_layer_lists_the_layers(own_run, red):
    code, _, err = _explained(red, "--model", own_run.folder, "--layer", "conv_9")
    assert code == 2 and "It has conv_1." in err


def test_an_unreadable_image_is_named_and_the_others_are_explained(own_run, tiny_images, tmp_path):
    (tiny_images / "red" / "1.png").write_bytes(b"no image")
    folder = tiny_images / "red"
    words = [folder, "--model", own_run.folder, "--method", "occlusion", "-o", tmp_path / "o"]
    code, out, err = _explained(*words, "--json")
    assert code == 1 and "1 image could not be explained" in err
    found = json.loads(out)
    assert len(found["images"]) == 7
    assert [each["path"] for each in found["errors"]] == [str(folder / "1.png")]
    code, _, err = _explained(*words)
    assert code == 2 and "is not empty" in err


def test_occlusion_of_a_tflite_file_needs_no_tensorflow(own_run, red, tmp_path):
    alone = tmp_path / "model.tflite"
    shutil.copy(own_run.tflite, alone)
    code, _, err = _explained(red, "--model", alone, "--method", "occlusion")
    assert code == 2 and "--output" in err
    code, _, err = _explained(red, "--model", alone, "-o", tmp_path / "o")
    assert code == 2 and "has no gradients and no layers. Use --method occlusion" in err
    script = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    words = ["explain", red, "--model", alone, "--method", "occlusion", "-o", tmp_path / "o"]
    subprocess.run([sys.executable, "-c", script, *map(str, words)], check=True)
    assert np.load(tmp_path / "o" / "0" / "occlusion.npy").shape == (16, 16)


def test_errors_explains_the_most_confident_mistakes(own_run, tiny_images):
    table = own_run.evaluation("test") / "predictions.csv"
    table.unlink()  # training wrote it
    code, _, err = _explained("--errors", "--model", own_run.folder)
    assert code == 2 and "cnnkit evaluate" in err
    # The model says red to a red image; that it is labelled green makes it a mistake.
    rows = ["path,label,prediction,probability,p_blue,p_green,p_red"]
    rows += [f"{tiny_images}/red/0.png,green,red,0.8,0.1,0.1,0.8"]
    rows += [f"{tiny_images}/red/1.png,green,red,0.9,0.1,0,0.9"]
    rows += [f"{tiny_images}/red/2.png,red,red,1,0,0,1"]
    table.write_text("\n".join(rows) + "\n")
    code, out, _ = _explained("--errors", "--model", own_run.folder, "--json")
    assert code == 0
    found = json.loads(out)["images"]
    assert [each["path"][-5:] for each in found] == ["1.png", "0.png"]
    assert [(each["class"], each["against"]) for each in found] == [("red", "green")] * 2


def test_the_files_are_removed_with_the_run(own_run, red):
    from cnnkit.runs.run_files import contents_of

    assert _explained(red, "--model", own_run.folder, "--method", "occlusion")[0] == 0
    assert contents_of(own_run.folder).others == []


def test_the_nearest_training_image_of_a_training_image_is_itself(own_run):
    row = next(row for row in own_run.read_split() if row["split"] == "train")
    source = own_run.info()["data"]["source"]
    words = [f"{source}/{row['path']}", "--model", own_run.folder, "--neighbours", 3, "--json"]
    for _ in range(2):  # the second time with the features that the first one kept
        code, out, _ = _explained(*words)
        assert code == 0
        [image] = json.loads(out)["images"]
        found = image["neighbours"]
        assert (found[0]["path"], found[0]["label"]) == (row["path"], row["label"])
        assert found[0]["distance"] == pytest.approx(0, abs=1e-5)
        distances = [each["distance"] for each in found]
        assert distances == sorted(distances)
    assert (own_run.folder / "explanation" / "training_features.npz").is_file()
    assert (own_run.folder / "explanation" / image["path"][-5] / "neighbours.png").is_file()


def test_a_map_of_a_split_has_every_image(own_run):
    import csv

    code, out, _ = _explained("--map", "test", "--model", own_run.folder, "--json")
    assert code == 0
    found = json.loads(out)
    with open(found["table"], newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = {row["path"] for row in own_run.read_split() if row["split"] == "test"}
    assert {row["path"] for row in rows} == wanted
    assert found["num_wrong"] == sum(row["label"] != row["prediction"] for row in rows)
    page = pathlib.Path(found["page"]).read_text()
    assert page.count('"image": ') == len(wanted) == found["num_images"]
    code, _, err = _explained("--map", "test", "photo.jpg", "--model", own_run.folder)
    assert code == 2 and "--map alone" in err


def test_the_page_shows_the_image_that_has_the_focus_and_hides_right_answers(own_run, open_page):
    code, out, _ = _explained("--map", "test", "--model", own_run.folder, "--json")
    assert code == 0
    found = json.loads(out)
    page = open_page(pathlib.Path(found["page"]))
    points = page.locator("g.point")
    assert points.count() == found["num_images"]
    points.first.press("ArrowRight")
    second = pathlib.Path(found["table"]).read_text().splitlines()[2].split(",")
    shown = page.locator("#shown")
    assert shown.text_content() == f"true class: {second[1]}answer: {second[2]}{second[0]}"
    assert shown.locator("img").get_attribute("src").startswith("data:image/jpeg")
    page.locator("#wrong").check()
    assert page.locator("g.point:not(.off)").count() == found["num_wrong"]


def test_explain_in_python_writes_nothing_unless_asked(own_run, red):
    import cnnkit

    found = cnnkit.load_run(own_run.folder).explain(red, methods="layer-cam", class_name="red")
    [image] = found.images
    assert image.maps[0].values.shape == (14, 14)
    assert not (own_run.folder / "explanation").exists()

"""`cnnkit explain` on a real run: files, JSON, questions, mistakes and wrong input."""

from __future__ import annotations

import csv
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from cnnkit.cli import main
from cnnkit.data.file_bytes import LocalFile
from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.evaluation.images_of_table import images_of_table
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


@pytest.fixture
def wrong_answers(own_run, tiny_images):
    """Write an evaluation `other` with two wrong answers; return the options to explain them."""
    # The model says red to a red image; that it is labelled green makes it a mistake.
    rows = ["path,label,prediction,probability,p_blue,p_green,p_red"]
    rows += [f"{tiny_images}/red/0.png,green,red,0.8,0.1,0.1,0.8"]
    rows += [f"{tiny_images}/red/1.png,green,red,0.9,0.1,0,0.9"]
    rows += [f"{tiny_images}/red/2.png,red,red,1,0,0,1"]
    table = own_run.evaluation("other") / "predictions.csv"
    table.parent.mkdir()
    table.write_text("\n".join(rows) + "\n")
    return "--errors", "--model", own_run.folder, "--evaluation", "other"


def test_errors_explains_the_most_confident_mistakes(wrong_answers):
    code, out, _ = _explained(*wrong_answers, "--json")
    assert code == 0
    found = json.loads(out)["images"]
    assert [each["path"][-5:] for each in found] == ["1.png", "0.png"]
    assert [(each["class"], each["against"]) for each in found] == [("red", "green")] * 2


def test_errors_takes_a_number_of_images(wrong_answers):
    code, out, _ = _explained(*wrong_answers, "--images", 1, "--json")
    assert code == 0
    assert [each["path"][-5:] for each in json.loads(out)["images"]] == ["1.png"]


def test_errors_without_an_evaluation_says_how_to_make_one(own_run, red):
    words = ["--errors", "--model", own_run.folder, "--evaluation", "train"]
    code, _, err = _explained(*words)
    assert code == 2 and "no evaluation called train. It has test" in err
    assert "--split train" in err
    code, _, err = _explained(red, "--images", 3)
    assert code == 2 and "--evaluation and --images belong to --errors" in err


def test_a_map_that_is_0_everywhere_is_reported_in_words(own_run, red, tmp_path):
    _silence(own_run)
    options = ["--model", own_run.folder, "--class", "green", "--against", "red"]
    methods = ["--method", "grad-cam", "--method", "saliency"]
    code, out, _ = _explained(red, *options, *methods, "-o", tmp_path / "one", "--json")
    assert code == 0
    [image] = json.loads(out)["images"]
    notes = [
        "The map is 0 everywhere: nothing in the layer conv_1 speaks for green and not red. Name "
        "another --layer, or use a --method that looks at pixels.",
        "The map is 0 everywhere: changing pixels a little does not change the score of green and "
        "not red.",
    ]
    assert [each["note"] for each in image["maps"]] == notes
    code, out, _ = _explained(red, *options, *methods, "-o", tmp_path / "two")
    assert f"{red}, grad-cam: {notes[0]}\n{red}, saliency: {notes[1]}\n" in out


def _silence(run):
    """Let the convolution of a run give 0 for every image."""
    from cnnkit.model.loading import load_keras_model

    model = load_keras_model(run.best)
    layer = model.get_layer("conv_1")
    layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])
    model.save(run.best)


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


@pytest.fixture
def map_page(own_run):
    """Return the JSON of `--map test`, and the rows of its table."""
    code, out, _ = _explained("--map", "test", "--model", own_run.folder, "--json")
    assert code == 0
    found = json.loads(out)
    with open(found["table"], newline="") as file:
        return found, list(csv.DictReader(file))


def test_a_map_of_a_split_has_every_image(own_run, map_page):
    found, rows = map_page
    wanted = {row["path"] for row in own_run.read_split() if row["split"] == "test"}
    assert {row["path"] for row in rows} == wanted
    assert found["num_wrong"] == sum(row["label"] != row["prediction"] for row in rows)
    page = pathlib.Path(found["page"]).read_text()
    assert page.count('"image": ') == len(wanted) == found["num_images"]
    code, _, err = _explained("--map", "test", "photo.jpg", "--model", own_run.folder)
    assert code == 2 and "--map alone" in err


def _shown(row):
    return f"true class: {row['label']}answer: {row['prediction']}{row['path']}"


def test_keys_go_through_the_map_in_turn_and_in_a_direction(map_page, open_page):
    found, rows = map_page
    page = open_page(pathlib.Path(found["page"]))
    assert page.locator("g.point").count() == found["num_images"] == len(rows)
    page.keyboard.press("Tab")
    shown = page.locator("#shown")
    assert shown.text_content() == _shown(rows[0])
    assert shown.locator("img").get_attribute("src").startswith("data:image/jpeg")
    page.keyboard.press("PageDown")
    assert shown.text_content() == _shown(rows[1])
    leftmost = min(rows, key=lambda row: float(row["x"]))
    page.locator(f"g.point[aria-label^='{leftmost['path']}:']").press("ArrowRight")
    path = shown.locator("div").last.text_content()
    [reached] = [row for row in rows if row["path"] == path]
    assert float(reached["x"]) > float(leftmost["x"])
    page.locator("#wrong").check()
    assert page.locator("g.point:not(.off)").count() == found["num_wrong"]


def test_the_map_fits_a_phone_and_a_tap_near_a_mark_shows_its_image(map_page, open_page):
    found, rows = map_page
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "color_scheme": "dark"}
    page = open_page(pathlib.Path(found["page"]), **phone)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 29)"
    left = min(rows, key=lambda row: float(row["x"]))  # at the left edge, so alone on its left side
    box = page.locator(f"g.point[aria-label^='{left['path']}:'] .halo").bounding_box()
    page.touchscreen.tap(box["x"] + 1, box["y"] + box["height"] / 2)
    assert page.locator("#shown").text_content() == _shown(left)


def test_explain_in_python_writes_nothing_unless_asked(own_run, red):
    import cnnkit

    found = cnnkit.load_run(own_run.folder).explain(red, methods="layer-cam", class_name="red")
    [image] = found.images
    assert image.maps[0].values.shape == (14, 14)
    assert not (own_run.folder / "explanation").exists()


def test_errors_on_other_data_explains_their_images_also_if_the_run_has_the_same_names(
    own_run, tiny_images, tmp_path
):
    other = tmp_path / "other"
    shutil.copytree(tiny_images, other)
    for number in range(2):  # green pictures with the label red
        shutil.copy(tiny_images / "green" / f"{number}.png", other / "red" / f"{number}.png")
    evaluate_model(str(own_run.folder), tmp_path, data=other, name="elsewhere", note=str)
    table = own_run.evaluation("elsewhere") / "predictions.csv"
    assert images_of_table(table)("red/0.png") == LocalFile(str(other / "red" / "0.png"))
    assert json.loads((table.parent / "metrics.json").read_text())["data_folder"] == str(other)
    shutil.rmtree(other)
    assert images_of_table(table)("red/0.png") is None

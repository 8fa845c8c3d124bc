"""`cnnkit compare`: the verdict on two runs, the leaderboard of many, and what is refused."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scored_runs import answers, predictions_of, scored_run
from whole_command import contents_of
from whole_command import run as command

import cnnkit
from cnnkit.comparison.pair import compare_pair
from cnnkit.comparison.paired_tests import mcnemar
from cnnkit.errors import UsageError
from cnnkit.evaluation.predictions_file import write_predictions_file


def _two(tmp_path, *counts, **changes):
    first, second = answers(*counts)
    scored_run(tmp_path, "one", first)
    scored_run(tmp_path, "two", second, **{"seed": 1, **changes})
    return cnnkit.compare(["one", "two"], runs_folder=tmp_path)


def test_a_difference_by_chance_is_not_distinguishable_and_needs_more_images(tmp_path):
    comparison = _two(tmp_path, 229, 12, 9, 0)
    assert comparison.verdict == (
        "one and two are not distinguishable: 12 images against 9 (p = 0.66). If the difference "
        "really is 1.2 points, about 4,600 test images would show it; these are 250."
    )
    assert comparison.best.name == "one"
    assert comparison.equals == ["two"]
    (pair,) = comparison.pairs
    assert pair.difference == pytest.approx(-3 / 250)
    assert pair.interval[0] < pair.difference < pair.interval[1]
    assert pair.interval[0] < 0 < pair.interval[1]
    # The classes have nearly the same number of images, so the means over them differ little.
    assert pair.metrics["balanced_accuracy"].difference == pytest.approx(-3 / 250, abs=1e-3)
    assert "balanced_accuracy" in comparison.text()


def test_a_true_difference_names_the_better_run(tmp_path):
    comparison = _two(tmp_path, 200, 5, 30, 15)
    (pair,) = comparison.pairs
    assert pair.better == comparison.best.name == "two"
    assert comparison.equals == []
    assert pair.interval[0] > 0
    assert comparison.verdict == (
        "two is better than one: only two is right on 30 images, only one on 5 (p < 0.0001)."
    )


def test_equal_and_identical_runs_are_said_to_be(tmp_path):
    verdict = _two(tmp_path / "a", 100, 10, 10, 0).verdict
    assert "10 images against 10 (p = 1). There is no difference to show. One of 1 point" in verdict
    assert "nothing tells them apart" in _two(tmp_path / "b", 100, 0, 0, 5).verdict


def test_a_leaderboard_marks_the_best_and_those_not_distinguishable_from_it(tmp_path):
    right = np.ones((4, 300), bool)
    right[0, :20] = right[1, 15:38] = right[2, 100:190] = right[3, 200:220] = False
    for name, own in zip("abcd", right, strict=True):
        scored_run(tmp_path, name, own)
    comparison = cnnkit.compare(["c", "b", "a", "d"], runs_folder=tmp_path)
    assert [run.name for run in comparison.runs][0] in ("a", "d")
    assert [run.name for run in comparison.runs][2:] == ["b", "c"]
    assert comparison.equals == [comparison.runs[1].name, "b"]
    assert comparison.verdict.endswith("The others are worse.")
    text = comparison.text()
    assert text.count("not distinguishable,") == 2
    assert re.search(r"^c .* worse, 20 against 90 images \(p < 0.0001\)", text, re.M)


def test_p_values_of_a_leaderboard_are_corrected_for_their_number(tmp_path):
    """One comparison would find a difference; among four it may be chance."""
    first, second = answers(80, 9, 1, 0)
    scored_run(tmp_path, "best", first)
    for name in "abcd":
        scored_run(tmp_path, name, second)
    assert mcnemar(9, 1) < 0.05
    assert cnnkit.compare(["best", "a"], runs_folder=tmp_path).equals == []
    many = cnnkit.compare(["best", *"abcd"], runs_folder=tmp_path)
    assert sorted(many.equals) == list("abcd")
    assert many.pairs[0].corrected_p_value == pytest.approx(4 * mcnemar(9, 1))


def test_images_are_matched_by_content_whatever_their_paths_and_order(tmp_path):
    first, second = answers(20, 3, 1, 2)
    scored_run(tmp_path, "one", first)
    order = np.random.default_rng(0).permutation(len(second))
    paths = [f"moved/{index}.jpg" for index in order]
    scored_run(
        tmp_path,
        "two",
        np.array(second)[order],
        paths=paths,
        labels=order % 3,
        contents={path: f"{index}.png" for path, index in zip(paths, order, strict=True)},
    )
    (pair,) = cnnkit.compare(["one", "two"], runs_folder=tmp_path).pairs
    assert (pair.both_right, pair.only_first, pair.only_second, pair.both_wrong) == (20, 3, 1, 2)


@pytest.mark.parametrize("evaluation", ["test", "test-flips", "test-model.onnx-crops"])
def test_images_of_a_split_are_matched_by_content_whatever_was_scored(evaluation, tmp_path):
    for name in ("one", "two"):
        contents = {f"{name}/{index}.png": f"content {index}" for index in range(9)}
        run = scored_run(
            tmp_path, name, [True] * 9, evaluation=evaluation, paths=list(contents),
            contents=contents,
        )  # fmt: skip
        run.split.write_text(run.split.read_text().replace(f",{evaluation},", ",test,"))
    comparison = cnnkit.compare(["one", "two"], runs_folder=tmp_path, evaluation=evaluation)
    assert comparison.pairs[0].num_images == 9


def test_other_images_with_the_paths_of_a_split_are_not_taken_for_it(tmp_path):
    for name in ("one", "two"):  # trained on different images that have the same names
        contents = {f"{index}.png": f"{name} {index}" for index in range(9)}
        run = scored_run(tmp_path, name, [True] * 9, evaluation="same", contents=contents)
        run.split.write_text(run.split.read_text().replace(",same,", ",test,"))
    comparison = cnnkit.compare(["one", "two"], runs_folder=tmp_path, evaluation="same")
    assert comparison.pairs[0].num_images == 9


def test_class_names_in_another_order_are_the_same_classes(tmp_path):
    right = [True, False, True, True, False, True]
    scored_run(tmp_path, "one", right)
    labels = [(2 - index % 3) for index in range(6)]  # the same classes, turned around
    scored_run(tmp_path, "two", right, class_names=("owl", "dog", "cat"), labels=labels)
    (pair,) = cnnkit.compare(["one", "two"], runs_folder=tmp_path).pairs
    assert (pair.only_first, pair.only_second) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"paths": ["0.png", "1.png", "2.png", "x.png", "y.png", "z.png"]},
            r"one \(6 images\) and two \(6 images\) were not scored on the same images: 3 in both, "
            r"3 images only in one \(3.png, 4.png, 5.png\), 3 images only in two \(x.png, y.png",
        ),
        ({"contents": {"2.png": "painted over"}}, r"1 image has another content \(2.png\)"),
        (
            {"labels": [0, 1, 2, 0, 1, 1]},
            r"1 image has another class \(5.png is owl in one and dog in two\)",
        ),
        (
            {"class_names": ("cat", "dog", "yak")},
            r"different classes: only one has owl, only two has yak",
        ),
    ],
)
def test_other_test_sets_are_refused_with_the_difference(tmp_path, changes, words):
    scored_run(tmp_path, "one", [True] * 6)
    scored_run(tmp_path, "two", [True] * 6, **changes)
    done = command("compare", "one", "two", "--runs-folder", tmp_path)
    assert done.exit_code == 2
    assert re.search(words, done.stderr), done.stderr


def test_a_larger_test_set_and_copies_of_an_image_are_not_the_same_images(tmp_path):
    scored_run(tmp_path, "one", [True] * 6)
    scored_run(tmp_path, "two", [True] * 7, contents={"6.png": "5.png"}, labels=[0, 1, 2] * 2 + [2])
    with pytest.raises(UsageError, match=r"6 in both, 1 image only in two \(6.png\)"):
        cnnkit.compare(["one", "two"], runs_folder=tmp_path)


def test_predictions_of_another_tool_are_compared_by_path(tmp_path):
    first, second = answers(20, 3, 1, 2)
    scored_run(tmp_path, "one", first)
    write_predictions_file(predictions_of(second), tmp_path / "other.csv")
    comparison = cnnkit.compare(["one", tmp_path / "other.csv"], runs_folder=tmp_path)
    assert (comparison.pairs[0].only_first, comparison.pairs[0].only_second) == (3, 1)
    assert comparison.differences == ()
    assert "parameters" in comparison.text()


def test_the_differences_of_the_configs_are_listed(tmp_path):
    comparison = _two(tmp_path, 10, 1, 1, 0, rate=0.25)
    assert comparison.to_dict()["config_differences"] == {
        "model.layers[1].dropout.rate": {"one": 0.5, "two": 0.25},
        "training.seed": {"one": 0, "two": 1},
    }
    assert re.search(r"^training.seed +0 +1$", comparison.text(), re.M)


def test_a_value_as_in_the_config_of_the_best_run_is_shown_once(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 7)):
        scored_run(tmp_path, name, [True, name == "a"] * 10, seed=seed)
    text = cnnkit.compare(["c", "b", "a"], runs_folder=tmp_path).text()
    assert re.search(r"^config +a +c +b$", text, re.M)
    assert re.search(r"^training.seed +0 +7 +same$", text, re.M)


def test_the_json_is_one_document_and_the_same_as_in_python(tmp_path):
    comparison = _two(tmp_path, 200, 5, 30, 15)
    done = command("compare", "one", "two", "--runs-folder", tmp_path, "--json")
    assert json.loads(done.stdout) == comparison.to_dict()


def test_the_output_folder_has_pictures_and_the_images_that_only_some_get_right(tmp_path):
    _two(tmp_path, 20, 1, 2, 3)
    words = ["compare", "one", "two", "--runs-folder", tmp_path, "-o", tmp_path / "out"]
    assert command(*words).exit_code == 0
    assert {"curves.svg", "accuracies.svg"} <= {path.name for path in (tmp_path / "out").iterdir()}
    for name in ("curves.png", "accuracies.png"):
        with Image.open(tmp_path / "out" / name) as image:
            assert len(np.unique(np.asarray(image.convert("L")))) > 20
    with (tmp_path / "out" / "disagreements.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"path": "20.png", "label": "owl", "one": "owl", "two": "cat"},
        {"path": "21.png", "label": "cat", "one": "dog", "two": "cat"},
        {"path": "22.png", "label": "dog", "one": "owl", "two": "dog"},
    ]
    before = contents_of(tmp_path)
    again = command(*words)
    assert (again.exit_code, "--overwrite" in again.stderr) == (2, True)
    assert contents_of(tmp_path) == before
    assert command(*words, "--overwrite").exit_code == 0
    inside = command(*words[:-1], tmp_path / "one", "--overwrite")
    assert (inside.exit_code, "is not of a comparison" in inside.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["one"], "at least two runs"),
        (["one", "one"], "is given twice"),
        (["one", "tow"], "Did you mean two?"),
        (["one", "two.csv"], "There is no file two.csv"),
        (["one", "two", "--evaluation", "validation"], "one has no evaluation called validation"),
        (["one", "two", "--evaluation", "validation"], ", or take --evaluation test"),
    ],
)
def test_wrong_arguments_say_what_to_do(tmp_path, words, text):
    _two(tmp_path, 5, 1, 1, 0)
    done = command("compare", *words, "--runs-folder", tmp_path)
    assert (done.exit_code, text in done.stderr) == (2, True), done.stderr


def test_a_run_that_was_not_scored_names_the_command_that_does(tmp_path):
    _two(tmp_path, 5, 1, 1, 0)
    with pytest.raises(
        UsageError, match=r"It has test. Write it: cnnkit evaluate \S+one --split v"
    ):
        cnnkit.compare(["one", "two"], runs_folder=tmp_path, evaluation="validation")
    with pytest.raises(UsageError, match=r"evaluate \S+one --data DATA --name field, or take"):
        cnnkit.compare(["one", "two"], runs_folder=tmp_path, evaluation="field")


def test_runs_of_one_name_in_two_folders_are_told_apart(tmp_path):
    for folder in ("x", "y"):
        scored_run(tmp_path / folder, "one", [True] * 6)
    paths = [tmp_path / "x" / "one", tmp_path / "y" / "one"]
    assert [run.name for run in cnnkit.compare(paths).runs] == list(map(str, paths))


def test_a_comparison_imports_nothing_heavy(tmp_path):
    _two(tmp_path, 20, 1, 2, 3)
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = 'tensorflow keras matplotlib sklearn PIL'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    words = [sys.executable, "-c", code, "compare", "one", "two", "--runs-folder", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_the_latency_of_real_models_is_measured(trained_run):
    from cnnkit.comparison.comparing import compare
    from cnnkit.comparison.latency import with_latency

    csv_file = trained_run.evaluation("test") / "predictions.csv"
    done = command("compare", trained_run.folder, csv_file, "--latency")
    assert f"No latency of {csv_file}: there is no model.tflite." in done.stderr
    comparison = with_latency(compare([trained_run.folder, csv_file]))
    run, file = comparison.runs
    assert 0 < run.milliseconds < 1000
    assert file.milliseconds is None
    assert run.num_bytes == trained_run.tflite.stat().st_size
    assert compare_pair(run, file).only_first == 0
    assert "ms/image" in comparison.text()

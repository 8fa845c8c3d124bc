"""Requirements: on metrics, intervals, classes, slices and another run, and as JUnit XML."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from junitparser import JUnitXml
from scored_runs import predictions_of, scored_run

from cnnkit.cli import main
from cnnkit.errors import UsageError
from cnnkit.evaluation.all_metrics import all_metrics
from cnnkit.evaluation.gates import check_metric_names, check_requirements
from cnnkit.evaluation.intervals import wilson_interval
from cnnkit.evaluation.predictions import Predictions
from cnnkit.evaluation.predictions_file import write_predictions_file
from cnnkit.evaluation.rescoring import evaluate_predictions
from cnnkit.evaluation.slices import find_slices

CLASSES = ("cat", "a.b", "owl")


@pytest.fixture
def predictions():
    """60 images, 6 wrong ones: all of them owls, all taken with the old camera."""
    right = np.ones(60, bool)
    right[2:20:3] = False  # images 2, 5, 8, ... are of the last class
    found = predictions_of(right, class_names=CLASSES)
    cameras = ["old" if index < 20 else "new" for index in range(60)]
    return Predictions(
        found.class_names,
        found.paths,
        found.labels,
        found.probabilities.astype(np.float32),  # as in a file
        {"camera": cameras},
    )


def _sentences(predictions, *requirements, **more):
    outcomes = check_requirements(
        requirements, all_metrics(predictions), find_slices(predictions), **more
    )
    return [(each.is_met, each.sentence) for each in outcomes]


def test_requirements_are_reported_with_their_values(predictions):
    assert _sentences(
        predictions, "accuracy>=0.9", "per_class.a.b.recall > 0.4", "per_class.owl.recall>=0.95",
        "per_class.owl.support>=20", "log_loss<0.1", "num_images>=100",
    ) == [
        (True, "accuracy is 0.9000, required >= 0.9: met"),
        (True, "per_class.a.b.recall is 1.0000, required > 0.4: met"),
        (False, "per_class.owl.recall is 0.7000, required >= 0.95: NOT met"),
        (True, "per_class.owl.support is 20, required >= 20: met"),
        (False, "log_loss is 0.4311, required < 0.1: NOT met"),
        (False, "num_images is 60, required >= 100: NOT met"),
    ]  # fmt: skip


def test_on_lower_looks_at_the_worse_end_of_the_interval(predictions):
    low, _ = wilson_interval(0.9, 60)
    (met, sentence), (loss_met, loss_sentence) = _sentences(
        predictions, "accuracy>=0.85", "log_loss<=0.44", on_lower=True
    )
    assert not met and not loss_met
    assert sentence == (
        f"accuracy is 0.9000, the lower end of its interval {low:.4f}, required >= 0.85: NOT met"
    )
    assert "the upper end of its interval" in loss_sentence
    assert _sentences(predictions, "accuracy>=0.75", on_lower=True)[0][0]


def test_slices_can_be_required(predictions):
    low, _ = wilson_interval(0.7, 20)
    requirements = ["slices.camera.old.accuracy>=0.8", "worse_slices<=0"]
    assert _sentences(predictions, *requirements) == [
        (False, "slices.camera.old.accuracy is 0.7000, required >= 0.8: NOT met"),
        (False, "worse_slices is 2, required <= 0: NOT met"),
    ]
    [(_, sentence)] = _sentences(predictions, requirements[0], on_lower=True)
    assert f"interval {low:.4f}" in sentence
    with pytest.raises(UsageError, match=r"no slice camera.odl .* mean camera.old\?.*Slices: "):
        _sentences(predictions, "slices.camera.odl.accuracy>=0.8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accuracy", "cannot be read. Write a metric, one of"),
        ("accuracy>=much", "cannot be read. Write a metric, one of"),
        ("accuracy>=1e", "cannot be read. Write a metric, one of"),
        ("acuracy>=0.9", r"no metric acuracy. Did you mean accuracy\?"),
        ("per_class.cart.recall>=0.9", r"no class cart. Did you mean cat\? Classes: cat, a.b, owl"),
        ("per_class.cat.reach>=0.9", r"no metric per_class.cat.reach.*A class has precision,"),
        ("per_class.cat.recal>=0.9", r"no metric per_class.cat.recal. Did you mean recall\?"),
        ("accuracy=>0.9", "cannot be read. Write a metric, one of"),
        ("slices.camera>=0.9", "no metric slices.camera"),
        ("top5_accuracy>=0.9", "no metric top5_accuracy"),  # with three classes
        ("intervals>=0.9", "no metric intervals"),
    ],
)
def test_a_wrong_requirement_is_refused_before_anything_is_scored(text, words, predictions):
    with pytest.raises(UsageError, match=words):
        check_metric_names([text], CLASSES)
    with pytest.raises(UsageError, match=words.split(" Did")[0]):
        _sentences(predictions, text)


@pytest.mark.parametrize("text", ["accuracy>=90", "per_class.cat.f1 < 90", "ece<=90"])
def test_a_percentage_is_refused(text):
    with pytest.raises(UsageError, match=r"is at most 1. Write 90% as 0.9."):
        check_metric_names([text], CLASSES)


def test_names_that_exist_pass():
    check_metric_names(
        ["accuracy>=0.9", "per_class.a.b.f1>=0.1", "slices.camera.old.accuracy>=0.1",
         "worse_slices<=0", "num_images>1", "per_class.cat.roc_auc>0.9",
         "log_loss<2", "brier_score<1.5", "per_class.cat.support>=20", "accuracy>=1"], CLASSES,
    )  # fmt: skip
    check_metric_names(["top5_accuracy>=0.9"], tuple("abcdef"))


@pytest.mark.parametrize("name", ["num_images", "per_class.cat.support", "worse_slices"])
def test_on_lower_needs_an_interval(name):
    with pytest.raises(UsageError, match=f"--on lower: {name} has no interval"):
        check_metric_names([f"{name}>=1"], CLASSES, on_lower=True)


def test_a_metric_that_is_not_defined_is_no_metric_of_zero(predictions):
    cats = predictions.subset(predictions.labels == 0)
    for name in ("per_class.owl.recall", "roc_auc"):
        with pytest.raises(UsageError, match=f"{name} is not defined for these images"):
            _sentences(cats, f"{name}>=0")


def _run(tmp_path, *words):
    return CliRunner().invoke(main, ["evaluate", "--runs-folder", str(tmp_path), *words])


def test_junit_has_a_test_case_for_each_requirement(predictions, tmp_path):
    table, junit = tmp_path / "answers.csv", tmp_path / "report.xml"
    write_predictions_file(predictions, table)
    words = ["--from-predictions", str(table), "--junit", str(junit)]
    done = _run(
        tmp_path, *words, "--require", "accuracy>=0.9", "--require", "per_class.owl.recall>=0.95"
    )
    assert done.exit_code == 3, done.output
    [suite] = JUnitXml.fromfile(str(junit))
    assert (suite.tests, suite.failures) == (2, 1)
    passed, failed = suite
    assert (passed.name, passed.is_passed) == ("accuracy>=0.9", True)
    assert failed.name == "per_class.owl.recall>=0.95"
    assert failed.result[0].message == ("per_class.owl.recall is 0.7000, required >= 0.95: NOT met")
    assert failed.result[0].message in done.stderr
    again = _run(tmp_path, *words, "--require", "accuracy>=0.9")
    assert again.exit_code == 2 and "report.xml exists" in again.stderr
    for option in (["--junit", str(tmp_path / "b.xml")], ["--on", "lower"]):
        nothing = _run(tmp_path, "--from-predictions", str(table), *option)
        assert nothing.exit_code == 2 and "needs a requirement" in nothing.stderr


def test_no_worse_than_compares_image_by_image(tmp_path):
    good = np.ones(60, bool)
    bad = good.copy()
    bad[:9] = False
    slightly = good.copy()
    slightly[:2] = False
    for name, right in (("good", good), ("slightly", slightly), ("bad", bad)):
        scored_run(tmp_path, name, right)

    def compared(name, *words):
        table = str(tmp_path / name / "evaluation" / "test" / "predictions.csv")
        return _run(tmp_path, "--from-predictions", table, "--no-worse-than", *words)

    done = compared("bad", "good")
    assert done.exit_code == 3
    assert "no worse than good: 0 images right only here, 9 only there (p = 0.0039)" in done.stderr
    assert compared("slightly", "good").exit_code == 0  # two images may be chance
    assert compared("slightly", "good", "--on", "lower").exit_code == 3  # or may be not
    assert compared("good", "bad", "--on", "lower").exit_code == 0
    nowhere = compared("good", "nowhere")
    assert nowhere.exit_code == 2 and "nowhere" in nowhere.stderr
    other_tool = tmp_path / "tool.csv"
    other_tool.write_bytes(
        (bad_file := tmp_path / "bad/evaluation/test/predictions.csv").read_bytes()
    )
    done = _run(tmp_path, "--from-predictions", str(other_tool), "--no-worse-than", "good")
    assert done.exit_code == 3  # compared with evaluation/test of the run
    scored_run(tmp_path, "birds", good, class_names=("auk", "owl", "tit"))
    done = _run(tmp_path, "--from-predictions", str(bad_file), "--no-worse-than", "birds")
    assert done.exit_code == 2 and done.stdout == ""
    assert "birds and this model have different classes: only birds has auk" in done.stderr
    (tmp_path / "good" / "evaluation" / "test" / "predictions.csv").rename(tmp_path / "few.csv")
    assert compared("bad", str(tmp_path / "few.csv")).exit_code == 3


def test_no_worse_than_finds_the_same_images_by_their_content(tmp_path):
    right = np.ones(60, bool)
    moved = {f"new/{index}.png": f"{index}.png" for index in range(60)}
    scored_run(tmp_path, "one", right)
    scored_run(tmp_path, "two", right, paths=list(moved), contents=moved)
    table = str(tmp_path / "two" / "evaluation" / "test" / "predictions.csv")
    done = _run(tmp_path, "--from-predictions", table, "--no-worse-than", "one", "--json")
    (outcome,) = json.loads(done.stdout)["requirements"]
    assert (outcome["is_met"], outcome["value"], outcome["checked"]) == (True, 0, "p-value")
    other_tool = tmp_path / "tool.csv"  # whose contents are not known
    other_tool.write_bytes((tmp_path / table).read_bytes())
    done = _run(tmp_path, "--from-predictions", str(other_tool), "--no-worse-than", "one")
    assert done.exit_code == 2 and "60 images only in one" in done.stderr


@pytest.mark.parametrize("on", ["value", "lower"])
def test_the_json_lists_the_requirements_with_their_numbers(on, predictions, tmp_path):
    table = tmp_path / "predictions.csv"
    write_predictions_file(predictions, table)
    words = ("--require", "accuracy>=0.85", "--require", "log_loss<=0.1", "--on", on, "--json")
    done = _run(tmp_path, "--from-predictions", str(table), *words)
    facts = json.loads(done.stdout)
    first, second = facts["requirements"]
    intervals = facts["intervals"]
    assert done.exit_code == 3 and facts["accuracy"] == first["value"]
    checked = (0.9, "value") if on == "value" else (intervals["accuracy"][0], "lower end")
    assert (first["checked_value"], first["checked"]) == checked
    assert (first["requirement"], first["limit"]) == ("accuracy>=0.85", 0.85)
    assert first["is_met"] == (on == "value") and not second["is_met"]
    assert second["checked"] == ("value" if on == "value" else "upper end")
    assert facts["error"] == f"{first['sentence']}\n{second['sentence']}"


def test_from_predictions_gives_the_metrics_of_the_run_and_writes_only_if_asked(
    predictions, tmp_path
):
    table = tmp_path / "answers.csv"
    write_predictions_file(predictions, table)
    done = _run(tmp_path, "--from-predictions", str(table), "--json")
    facts = json.loads(done.stdout)
    assert (facts["accuracy"], facts["folder"]) == (0.9, None)
    assert [file.name for file in tmp_path.iterdir()] == ["answers.csv"]
    assert [each["value"] for each in facts["slices"]["worse"]] == ["owl", "old"]

    output = tmp_path / "scores"
    done = _run(tmp_path, "--from-predictions", str(table), "--output", str(output))
    assert done.exit_code == 0, done.output
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(all_metrics(predictions)))
    again = _run(tmp_path, "--from-predictions", str(output), "--json")
    assert json.loads(again.stdout)["intervals"] == facts["intervals"]
    over = _run(tmp_path, "--from-predictions", str(output), "--output", str(output), "--overwrite")
    assert over.exit_code == 2 and "predictions.csv" in over.stderr


@pytest.mark.parametrize(
    "words", [["runs/a"], ["--split", "test"], ["--tta", "flips"], ["--skip-errors"]]
)
def test_from_predictions_takes_no_option_of_a_model(words, tmp_path):
    done = _run(tmp_path, "--from-predictions", "a.csv", *words)
    assert done.exit_code == 2
    assert f"it takes no {'RUN' if words[0] == 'runs/a' else words[0]}." in done.stderr


def test_a_wrong_file_or_requirement_of_from_predictions(predictions, tmp_path):
    done = _run(tmp_path, "--from-predictions", str(tmp_path / "none.csv"))
    assert done.exit_code == 1 and "none.csv cannot be read: No such file" in done.stderr
    done = _run(tmp_path, "--from-predictions", str(tmp_path))
    assert done.exit_code == 2 and "has no predictions.csv. Give a CSV file, or" in done.stderr
    write_predictions_file(predictions, tmp_path / "a.csv")
    words = ["--from-predictions", str(tmp_path / "a.csv"), "--require", "acuracy>=1"]
    done = _run(tmp_path, *words)
    assert done.exit_code == 2 and done.stdout == ""


def test_a_path_that_is_there_twice_is_named(predictions, tmp_path):
    write_predictions_file(predictions, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    done = _run(tmp_path, "--from-predictions", str(tmp_path / "a.csv"), "--json")
    assert json.loads(done.stdout)["num_images"] == 61
    assert f"a.csv has 1 path more than once ({predictions.paths[0]})." in done.stderr


def test_from_predictions_imports_nothing_heavy(predictions, tmp_path):
    write_predictions_file(predictions, tmp_path / "a.csv")
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(['evaluate', '--from-predictions', sys.argv[1]])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = 'tensorflow keras matplotlib sklearn pandas cv2 pydantic'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.csv")], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stderr


def test_the_result_has_attributes_for_python(predictions, tmp_path):
    write_predictions_file(predictions, tmp_path / "a.csv")
    found = evaluate_predictions(tmp_path / "a.csv", runs_folder=tmp_path, note=print)
    assert found.accuracy == 0.9
    assert found.interval("accuracy")[0] == pytest.approx(float(wilson_interval(0.9, 60)[0]))
    assert found.to_dict()["per_class"]["owl"]["recall"] == 0.7
    with pytest.raises(AttributeError, match="an evaluation has no acuracy"):
        found.acuracy  # noqa: B018

"""`cnnkit grade`: points, sentences and files; nothing outside a submission is ever read."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import DOCS

from cnnkit.cli import main
from cnnkit.config import load_config
from cnnkit.errors import ConfigError
from cnnkit.explore.summarize import summary_of_config
from cnnkit.grading.judging import Trained, judge_network, judge_training
from cnnkit.grading.read_rubric import read_rubric
from cnnkit.grading.rubric import OUTSIDE, Criterion
from cnnkit.grading.submission import read_submission

_RUBRIC = """
title: A small network
data: {source: digits, split: {validation: 0.2, test: 0.3, seed: 42}}
training: {seed: 1, max_epochs: 2, max_minutes: 3}
pass_mark: 3
criteria:
  - {shape: {of: input, equals: [16, 16, 1]}, points: 1}
  - {parameters: {at_most: 3000}, points: 2, required: true}
  - {layers: {kind: dropout, at_most: 0}, points: 1, name: no dropout}
"""
_WITH_ACCURACY = _RUBRIC + "  - {accuracy: {at_least: 0.05}, points: 2}\n"
_GOOD = """
data: {source: /nowhere/at/all, image_size: 16, color_mode: grayscale, batch_size: 64}
model: {layers: [conv: {filters: 4, kernel_size: 3}, pool, global_pool]}
training: {epochs: 50, seed: 9, loggers: [mlflow: {tracking_uri: "http://example.com"}]}
"""


def _write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def _grade(*arguments):
    return CliRunner().invoke(main, ["grade", *map(str, arguments)])


def test_a_submission_is_trained_on_the_data_of_the_rubric_and_gets_its_points(tmp_path):
    rubric = _write(tmp_path, "rubric.yaml", _WITH_ACCURACY)
    good = _write(tmp_path, "good.yaml", _GOOD)
    done = _grade(good, "--rubric", rubric, "--json", "--runs-folder", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    (one,) = result["submissions"]
    assert (one["points"], result["total"], one["passed"]) == (6, 6, True)
    assert "max_epochs" not in one["message"]
    config = load_config(tmp_path / "runs" / "good" / "config.yaml")
    assert (config.data.source, config.data.batch_size) == ("digits", 64)
    assert (config.training.epochs, config.training.seed) == (2, 1)
    assert config.training.loggers == () and config.training.max_minutes == 3


def test_several_submissions_give_a_table_and_junit_and_exit_code_3(tmp_path):
    from junitparser import JUnitXml

    folder = tmp_path / "submissions"
    folder.mkdir()
    rubric = _write(folder, "rubric.yaml", _RUBRIC)
    _write(folder, "good.yaml", _GOOD)
    _write(folder, "large.yml", _GOOD.replace("global_pool", "flatten, dropout: 0.1"))
    _write(folder, "broken.yaml", '"\\x04\\e[1m": 3')  # characters that XML cannot say
    _write(folder, "wrong.yaml", _GOOD.replace("filters: 4", "filter: 4"))
    (folder / "binary.yaml").write_bytes(b"\0\1\2\xff")
    table, junit = tmp_path / "grades.csv", tmp_path / "grades.xml"
    done = _grade(folder, "--rubric", rubric, "-o", table, "--junit", junit)
    assert done.exit_code == 3
    assert "3 submissions are below the pass mark of 3 points." in done.stderr
    with table.open(newline="") as file:
        rows = {Path(row["submission"]).name: row for row in csv.DictReader(file)}
    assert list(rows) == ["binary.yaml", "broken.yaml", "good.yaml", "large.yml", "wrong.yaml"]
    assert rows["good.yaml"]["points"] == "4.0" and rows["good.yaml"]["no dropout"] == "1.0"
    assert rows["large.yml"]["points"] == "3.0" and rows["large.yml"]["no dropout"] == "0.0"
    assert "Did you mean filters?" in rows["wrong.yaml"]["message"]
    assert "wrong.yaml:3:25" in rows["wrong.yaml"]["message"]
    assert rows["broken.yaml"]["points"] == "0" and rows["broken.yaml"]["message"]
    suites = {Path(suite.name).name: suite for suite in JUnitXml.fromfile(str(junit))}
    assert (suites["large.yml"].tests, suites["large.yml"].failures) == (3, 1)
    assert suites["binary.yaml"].errors == 1


@pytest.mark.parametrize(
    "section, word",
    [
        ("model: {layers: [flatten], weights: runs/x}", "weights"),
        ("model: {backbone: {name: MobileNetV2}}", "imagenet"),
        ("model: {backbone: {name: MobileNetV2, weights: /etc/passwd}}", "weights"),
        ("model: {backbone: {hub: 'https://tfhub.dev/x'}}", "hub"),
        ("model: {backbone: {file: /etc/passwd}}", "backbone_file"),
        ("model: {backbone: {run: '${HOME}/runs/x'}}", "backbone_run"),
        (
            "model: {layers: [flatten]}\ntraining: {phases: [{train: all, data: {source: /etc}}]}",
            "phase_data",
        ),
    ],
)
def test_what_a_submission_names_outside_is_refused_unless_the_rubric_allows_it(
    section, word, tmp_path
):
    rubric = read_rubric(_write(tmp_path, "rubric.yaml", _RUBRIC))
    path = _write(tmp_path, "one.yaml", f"data: {{image_size: 32}}\n{section}\n")
    with pytest.raises(ConfigError, match="outside the submission, which the rubric does not"):
        read_submission(path, rubric)
    allowed = rubric.model_copy(update={"allow": [word]})
    read_submission(path, allowed)
    others = rubric.model_copy(update={"allow": [each for each in OUTSIDE if each != word]})
    with pytest.raises(ConfigError):
        read_submission(path, others)


def test_the_data_section_of_a_submission_is_never_opened(tmp_path):
    rubric = read_rubric(_write(tmp_path, "rubric.yaml", _RUBRIC))
    own = "data: {source: '${UNSET_NAME}', classes: /etc/passwd, labels: x.csv, image_size: 8}\n"
    config = read_submission(
        _write(tmp_path, "one.yaml", f"{own}model: {{layers: [flatten]}}\n"), rubric
    )
    assert (config.data.source, config.data.classes, config.data.labels) == ("digits", None, None)
    assert config.data.image_size == (8, 8)
    without = _write(tmp_path, "two.yaml", "model: {layers: [flatten]}\n")
    with pytest.raises(ConfigError, match=r"two.yaml:1:1 .*data.image_size"):
        read_submission(without, rubric)


def test_an_unmet_required_criterion_prevents_the_training(tmp_path):
    rubric = _write(tmp_path, "rubric.yaml", _WITH_ACCURACY.replace("mark: 3", "mark: 5"))
    large = _write(tmp_path, "large.yaml", _GOOD.replace("global_pool", "flatten, dense: 99"))
    done = _grade(large, "--rubric", rubric, "--runs-folder", tmp_path / "runs")
    assert done.exit_code == 3, done.output
    assert "it does not meet what is required (parameters)." in done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_training_that_fails_gives_no_points_and_the_reason(tmp_path):
    rubric = _write(tmp_path, "rubric.yaml", _WITH_ACCURACY.replace("mark: 3", "mark: 5"))
    text = _GOOD.replace("epochs: 50", "epochs: 1, class_weights: {cat: 2}")
    done = _grade(_write(tmp_path, "one.yaml", text), "--rubric", rubric, "--json")
    (one,) = json.loads(done.stdout)["submissions"]
    assert done.exit_code == 3 and one["points"] == 4
    assert (
        "the training failed. training.class_weights names the class 'cat'"
        in (one["criteria"][-1]["sentence"])
    )


def test_a_submission_may_have_any_file_name_and_hears_nothing_of_removed_runs(tmp_path):
    rubric = _write(tmp_path, "rubric.yaml", _WITH_ACCURACY)
    rate = "epochs: 1, optimizer: {sgd: {learning_rate: 1.0e+30}}"
    path = _write(tmp_path, "task 1: Anna.yaml", _GOOD.replace("epochs: 50", rate))
    done = _grade(path, "--rubric", rubric, "--json")
    (one,) = json.loads(done.stdout)["submissions"]
    assert one["criteria"][-1]["sentence"] == (
        "Not judged: the training failed. The loss became NaN or infinite in epoch 1 at step 2 "
        "(learning rate 1e+30). Lower the learning_rate of sgd, or add clipnorm: 1.0 to its "
        "arguments."
    )


_NETWORK = """
data: {source: digits, image_size: [16, 12], color_mode: grayscale}
model:
  layers:
    - conv: {filters: 8, kernel_size: [3, 3], padding: same, name: first}
    - residual: [conv: {filters: 8, kernel_size: 3, padding: same}, batch_norm]
    - pool: average
    - flatten
    - dropout: 0.5
    - dense: {units: 20, activation: relu}
"""
# Weights: first 80; inside 584 + 16 trained and 16 moving; dense (8*6*8 + 1)*20; output 210.
_TRAINED, _ALL = 80 + 584 + 16 + 7700 + 210, 80 + 584 + 32 + 7700 + 210


@pytest.mark.parametrize(
    "judge, points, sentence",
    [
        ({"shape": {"of": "input", "equals": [16, 12, 1]}}, 2, "is 16 x 12 x 1, as required."),
        ({"shape": {"of": "output", "equals": [9]}}, 0, "The output is 10, but 9 is required."),
        ({"shape": {"of": "first", "equals": [16, 12, 8]}}, 2, "The output of first is 16 x"),
        ({"shape": {"of": "pool_1", "equals": [8, 6, 8]}}, 2, "The output of pool_1 is 8 x 6"),
        ({"shape": {"of": "pool_2", "equals": [8, 6, 8]}}, 0, "no layer pool_2. Did you mean"),
        ({"parameters": {"at_most": _ALL}}, 2, f"{_ALL:,} parameters; at most {_ALL:,} are"),
        ({"parameters": {"at_most": _ALL - 1}}, 0, f"parameters, but at most {_ALL - 1:,} are"),
        ({"multiply_adds": {"at_least": 1e6}}, 0, "but at least 1,000,000 are needed."),
        ({"megabytes": {"at_most": 0.05}}, 2, "0.03 MB of weights; at most 0.05 are allowed."),
        ({"layers": {"kind": "conv", "at_least": 2, "at_most": 2}}, 2, "2 conv layers; exactly 2"),
        ({"layers": {"kind": "Conv2D", "at_least": 3}}, 0, "2 Conv2D layers, but at least 3"),
        ({"layers": {"kind": "conv", "at_least": 2, "arguments": {"kernel_size": 3}}}, 2, ""),
        ({"layers": {"kind": "pool", "at_least": 1, "arguments": {"type": "max"}}}, 0, "0 pool"),
        ({"layers": {"kind": "AveragePooling2D", "at_least": 1}}, 2, "1 AveragePooling2D layer"),
        (
            {"layers": {"kind": "residual", "at_most": 0}},
            0,
            "1 residual layer, but none is allowed",
        ),
        ({"layers": {"kind": "dense", "at_most": 1}}, 2, "1 dense layer;"),
    ],
)
def test_a_network_is_judged_by_its_shapes_sizes_and_layers(judge, points, sentence, tmp_path):
    config = load_config(_write(tmp_path, "net.yaml", _NETWORK))
    found = judge_network(Criterion(points=2, **judge), config, summary_of_config(config, 10))
    assert found.points == points and sentence in found.sentence


@pytest.mark.parametrize("accuracy, points", [(0.5, 0), (0.6, 0), (0.75, 2), (0.9, 4), (0.95, 4)])
def test_points_for_accuracy_grow_in_a_line(accuracy, points):
    criterion = Criterion(points=4, accuracy={"at_least": 0.9, "no_points_below": 0.6})
    assert judge_training(criterion, Trained(accuracy, 1.0)).points == pytest.approx(points)
    strict = Criterion(points=4, accuracy={"at_least": 0.9})
    assert judge_training(strict, Trained(accuracy, 1.0)).points == (4 if accuracy >= 0.9 else 0)


def test_minutes_are_judged():
    criterion = Criterion(points=1, minutes={"at_most": 2})
    assert judge_training(criterion, Trained(0.5, 1.5)).sentence == (
        "1.50 minutes of training; at most 2 are allowed."
    )
    assert judge_training(criterion, Trained(0.5, 2.5)).points == 0


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("pass_mark: 3", "pass_mrak: 5", "rubric.yaml:5:1  pass_mrak  unknown key. Did you mean"),
        ("pass_mark: 3", "pass_mark: 50", "rubric.yaml:5:12  pass_mark  is above 4, the sum"),
        ("digits", "digits, image_sise: 3", "data.image_sise  unknown key for data. Did you mean"),
        ("kind: dropout", "kind: dropuot", "there is no layer \"dropuot\". Did you mean dropout?"),
        ("at_most: 0", "at_most: 0, arguments: {rat: 1}", "arguments.rat  unknown argument for"),
        ("at_most: 0", "at_most: 0, arguments: {rate: 5}", "arguments.rate  expected a number of"),
        ("at_most: 3000", "", "criteria[1].parameters  expected at_least, at_most or both."),
        ("points: 2", "minutes: {at_most: 1}, points: 2", "received parameters and minutes."),
        ("max_epochs: 2", "max_epochs: 0", "training.max_epochs  expected a whole number of at"),
        ("title: A small network", "allow: [internet]", "allow  expected a list of imagenet"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_rubric_has_its_place_and_says_what_is_allowed(old, new, message, tmp_path):
    rubric = _write(tmp_path, "rubric.yaml", _RUBRIC.replace(old, new))
    done = _grade(_write(tmp_path, "good.yaml", _GOOD), "--rubric", rubric)
    assert done.exit_code == 2 and message in done.stderr, done.stderr


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the file is empty"),
        ("- 1", "expected a config with the keys data and model"),
        ("model: 3", "model  expected a section"),
        ("data: 5\nmodel: {backbone: hello}", "model.backbone  expected a section"),
        ("data: {image_size: 8}\nmodel: {layers: [flatten], output: sigmoid}", "for two classes"),
        ("data: {image_size: 8}\nmodel: {layers: [pool]}", "the stack ends here with maps"),
        ("data: {image_size: 8}\nmodel: !!python/name:os.system {}", "is not allowed"),
        (
            "data: {image_size: 8}\nmodel: {layers: [repeat: {times: 999999, layers: [flatten]}]}",
            "expected a whole number from 1 to",
        ),
    ],
)
def test_an_odd_submission_gets_no_points_and_a_message(text, message, tmp_path):
    rubric = _write(tmp_path, "rubric.yaml", _WITH_ACCURACY)
    done = _grade(_write(tmp_path, "odd.yaml", text), "--rubric", rubric, "--json")
    (one,) = json.loads(done.stdout)["submissions"]
    assert done.exit_code == 3 and one["points"] == 0 and message in one["message"]


def test_a_rubric_without_test_images_cannot_judge_accuracy(tmp_path):
    text = _WITH_ACCURACY.replace("test: 0.3", "test: 0").replace("epochs: 2", "epochs: 1")
    rubric = _write(tmp_path, "rubric.yaml", text)
    done = _grade(_write(tmp_path, "good.yaml", _GOOD), "--rubric", rubric)
    assert done.exit_code == 2 and "The data of the rubric has no test images" in done.stderr


def test_the_rubric_of_the_page_is_right(tmp_path):
    page = (DOCS / "grade.md").read_text()
    (text,) = re.findall(r"^```\n(# rubric.yaml\n.*?)^```", page, re.M | re.S)
    rubric = read_rubric(_write(tmp_path, "rubric.yaml", text))
    assert (rubric.total, rubric.pass_mark, len(rubric.criteria)) == (10, 6, 6)


def test_a_folder_without_submissions_and_a_missing_file_are_refused(tmp_path):
    rubric = _write(tmp_path, "rubric.yaml", _RUBRIC)
    done = _grade(tmp_path, "--rubric", rubric)
    assert done.exit_code == 2 and "has no submissions" in done.stderr
    done = _grade(tmp_path / "nobody.yaml", "--rubric", rubric)
    assert done.exit_code == 2 and "There is no file or folder" in done.stderr

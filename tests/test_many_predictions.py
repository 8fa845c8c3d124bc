"""Predictions of many images: resumed after a kill, in parts, and the parts joined."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from predict_command import image_folder

from cnnkit.cli import main
from cnnkit.prediction import predict
from cnnkit.prediction.kept_answers import kept_answers
from cnnkit.prediction.shard import Shard
from cnnkit.runtimes import load_predictor


@pytest.fixture
def photos(trained_run, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(image_folder(trained_run), folder)
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "a\nb, c.png").write_bytes(next(folder.rglob("0.png")).read_bytes())
    return folder


def predicted(run, *words, code=1):
    """Run `cnnkit predict` in this process; one of the photos is broken, so the code is 1."""
    result = CliRunner().invoke(main, ["predict", *map(str, words), "--model", str(run.folder)])
    assert result.exit_code == code, result.output
    return result


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_merged_parts_are_the_bytes_of_one_prediction(trained_run, photos, tmp_path, ending):
    whole = tmp_path / "new folder" / f"whole.{ending}"
    predicted(trained_run, photos, "-o", whole, "--topk", 2)
    parts = [tmp_path / f"part{number}.{ending}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        predicted(
            trained_run, photos, "-o", part, "--topk", 2, "--shard", f"{number}/3",
            "--allow-errors", code=0,
        )  # fmt: skip
        assert 0 < part.stat().st_size < whole.stat().st_size
    merged = tmp_path / f"merged.{ending}"
    command = ["predict", "merge", *map(str, reversed(parts)), "-o", str(merged)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert merged.read_bytes() == whole.read_bytes()
    assert "1 image could not be read" in result.output and "from 3 files" in result.output


def test_each_path_is_in_one_part_also_if_other_paths_come_and_go():
    paths = [f"photos/{number}.jpg" for number in range(4_000)]
    parts = [{path for path in paths if Shard(number, 4).has(path)} for number in (1, 2, 3, 4)]
    assert sum(map(len, parts)) == len(paths) and set.union(*parts) == set(paths)
    # Binomial with p = 1/4: 1,000 on average, standard deviation 27.
    assert all(850 < len(part) < 1_150 for part in parts)
    # Other programs can tell the part, too.
    command = ["sha256sum"]
    done = subprocess.run(command, input=b"photos/0.jpg", capture_output=True, check=True)
    assert "photos/0.jpg" in parts[int(done.stdout[:16], 16) % 4]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "1/3/5", "a/b", "1 /3"])
def test_a_wrong_part_is_refused(trained_run, photos, text):
    result = predicted(trained_run, photos, f"--shard={text}", code=2)
    assert "the first is 1/8" in result.output


def test_a_killed_prediction_is_resumed_to_the_same_bytes(trained_run, photos, tmp_path):
    for number in range(150):
        shutil.copy(next(photos.rglob("0.png")), photos / f"more{number}.png")
    whole, output = tmp_path / "whole.csv", tmp_path / "answers.csv"
    predicted(trained_run, photos, "-o", whole)
    paths = [row[0] for row in rows_of(whole)[1:]]
    partial = tmp_path / "answers.csv.partial"
    command = [sys.executable, "-m", "cnnkit", "predict", "-", "-0", "-o", str(output)]
    process = subprocess.Popen(
        [*command, "--model", str(trained_run.folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write("".join(f"{path}\0" for path in paths[:100]).encode())
    process.stdin.flush()  # and no end: it waits for more
    while not partial.exists() or partial.read_bytes().count(b"\n") < 80:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not output.exists()
    with partial.open("ab") as file:
        file.write(b'{"path": "half a li')

    refused = predicted(trained_run, photos, "-o", output, code=2)
    assert "--resume" in refused.output and "--overwrite" in refused.output
    # What is kept is not computed again: an answer that was changed by hand comes back.
    lines = partial.read_text().split("\n")
    facts = json.loads(lines[1])
    facts["probabilities"].reverse()
    lines[1] = json.dumps(facts)
    partial.write_text("\n".join(lines))
    predicted(trained_run, photos, "-o", output, "--resume")
    pairs = zip(rows_of(output), rows_of(whole), strict=True)
    different = [row[0] for row, other in pairs if row != other]
    assert different == [facts["path"]] and not partial.exists()
    # A finished one stays as it is.
    output.write_text("mine")
    assert "is complete" in predicted(trained_run, photos, "-o", output, "--resume", code=0).output
    assert output.read_text() == "mine"


@pytest.mark.parametrize("length", [0, 9, -1, None])  # of the first line that was written
@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_a_prediction_that_was_killed_before_its_first_answer_begins_again(
    trained_run, photos, tmp_path, length, options
):
    output, partial = tmp_path / "answers.csv", tmp_path / "answers.csv.partial"
    names = load_predictor(trained_run.folder, tmp_path).info.class_names
    arguments = (output, trained_run.tflite, names)
    with (
        pytest.raises(KeyboardInterrupt),
        kept_answers(*arguments, resume=False, overwrite=False),
    ):
        raise KeyboardInterrupt
    partial.write_bytes(partial.read_bytes()[:length])
    predicted(trained_run, photos, "-o", output, *options)
    assert len(rows_of(output)) > 3 and not partial.exists()


def test_ctrl_c_says_how_to_continue(trained_run, photos, tmp_path):
    output = tmp_path / "answers.jsonl"
    command = [sys.executable, "-m", "cnnkit", "predict", "-", "-o", output]
    command += ["--model", trained_run.folder]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    process.stdin.write(f"{next(photos.rglob('0.png'))}\n")
    process.stdin.flush()
    partial = tmp_path / "answers.jsonl.partial"
    while not partial.exists() or partial.read_bytes().count(b"\n") < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"1 answer is kept in {partial}" in errors and "--resume" in errors
    assert not output.exists()


def test_ctrl_c_before_the_kept_answers_are_read_is_no_fault(trained_run, photos, monkeypatch):
    def interrupted(model):
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnkit.prediction.kept_answers._sha256", interrupted)
    result = predicted(trained_run, photos, "-o", photos.parent / "answers.csv", code=130)
    assert "Traceback" not in result.output


def test_a_changed_image_and_one_that_was_broken_are_predicted_again(trained_run, tmp_path):
    first, second, broken = (tmp_path / name for name in ("1.png", "2.png", "3.png"))
    source = next(Path(image_folder(trained_run)).rglob("0.png"))
    shutil.copy(source, first)
    shutil.copy(source, second)
    broken.write_bytes(b"no image")
    predictor = load_predictor(trained_run.folder, tmp_path)
    names = predictor.info.class_names
    arguments = (tmp_path / "answers.csv", trained_run.tflite, names)
    paths = [str(first), str(second), str(broken)]
    with (
        pytest.raises(KeyboardInterrupt),
        kept_answers(*arguments, resume=False, overwrite=False) as kept,
    ):
        answers = list(predict(predictor, paths, kept))
        raise KeyboardInterrupt
    second.write_bytes(second.read_bytes() + b"1")
    with kept_answers(*arguments, resume=True, overwrite=False) as kept:
        again = kept.find(str(first))
        assert again.probabilities.tobytes() == answers[0].probabilities.tobytes()
        assert (again.distance, again.reason) == (None, None)
        assert kept.find(str(second)) is None and kept.find(str(broken)) is None


def test_kept_answers_of_another_model_are_refused(trained_run, photos, tmp_path):
    output = tmp_path / "answers.csv"
    partial = tmp_path / "answers.csv.partial"
    partial.write_bytes(b'{"kept_answers": 1, "model_sha256": "abc", "classes": ["red"]}\n')
    refused = predicted(trained_run, photos, "-o", output, "--resume", code=2)
    assert "answers of another model" in refused.output and partial.exists()
    for option in ("--resume", "--overwrite"):
        partial.write_bytes(b"my own notes\n")
        refused = predicted(trained_run, photos, "-o", output, option, code=2)
        assert "Move it away" in refused.output and partial.read_bytes() == b"my own notes\n"


def test_files_that_do_not_belong_together_are_not_merged(trained_run, photos, tmp_path):
    first, other = tmp_path / "first.csv", tmp_path / "other.csv"
    predicted(trained_run, photos, "-o", first)

    def refusal(*files):
        command = ["predict", "merge", *map(str, files), "-o", str(tmp_path / "all.csv")]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2 and not (tmp_path / "all.csv").exists()
        return result.output

    predicted(trained_run, photos, "-o", other, "--topk", 2)
    assert "other columns" in refusal(first, other)
    text = first.read_text()
    path, name, *rest = text.splitlines()[-1].split(",")
    other.write_text(text.replace(f"{path},{name}", f"{path},nobody"))
    assert "another answer" in refusal(first, other)
    other.write_text(text[:-5])
    assert "answer" in refusal(other) and "cannot be read" in refusal(other)
    other.write_text("a,b\n1,2\n")
    assert "no answers of cnnkit predict" in refusal(other)
    assert "must end in .csv, in .jsonl, or in .parquet" in refusal(first, photos / "broken.png")

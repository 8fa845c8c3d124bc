"""Answers as Parquet: the rows of CSV, with types; resumed and merged like them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from predict_command import image_folder

from cnnkit.cli import main
from cnnkit.prediction import parquet_output
from cnnkit.prediction.kept_answers import partial_path
from cnnkit.prediction.output_formats import write_predictions
from cnnkit.prediction.predict_images import Prediction


def predicted(run, *words, code=0):
    result = CliRunner().invoke(main, ["predict", *map(str, words), "--model", str(run.folder)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def photos(trained_run, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(image_folder(trained_run), folder)
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def test_the_rows_are_those_of_csv_with_the_numbers_in_full(trained_run, photos, tmp_path):
    table, text = tmp_path / "answers.parquet", tmp_path / "answers.csv"
    for output in (table, text):
        predicted(trained_run, photos, "-o", output, "--topk", 9, "--allow-errors")
    found = pq.read_table(table)
    with text.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert found.column_names == list(rows[0])
    for row, expected in zip(found.to_pylist(), rows, strict=True):
        for column, value in row.items():
            shown = f"{value:.6g}" if isinstance(value, float) else value or ""
            assert shown == expected[column]
    assert found.schema.field("p_red").type == found.schema.field("probability_2").type
    assert found.schema.field("p_red").type == pa.float32()
    assert pa.types.is_dictionary(found.schema.field("prediction").type)
    assert found["error"].null_count == len(rows) - 1 and found["p_red"].null_count == 1


def test_groups_of_rows_refusals_and_odd_names(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_output, "MOST_ROWS", 3)
    names = ("cat", "dog")
    answers = [
        Prediction(f"{number}\udce9.png", names, np.array([0.25, 0.75], np.float32), distance=0.5)
        for number in range(6)
    ]
    answers[4] = Prediction("4", names, answers[4].probabilities, distance=9.0, reason="far")
    output = tmp_path / "answers.parquet"
    written = write_predictions(answers, names, "parquet", 5, output, is_calibrated=True)
    table = pq.read_table(output)
    assert written == (6, 0) and pq.ParquetFile(output).num_row_groups == 2
    assert table["path"].to_pylist()[:2] == ["0\\udce9.png", "1\\udce9.png"]
    assert table["prediction"].to_pylist() == ["dog"] * 4 + ["unknown", "dog"]
    assert table["prediction_2"].to_pylist() == ["cat"] * 6
    assert table["reason"].to_pylist()[3:5] == [None, "far"]
    assert table["distance"].to_pylist()[3:5] == [0.5, 9.0]
    write_predictions([], names, "parquet", 1, output)
    assert len(pq.read_table(output)) == 0


def test_an_interrupted_one_is_resumed_to_the_same_table(trained_run, photos, tmp_path):
    output = tmp_path / "answers.parquet"
    predicted(trained_run, photos, "-o", output, "--allow-errors")
    whole = pq.read_table(output)
    few = tmp_path / "few.csv"
    shutil.copytree(photos, tmp_path / "other")
    command = ["-o", few, "--format", "parquet", "--allow-errors"]
    predicted(trained_run, photos, *command)
    assert pq.read_table(few).equals(whole)
    partial_path(output).write_bytes(b"")  # killed before the first answer
    predicted(trained_run, photos, "-o", output, "--resume", "--overwrite", "--allow-errors")
    assert pq.read_table(output).equals(whole) and not partial_path(output).exists()


def test_merged_parts_are_the_table_of_one_prediction(trained_run, photos, tmp_path):
    whole = tmp_path / "whole.parquet"
    predicted(trained_run, photos, "-o", whole, "--allow-errors")
    parts = [tmp_path / f"part{number}.parquet" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        words = ["-o", part, "--shard", f"{number}/2", "--allow-errors"]
        predicted(trained_run, photos, *words)
    merged = tmp_path / "merged.parquet"

    def merge(*files, code=0):
        command = ["predict", "merge", *map(str, files), "-o", str(merged), "--overwrite"]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == code, result.output
        return result.output

    for files in (parts, [*reversed(parts), parts[0], whole]):
        assert "1 image could not be read" in merge(*files)
        assert pq.read_table(merged).equals(pq.read_table(whole))

    table = pq.read_table(whole)
    other = tmp_path / "other.parquet"
    changed = table.set_column(2, table.schema.field(2), pa.array([0.5] * len(table), pa.float32()))
    pq.write_table(changed, other)
    assert "has different answers in several files" in merge(whole, other, code=2)
    pq.write_table(table.drop_columns(["p_red"]), other)
    assert "has other columns" in merge(whole, other, code=2)
    pq.write_table(table.select(["p_red"]), other)
    assert "no answers of cnnkit predict" in merge(other, whole, code=2)
    other.write_bytes(whole.read_bytes()[:-9])
    assert "cannot be read" in merge(other, whole, code=2)
    assert "must end in" in merge(whole, photos / "broken.png", code=2)


def test_parquet_needs_a_file_and_pyarrow(trained_run, photos, monkeypatch):
    refused = predicted(trained_run, photos, "--format", "parquet", code=2)
    assert "--output FILE.parquet" in refused.output
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = predicted(trained_run, photos, "-o", "a.parquet", code=2)
    assert 'pip install "cnnkit[parquet]"' in refused.output and not Path("a.parquet").exists()

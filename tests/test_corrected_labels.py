"""`data.labels`: labels are corrected by content, and nothing else changes."""

from __future__ import annotations

import csv
import hashlib
import shutil

import pytest
from conftest import write_tiny_images
from images import data_config

from cnnkit.config import config_from_dict, load_config
from cnnkit.data.check import check_data
from cnnkit.data.corrected_labels import read_corrections
from cnnkit.data.dataset import load_dataset
from cnnkit.data.split.division import divide
from cnnkit.data.stats import data_stats
from cnnkit.errors import DataError
from cnnkit.explore.preview import preview_rows


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(file, rows, separator=",", encoding="utf-8"):
    lines = [separator.join(("rank", "sha256", "new_label"))]
    lines += [separator.join(("1", digest, label)) for digest, label in rows]
    file.write_text("\n".join(lines) + "\n", encoding=encoding)
    return file


@pytest.fixture
def images(tmp_path):
    return write_tiny_images(tmp_path / "images")


def test_an_image_and_its_copies_get_the_new_label_and_keep_their_split(images, tmp_path):
    shutil.copy(images / "red" / "0.png", images / "red" / "copy.png")
    before = load_dataset(data_config(images))
    file = _write(tmp_path / "labels.csv", [(_sha256(images / "red" / "0.png"), "blue")])
    notes = []
    after = load_dataset(data_config(images, labels=str(file)), note=notes.append)
    changed = [
        (old.path, before.class_names[old.label], after.class_names[new.label])
        for old, new in zip(before.samples, after.samples, strict=True)
        if old.label != new.label
    ]
    assert changed == [("red/0.png", "red", "blue"), ("red/copy.png", "red", "blue")]
    assert [s.split for s in before.samples] == [s.split for s in after.samples]
    assert f"2 labels corrected by {file} (red/0.png: red is blue, red/copy.png" in notes[-1]
    assert after.notes[-1] == notes[-1]
    assert before.fingerprint != after.fingerprint


def test_a_manifest_gets_the_corrected_labels(images, tmp_path):
    file = _write(tmp_path / "labels.csv", [(_sha256(images / "red" / "0.png"), "blue")])
    divide(data_config(images, labels=str(file)), tmp_path / "m.csv", note=lambda text: None)
    with (tmp_path / "m.csv").open() as stream:
        labels = {row["path"]: row["label"] for row in csv.DictReader(stream)}
    assert labels["images/red/0.png"] == "blue"
    assert labels["images/red/1.png"] == "red"


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-16")]
)
def test_what_a_spreadsheet_writes_is_read(tmp_path, separator, encoding):
    digest = "A" * 64
    file = _write(tmp_path / "l.csv", [(digest, "cat"), ("b" * 64, "")], separator, encoding)
    assert read_corrections(str(file), ("cat", "dog")) == {"a" * 64: "cat"}


def test_wrong_rows_are_named_all_at_once(tmp_path):
    rows = [("a" * 64, "cta"), ("x", "cat"), ("b" * 64, "cat"), ("b" * 64, "dog")]
    file = _write(tmp_path / "l.csv", rows)
    with pytest.raises(DataError) as error:
        read_corrections(str(file), ("cat", "dog"))
    assert str(error.value).splitlines() == [
        f"{file} has 3 wrong rows:",
        "  line 2: cta is not a class. Did you mean cat? The classes are cat, dog",
        "  line 3: x is not a sha256, which has 64 hexadecimal digits",
        "  line 5: the same image is cat in an earlier row",
    ]


def test_a_file_that_corrects_nothing_is_refused(tmp_path):
    (tmp_path / "l.csv").write_text("path,label\na.png,cat\n")
    with pytest.raises(DataError, match="has no columns sha256 and new_label"):
        read_corrections(str(tmp_path / "l.csv"), ("cat", "dog"))
    with pytest.raises(DataError, match=r"none.csv cannot be read: No such file"):
        read_corrections(str(tmp_path / "none.csv"), ("cat", "dog"))


def test_rows_for_images_that_are_not_there_are_reported(images, tmp_path):
    file = _write(tmp_path / "labels.csv", [("0" * 64, "blue")])
    notes = []
    load_dataset(data_config(images, labels=str(file)), note=notes.append)
    assert notes[-1] == f"1 row of {file} ignored: no image of the data has that content."


def test_the_path_is_relative_to_the_config(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "data: {source: photos, image_size: 8, labels: l.csv}\nmodel: {layers: [flatten]}\n"
    )
    assert load_config(tmp_path / "a.yaml").data.labels == str(tmp_path / "l.csv")


def _corrected(images, tmp_path):
    file = _write(tmp_path / "labels.csv", [(_sha256(images / "red" / "0.png"), "blue")])
    return file, f"1 label corrected by {file} (red/0.png: red is blue)."


def test_stats_count_the_corrected_labels_of_training(images, tmp_path):
    file, sentence = _corrected(images, tmp_path)
    config = data_config(images, labels=str(file))
    found = data_stats(config, as_configured=True)
    assert found.counts == load_dataset(config).counts()
    assert sentence in found.left_aside
    counts = data_stats(config, as_configured=False).counts["all"]
    assert counts["blue"] == counts["red"] + 2


def test_the_check_sees_corrected_labels(images, tmp_path):
    file, sentence = _corrected(images, tmp_path)
    shutil.copy(images / "red" / "0.png", images / "blue" / "copy.png")
    before = check_data(data_config(images))
    after = check_data(data_config(images, labels=str(file)))
    copies = ("blue/copy.png", "red/0.png")
    assert ("duplicate_across_classes", copies) in [(f.kind, f.paths) for f in before.findings]
    assert ("duplicate", copies) in [(f.kind, f.paths) for f in after.findings]
    assert after.as_dict()["notes"] == [sentence]


def test_the_preview_shows_corrected_labels(images, tmp_path):
    file, sentence = _corrected(images, tmp_path)
    data = {"source": str(images), "image_size": 8, "labels": str(file)}
    config = config_from_dict({"data": data, "model": {"layers": ["flatten"]}})
    notes = []
    rows = preview_rows(
        config, num_images=24, num_versions=1, steps=False, epoch=1, note=notes.append
    )
    assert {row.path: row.label for row in rows}["red/0.png"] == "blue"
    assert sentence in notes


def test_a_manifest_has_the_splits_of_training(images, tmp_path):
    file, _ = _corrected(images, tmp_path)
    config = data_config(images, labels=str(file))
    divide(config, tmp_path / "m.csv", note=lambda text: None)
    with (tmp_path / "m.csv").open() as stream:
        splits = {
            row["path"].removeprefix("images/"): row["split"] for row in csv.DictReader(stream)
        }
    assert splits == {sample.path: sample.split for sample in load_dataset(config).samples}

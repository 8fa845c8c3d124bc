"""TFRecord files, written by TensorFlow, as a source: read without it, checked, trained on."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from images import data_config, file_bytes, noise

from cnnkit.data.file_contents import hash_files
from cnnkit.data.scored_images import find_images_for, run_images
from cnnkit.data.sources.listing import find_images
from cnnkit.data.sources.tfrecord import record_at
from cnnkit.data.sources.tfrecord_source import read_tfrecords
from cnnkit.data.split.division import divide
from cnnkit.errors import DataError
from cnnkit.evaluation.evaluate_model import evaluate_model


@pytest.fixture(scope="module")
def tf():
    from cnnkit.backend import tf

    return tf


@pytest.fixture
def write(tf, tmp_path):
    """Return a function that writes a TFRecord file of examples, each a dict of features."""

    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        if isinstance(value[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))

    def write(name, examples):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for example in examples:
                features = {key: feature(value) for key, value in example.items()}
                message = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(message.SerializeToString())
        return path

    return write


def picture(seed):
    return file_bytes(noise(16, 16, seed=seed))


def example(seed, text=None, number=None, **more):
    found = {"image/encoded": picture(seed), **more}
    if text is not None:
        found["image/class/text"] = text.encode()
    if number is not None:
        found["image/class/label"] = number
    return found


def listed(path):
    return [(r.path, r.label, r.split) for r in read_tfrecords(path).records]


def test_a_file_is_listed_with_its_images(write):
    more = {"image/height": 16, "image/bbox": [0.5, 1.5], "image/filename": b"a.png"}
    path = write(
        "a.tfrecord", [example(i, "cät" if i % 2 else "owl", i % 2, **more) for i in range(4)]
    )
    source = find_images(data_config(path))
    assert [(r.path, r.label, r.split) for r in source.records] == [
        ("a.tfrecord#0", "owl", None),
        ("a.tfrecord#1", "cät", None),
        ("a.tfrecord#2", "owl", None),
        ("a.tfrecord#3", "cät", None),
    ]
    assert [r.file.read_bytes() for r in source.records] == [picture(i) for i in range(4)]
    assert str(source.records[3].file) == f"{path}#3"
    assert source.notes == ()


def test_numbers_are_the_class_names_if_texts_cannot_be(write):
    path = write("a.record", [example(0, number=7), example(1, number=-1)])
    assert [label for _, label, _ in listed(path)] == ["7", "-1"]
    path = write("b.record", [example(0, number=7, text="cat"), example(1, number=3)])
    assert [label for _, label, _ in listed(path)] == ["7", "3"]
    assert "not all records have it" in read_tfrecords(path).notes[0]
    path = write("c.record", [example(i, text="crane", number=n) for i, n in enumerate((134, 517))])
    assert [label for _, label, _ in listed(path)] == ["134", "517"]
    assert "crane has several labels" in read_tfrecords(path).notes[0]
    path = write("d.record", [example(0, text="cat"), example(1, number=3)])
    with pytest.raises(DataError, match="all records of a source need the same feature"):
        read_tfrecords(path)


def test_the_names_of_shards_give_the_split(write, tmp_path):
    for number, name in enumerate(
        (
            "train-00000-of-00003",
            "train-00002-of-00003",
            "Validation-00000-of-00001",
            "test.tfrecords",
        )
    ):
        write(f"x/{name}", [example(10 * number + i, "ab"[i]) for i in range(2)])
    (tmp_path / "x" / "labels.txt").write_text("a\nb\n")
    source = find_images(data_config(tmp_path / "x"))
    assert Counter(r.split for r in source.records) == {"train": 4, "validation": 2, "test": 2}
    assert source.records[0].path == "Validation-00000-of-00001#0"
    assert source.notes == (
        "Ignored: 1 file whose name is not that of a TFRecord file (labels.txt).",
        "train-*-of-00003: 1 file of 3 missing (number 1).",
    )


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (
            ["flowers_train_00000-of-00001.tfrecord", "flowers_val.tfrecord"],
            {"train", "validation"},
        ),
        (
            ["cifar-train.tfrecord-00000-of-00001", "cifar-test.tfrecord-00000-of-00001"],
            {"train", "test"},
        ),
        (["trains.tfrecord", "tests.tfrecord"], {None}),
    ],
)
def test_the_split_may_be_one_word_of_the_name(write, tmp_path, names, splits):
    for number, name in enumerate(names):
        write(f"x/{name}", [example(10 * number + i, "ab"[i]) for i in range(2)])
    assert {r.split for r in read_tfrecords(tmp_path / "x").records} == splits


def test_splits_in_only_some_of_the_names_are_ignored(write, tmp_path):
    for number, name in enumerate(("train.tfrecord", "more.tfrecord")):
        write(f"x/{name}", [example(10 * number + i, "ab"[i]) for i in range(2)])
    source = read_tfrecords(tmp_path / "x")
    assert {r.split for r in source.records} == {None}
    assert (
        "Some file names have a split (train.tfrecord), others do not (more.tfrecord)"
        in source.notes[0]
    )


def test_every_damaged_byte_is_found(write):
    path = write("a.tfrecord", [{"image/encoded": b"ab", "image/class/label": 1}] * 2)
    whole = path.read_bytes()
    size = len(whole) // 2
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :])
        with pytest.raises(DataError, match=f"a.tfrecord, record {place // size}: .*damaged"):
            read_tfrecords(path)
    for length in set(range(1, len(whole))) - {size}:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=f"record {length // size}: the file ends inside it"):
            read_tfrecords(path)


def test_a_record_without_an_image_is_named(write, tf, tmp_path):
    cases = [
        ({"image": b"x", "label": 3}, "no feature; features: image, label"),
        ({"image/encoded": [b"x", b"y"], "image/class/label": 3}, "it has 2 values"),
        ({"image/encoded": b"x"}, "expected one class in image/class/text or image/class/label"),
        ({"image/encoded": b"x", "image/class/text": b"\xe9"}, "not UTF-8 text but b'\\\\xe9'"),
    ]
    for wrong, message in cases:
        path = write("a.tfrecord", [example(0, "cat", 1), wrong])
        with pytest.raises(DataError, match=f"a.tfrecord, record 1: .*{message}"):
            read_tfrecords(path)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff" * 20)
    with pytest.raises(DataError, match=r"record 0: it is not a tf\.train\.Example"):
        read_tfrecords(path)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        writer.write(b"x")
    with pytest.raises(DataError, match="compressed with gzip; unpack it first"):
        read_tfrecords(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="contains no record"):
        read_tfrecords(path)


def test_a_record_is_found_by_its_name_again(write):
    path = write("a.tfrecord", [example(i, "cat", 1) for i in range(3)])
    assert record_at(f"{path}#2").read_bytes() == picture(2)
    for none in (f"{path}#3", f"{path}#", f"{path}#x", f"{path}#-1", str(path), "a.png#1"):
        assert record_at(none) is None
    write("a.tfrecord", [example(i + 5, "cat", 1) for i in range(4)])  # replaced, not remembered
    assert record_at(f"{path}#3").read_bytes() == picture(8)


def test_a_damaged_record_cannot_be_read_later(write):
    path = write("a.tfrecord", [example(i, "cat", 1) for i in range(3)])
    record = read_tfrecords(path).records[1].file
    content = bytearray(path.read_bytes())
    content[record.offset + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="its data are damaged"):
        record.read_bytes()


def test_reading_needs_no_tensorflow(write):
    path = write("a.tfrecord", [example(i, "ab"[i], i) for i in range(2)])
    code = (
        "import sys; from pathlib import Path\n"
        "from cnnkit.data.sources.tfrecord_source import read_tfrecords\n"
        "print(len(read_tfrecords(Path(sys.argv[1])).records), 'tensorflow' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "2 False\n"


def test_a_run_trains_on_records_and_is_evaluated_on_them(write, tmp_path):
    import cnnkit

    for part, first in (("train", 0), ("test", 100)):
        examples = [example(first + i, ("cat", "owl")[i % 2], i % 2) for i in range(20)]
        write(f"x/{part}.tfrecord", examples)
    config = tmp_path / "a.yaml"
    config.write_text(
        "data: {source: x, image_size: 16, split: {validation: 0.2}, cache: disk}\n"
        "model: {layers: [flatten]}\ntraining: {epochs: 1}\n"
    )
    runs = tmp_path / "runs"
    folder = cnnkit.train(config, runs_folder=runs).folder
    tests, notes = tmp_path / "x" / "test.tfrecord", []
    own = evaluate_model(str(folder), runs, note=notes.append).metrics
    other = evaluate_model(str(folder), runs, data=tests, note=notes.append).metrics
    assert own["num_images"] == 20
    assert other["log_loss"] == pytest.approx(own["log_loss"])
    records = read_tfrecords(tests).records
    answers = cnnkit.load_run(folder).predict(record.file.read_bytes() for record in records)
    right = sum(a.top(1)[0][0] == r.label for a, r in zip(answers, records, strict=True))
    assert right / 20 == pytest.approx(own["accuracy"])


def test_a_manifest_of_records_names_them(write, tmp_path):
    for part, first in (("train", 0), ("test", 100)):
        examples = [example(first + i, ("cat", "owl")[i % 2], i % 2) for i in range(20)]
        write(f"x/{part}.tfrecord", examples)
    notes = []
    made = divide(data_config(tmp_path / "x"), tmp_path / "x.csv", note=notes.append)
    assert made.counts["test"] == {"cat": 10, "owl": 10}
    records = find_images(data_config(made.file)).records
    assert records[-1].path == "x/train.tfrecord#9"
    assert records[-1].file.read_bytes() == picture(9)


def test_changed_and_lost_records_of_a_run_are_named(write, tmp_path):
    path = write("a.tfrecord", [example(i, "ab"[i % 2]) for i in range(4)])
    config = data_config(path)
    records = find_images_for(path, "ab", config).records
    hashes, _ = hash_files([r.file for r in records])
    rows = [
        {"path": r.path, "label": r.label, "split": "test", "sha256": digest}
        for r, digest in zip(records, hashes, strict=True)
    ]
    assert [r.path for r in run_images(rows, "test", config)] == [r.path for r in records]
    write("a.tfrecord", [example(i if i else 9, "ab"[i % 2]) for i in range(3)])
    with pytest.raises(DataError) as caught:
        run_images(rows, "test", config)
    assert "a.tfrecord#0 (has changed), a.tfrecord#3 (cannot be read)" in str(caught.value)

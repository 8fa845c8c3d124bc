"""A CSV file as a source, and the list of classes."""

from __future__ import annotations

import os

import pytest
from found_sources import found_in, refusal
from images import data_config, write_classes, write_image

from cnnkit.data.sources.class_names import class_names
from cnnkit.data.sources.listing import find_images


def table(tmp_path, text, *, name="list.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_a_csv_lists_images_with_labels_and_splits(tmp_path):
    write_classes(tmp_path / "pictures", {"cat": 2, "owl": 2})
    outside = write_image(tmp_path.parent / f"{tmp_path.name}-outside.png")
    text = (
        "\ufeffnote,Label,path,split\r\n"
        "x,no,pictures/owl/00.png,Train\r\n"
        ",012,./pictures/cat/01.png,VAL\r\n"
        f',no,"{outside}",test\r\n'
        "\r\n"
        ",012,pictures/cat/00.png,train\r\n"
    )
    source = found_in(table(tmp_path, text), allow_missing_classes=True)
    assert [(r.path, r.label, r.split) for r in source.records] == sorted(
        [
            ("pictures/owl/00.png", "no", "train"),
            ("pictures/cat/01.png", "012", "validation"),
            (outside.as_posix(), "no", "test"),
            ("pictures/cat/00.png", "012", "train"),
        ]
    )


def test_all_bad_rows_of_a_csv_are_reported_at_once(tmp_path):
    write_classes(tmp_path, {"cat": 3})
    text = (
        "path,label,split\n"
        "cat/00.png,cat,train\n"
        "cat/none.png,cat,train\n"
        "cat/01.png,cat,tain\n"
        "./cat/00.png,owl,train\n"
        "cat/02.png,,train\n"
        ",cat,train\n"
        "cat/02.png,cat,\n"
        "cat,cat,train\n"
        "cat/00.png,cat,tset\n"
    )
    lines = refusal(table(tmp_path, text)).splitlines()
    assert lines[0].endswith("list.csv has 8 bad rows:")
    assert "line 3: cat/none.png does not exist" in lines[1]
    assert "line 4: unknown split 'tain', expected train, validation, test." in lines[2]
    assert "Did you mean train?" in lines[2]
    assert "line 5: ./cat/00.png is already in line 2" in lines[3]
    assert "line 6: cat/02.png has no label" in lines[4]
    assert "line 7: the path is empty" in lines[5]
    assert "line 8: cat/02.png is already in line 6" in lines[6]
    assert "line 9: cat is a folder, not a file" in lines[7]
    assert "line 10: cat/00.png is already in line 2" in lines[8]
    assert "line 10: unknown split 'tset'" in lines[9]
    assert "`cnnkit data split`" in lines[-1]


def test_a_csv_without_the_columns_is_refused(tmp_path):
    message = refusal(table(tmp_path, "pth;label\na;b\n"))
    assert "lacks the column path and the column label" in message
    assert "separated by commas" in message
    message = refusal(table(tmp_path, "pth,label\na,b\n"))
    assert "lacks the column path: its first line has pth, label. Expected" in message


def test_other_broken_csv_files_are_refused(tmp_path):
    assert "lists no image: it has no rows" in refusal(table(tmp_path, "path,label\n"))
    assert "not UTF-8" in refusal(table(tmp_path, "path,label\n\xe9,b\n", encoding="latin-1"))
    assert "no train split" in refusal(
        table(tmp_path, f"path,label,split\n{write_image(tmp_path / 'a.png')},cat,test\n")
    )
    assert "does not end in .csv, .tsv, .jsonl or .tfrecord" in refusal(
        write_image(tmp_path / "a.png")
    )


def test_the_name_may_end_in_tsv(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png", seed=ord(name))
    listing = tmp_path / "list.tsv"
    listing.write_text("path\tlabel\na.png\tcat\nb.png\tdog, small\n")
    found = find_images(data_config(listing))
    assert [record.label for record in found.records] == ["cat", "dog, small"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("photos.zip", "Unpack it."),
        ("photos.tar.gz", "Unpack it."),
        ("labels.xlsx", "Save the table as CSV."),
        ("export.json", "Export it as CSV"),
        ("train.txt", "Give a folder"),
    ],
)
def test_other_files_are_refused_with_what_to_do(tmp_path, name, advice):
    (tmp_path / name).write_bytes(b"x")
    assert f"does not end in .csv, .tsv, .jsonl or .tfrecord. {advice}" in refusal(tmp_path / name)


def test_a_column_that_is_given_twice_is_refused(tmp_path):
    message = refusal(table(tmp_path, "path,label,Label,split,note,note\na,b,c,,,\n"))
    assert "has the column label more than once" in message


def test_groups_and_hashes_of_a_csv_are_kept(tmp_path):
    write_classes(tmp_path, {"cat": 3, "owl": 1})
    digest = "AB" * 32
    text = (
        "path,label,group,sha256\n"
        f"cat/00.png,cat, p1 ,{digest}\n"
        "cat/01.png,cat,,\n"
        "cat/02.png,cat\n"
        "owl/00.png,owl,p1,\n"
    )
    records = found_in(table(tmp_path, text)).records
    assert [(r.group, r.sha256) for r in records] == [
        ("p1", digest.lower()),
        (None, None),
        (None, None),
        ("p1", None),
    ]
    message = refusal(table(tmp_path, "path,label,sha256\ncat/00.png,cat,12ab\n"))
    assert "line 2: the sha256 of cat/00.png is not 64 hexadecimal digits but '12ab'" in message


def test_file_names_of_a_csv_may_have_any_bytes_and_blanks(tmp_path):
    write_classes(tmp_path, {"cat": 1, "owl": 1})
    odd = [os.fsencode(tmp_path) + b"/cat/caf\xe9.png", os.fsencode(tmp_path) + b"/cat/ b.png"]
    for name in odd:
        os.link(tmp_path / "cat" / "00.png", name)
    listing = tmp_path / "list.csv"
    listing.write_bytes(b"path,label\ncat/caf\xe9.png,cat\n cat/00.png,cat\nowl/00.png,owl\n")
    assert {r.file.read_bytes() for r in found_in(listing).records if r.label == "cat"} == {
        (tmp_path / "cat" / "00.png").read_bytes()
    }
    listing.write_bytes(b"path,label\ncat/ b.png,cat\nowl/00.png,owl\n")
    assert [r.path for r in found_in(listing).records] == ["cat/ b.png", "owl/00.png"]
    listing.write_bytes(b"path,label\ncat/00.png,caf\xe9\nowl/00.png,owl\n")
    assert "not UTF-8 text (byte 25)" in refusal(listing)


def test_the_class_list_chooses_the_images(tmp_path):
    write_classes(tmp_path, {"cat": 2, "owl": 1, "yak": 3, "emu": 0})
    config = data_config(tmp_path, classes=("yak", "cat"))
    source = find_images(config)
    assert [r.label for r in source.records] == ["cat", "cat", "yak", "yak", "yak"]
    assert source.notes == ("Ignored: 1 image of 1 class (owl) that data.classes does not list.",)
    assert class_names(config) == ("yak", "cat")


def test_a_listed_class_needs_images_to_train_on(tmp_path):
    write_classes(tmp_path / "train", {"cat": 2, "yak": 3})
    write_classes(tmp_path / "test", {"cat": 2, "yak": 3, "owls": 1}, seed=10)
    message = refusal(tmp_path, classes=("cat", "yaks"))
    assert "data.classes lists 1 class without an image to train on" in message
    assert "yaks. Did you mean yak? Classes there: cat, yak." in message
    assert "owls" in refusal(tmp_path, classes=("cat", "owls"))
    source = found_in(tmp_path, classes=("yak", "cat"))  # owls of the test split do not count
    assert len(source.records) == 10


def test_a_split_that_the_class_list_empties_is_not_silently_replaced(tmp_path):
    write_classes(tmp_path / "train", {"cat": 2, "owl": 2, "yak": 3})
    write_classes(tmp_path / "test", {"yak": 1}, seed=10)
    message = refusal(tmp_path, classes=("cat", "owl"), allow_missing_classes=True)
    assert "the test split has no image of the classes that data.classes lists" in message

"""Finding images: folders, split folders, CSV files, and every way in which they can be wrong."""

from __future__ import annotations

import os
import time

import pytest
from images import data_config, write_classes, write_image

from cnnkit.data.sources.listing import class_names, find_images, read_source
from cnnkit.errors import DataError


def found_in(source, **changes):
    return find_images(data_config(source, **changes))


def refusal(source, **changes):
    with pytest.raises(DataError) as caught:
        found_in(source, **changes)
    return str(caught.value)


def table(tmp_path, text, *, name="list.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_each_folder_is_a_class(tmp_path):
    write_classes(tmp_path, {"owl": 2, "cat": 1})
    write_image(tmp_path / "cat" / "young" / "kitten.PNG")
    source = found_in(tmp_path)
    assert [(r.path, r.label, r.split) for r in source.records] == [
        ("cat/00.png", "cat", None),
        ("cat/young/kitten.PNG", "cat", None),
        ("owl/00.png", "owl", None),
        ("owl/01.png", "owl", None),
    ]
    assert str(source.records[1].file) == str(tmp_path / "cat" / "young" / "kitten.PNG")
    assert source.notes == ()


def test_everything_ignored_is_counted_and_named(tmp_path):
    write_classes(tmp_path, {"cat": 1, "owl": 1})
    write_image(tmp_path / ".ipynb_checkpoints" / "a.png")
    write_image(tmp_path / "cat" / ".hidden.png")
    write_image(tmp_path / "beside.png")
    for name in ("a.txt", "b.txt", "c.md", "d.pdf"):
        (tmp_path / "owl" / name).write_text("words")
    source = found_in(tmp_path)
    assert len(source.records) == 2
    assert source.notes == (
        "Ignored: 1 file next to the class folders (beside.png).",
        "Ignored: 4 files without an image extension (owl/a.txt, owl/b.txt, owl/c.md and 1 more).",
        "Ignored: 2 hidden files or folders (.ipynb_checkpoints, cat/.hidden.png).",
    )


def test_links_that_lead_nowhere_are_ignored_as_such(tmp_path):
    write_classes(tmp_path, {"cat": 1, "owl": 1})
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere", target_is_directory=True)
    (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat" / "self")
    assert found_in(tmp_path).notes == ("Ignored: 2 links that lead nowhere (cat/self, lost).",)


def test_links_in_a_circle_are_followed_once(tmp_path):
    write_classes(tmp_path, {"cat": 1, "owl": 1})
    (tmp_path / "cat" / "round").symlink_to(tmp_path / "cat", target_is_directory=True)
    (tmp_path / "owl" / "up").symlink_to(tmp_path, target_is_directory=True)
    source = found_in(tmp_path)
    assert [r.path for r in source.records if r.label == "cat"] == ["cat/00.png"]
    assert any("already read (cat/round, owl/up/" in note for note in source.notes)


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "VAL"])
def test_train_validation_and_test_folders_are_the_split(tmp_path, validation):
    for number, folder in enumerate(("Train", validation, "test")):
        write_classes(tmp_path / folder, {"cat": 1, "owl": 1}, seed=10 * number)
    write_image(tmp_path / "extra" / "a.png")
    source = found_in(tmp_path)
    assert {(r.path.split("/")[0], r.split) for r in source.records} == {
        ("Train", "train"),
        (validation, "validation"),
        ("test", "test"),
    }
    assert source.notes == (
        "Ignored: 1 folder next to the train, validation and test folders (extra).",
    )


def test_a_class_may_be_called_train(tmp_path):
    write_classes(tmp_path, {"train": 1, "bus": 1})
    assert {r.label for r in found_in(tmp_path).records} == {"train", "bus"}


def test_two_folders_for_one_split_are_refused(tmp_path):
    for folder in ("train", "val", "valid"):
        write_classes(tmp_path / folder, {"cat": 1, "owl": 1})
    assert "two folders for the validation split: val and valid" in refusal(tmp_path)


def test_a_missing_source_suggests_a_similar_name(tmp_path):
    write_classes(tmp_path / "photos", {"cat": 1, "owl": 1})
    message = refusal(tmp_path / "fotos")
    assert "fotos does not exist. Did you mean photos?" in message
    assert "contains photos" in message
    assert "does not exist either" in refusal(tmp_path / "a" / "b")


def test_a_missing_source_names_the_option_and_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "a.log").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        read_source("nothere", data_config(tmp_path).shapes, option="--data")
    assert "nothere does not exist. The current folder contains a.log. --data is a folder" in str(
        error.value
    )


def test_images_without_class_folders_are_refused(tmp_path):
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name)
    message = refusal(tmp_path)
    assert "contains 2 images (a.png, b.png) but no class folders" in message
    assert "Make one folder for each class" in message


def test_an_empty_folder_is_refused(tmp_path):
    assert "has no class folders: it contains 0 files" in refusal(tmp_path)


def test_every_empty_class_is_named_with_what_it_contains(tmp_path):
    write_classes(tmp_path, {"cat": 2, "owl": 2, "yak": 0, "emu": 0})
    (tmp_path / "emu" / "notes.txt").write_text("words")
    message = refusal(tmp_path)
    assert "2 class folders without an image" in message
    assert "yak has no image: it is empty." in message
    assert "emu has no image: it contains notes.txt." in message
    assert "remove the folders" in message


def test_a_single_class_is_refused(tmp_path):
    write_classes(tmp_path, {"cat": 2})
    assert "only one class (cat)" in refusal(tmp_path)


def test_a_class_that_train_lacks_is_refused(tmp_path):
    write_classes(tmp_path / "train", {"cat": 1, "owl": 1})
    write_classes(tmp_path / "test", {"cat": 1, "owl": 1, "owls": 1})
    message = refusal(tmp_path, allow_missing_classes=True)
    assert "test split has 1 class that train lacks: owls. Did you mean owl?" in message


@pytest.mark.parametrize("number_of_owls", [None, 0])
def test_a_class_missing_in_validation_is_refused_unless_allowed(tmp_path, number_of_owls):
    write_classes(tmp_path / "train", {"cat": 1, "owl": 1})
    counts = {"cat": 1} | ({} if number_of_owls is None else {"owl": number_of_owls})
    write_classes(tmp_path / "validation", counts)
    message = refusal(tmp_path)
    assert "validation split lacks 1 class that train has: owl" in message
    assert "allow_missing_classes: true" in message
    assert len(found_in(tmp_path, allow_missing_classes=True).records) == 3


def test_an_empty_validation_folder_is_not_silently_replaced(tmp_path):
    write_classes(tmp_path / "train", {"cat": 1, "owl": 1})
    write_classes(tmp_path / "val", {"cat": 0, "owl": 0})
    assert "a folder for the validation split, but it contains no image" in refusal(tmp_path)


def test_a_missing_train_split_is_refused(tmp_path):
    write_classes(tmp_path / "val", {"cat": 1, "owl": 1})
    write_classes(tmp_path / "test", {"cat": 1, "owl": 1})
    assert "has a validation and a test split but no train split" in refusal(tmp_path)


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
    assert "does not end in .csv, .jsonl or .tfrecord" in refusal(write_image(tmp_path / "a.png"))


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


def test_an_empty_folder_of_a_listed_class_is_refused_others_do_not_matter(tmp_path):
    write_classes(tmp_path, {"cat": 2, "yak": 3, "emu": 0})
    assert "emu has no image: it is empty" in refusal(tmp_path, classes=("cat", "emu"))
    assert len(found_in(tmp_path, classes=("cat", "yak")).records) == 5


def test_an_upper_case_or_odd_ending_counts_by_what_pillow_opens(tmp_path):
    write_classes(tmp_path, {"cat": 1, "owl": 1})
    for name in ("a.JPG", "b.webp", "c.tif", "d.avif", "e.pdf", "f.mpg", "g.h5"):
        (tmp_path / "cat" / name).touch()
    paths = {os.path.basename(r.path) for r in found_in(tmp_path).records if r.label == "cat"}
    assert paths == {"00.png", "a.JPG", "b.webp", "c.tif", "d.avif"}


def test_twenty_thousand_files_are_listed_within_a_second(tmp_path):
    for label in ("cat", "owl"):
        (tmp_path / label).mkdir()
        for number in range(10_000):
            os.close(os.open(tmp_path / label / f"{number}.jpg", os.O_CREAT))
    started = time.perf_counter()
    source = found_in(tmp_path)
    assert time.perf_counter() - started < 1.0
    assert len(source.records) == 20_000

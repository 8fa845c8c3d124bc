"""A folder of class folders, or of splits, as a source."""

from __future__ import annotations

import os
import time

import pytest
from found_sources import found_in, refusal
from images import data_config, write_classes, write_image

from cnnkit.data.sources.listing import read_source
from cnnkit.errors import DataError


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

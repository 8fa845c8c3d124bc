"""Folders as people have them: names of splits, files of systems, a folder too many or too few."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner
from images import data_config, write_classes, write_image

from cnnkit.cli import main
from cnnkit.data.sources.ignored import why_hidden
from cnnkit.data.sources.listing import find_images, read_source
from cnnkit.data.split_words import split_from_folder
from cnnkit.errors import DataError


def write_parts(root, *parts, classes=("cat", "dog"), images=2):
    seeds = count(0, 100)
    for part in parts:
        write_classes(root / part, dict.fromkeys(classes, images), seed=next(seeds))
    return root


def splits_of(root):
    return {(r.path.split("/")[0], r.split, r.label) for r in read_source(root, None).records}


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("Training", "Testing", "test"),
        ("training_set", "test_set", "test"),
        ("seg_train", "seg_test", "test"),
        ("train_images", "val_images", "validation"),
        ("images_train", "Images Valid", "validation"),
        ("train2017", "val2017", "validation"),
        ("trainset", "testset", "test"),
        ("TrainData", "ValidationData", "validation"),
        ("train-224", "dev", "validation"),
        ("01_train", "eval", "test"),
    ],
)
def test_folders_of_splits_have_many_names(tmp_path, train, other, split):
    write_parts(tmp_path, train, other)
    assert splits_of(tmp_path) == {
        (train, "train", "cat"),
        (train, "train", "dog"),
        (other, split, "cat"),
        (other, split, "dog"),
    }


@pytest.mark.parametrize(
    "name",
    ["trainer", "latest", "value", "validated", "test1", "trainval", "bullet_train", "test tube"],
)
def test_other_names_mean_no_split(name):
    assert split_from_folder(name) is None


@pytest.mark.parametrize("names", [("test1", "test2"), ("bullet_train", "steam_train"), ("a", "b")])
def test_classes_may_have_such_words_in_their_names(tmp_path, names):
    write_classes(tmp_path, dict.fromkeys(names, 2))
    source = find_images(data_config(tmp_path))
    assert {record.label for record in source.records} == set(names)
    assert not source.notes


def test_splits_with_a_name_of_their_own_are_refused(tmp_path):
    write_parts(tmp_path, "alphabet_train", classes=("A", "B"))
    write_image(tmp_path / "alphabet_test" / "A_test.png")
    with pytest.raises(DataError) as caught:
        read_source(tmp_path, None)
    assert "alphabet_test, alphabet_train. Their names are those of splits" in str(caught.value)
    assert "Rename them to train, validation and test" in str(caught.value)


@pytest.fixture
def parts(tmp_path):
    return write_parts(tmp_path / "photos", "2019", "2020", images=12)


@pytest.mark.parametrize(
    "command",
    [
        ("data", "stats"),
        ("data", "stats", "--json"),
        ("data", "check"),
        ("data", "check", "--json"),
        ("data", "split"),
        ("init", "--from-scratch", "-o", "new.yaml"),
        ("summary",),
    ],
)
def test_class_folders_with_the_same_folders_inside_are_doubted_in_every_command(parts, command):
    source = str(parts)
    if command == ("summary",):
        source = str(parts.with_name("a.yaml"))
        Path(source).write_text(
            "data: {source: photos, image_size: 8}\nmodel: {layers: [flatten]}\n"
        )
    done = CliRunner().invoke(main, [*command, source])
    assert done.exit_code == 0, done.output
    expected = "contain the same folders (cat, dog). If these are the classes, then 2019, 2020 are"
    assert expected in done.output
    if "--json" in command:
        assert expected in done.stdout
        json.loads(done.stdout)


def test_class_folders_with_different_folders_inside_are_not_doubted(tmp_path):
    write_parts(tmp_path, "cat", classes=("young", "old"))
    write_parts(tmp_path, "dog", classes=("young", "tired"))
    assert not read_source(tmp_path, None).doubt


def test_files_of_systems_are_ignored_everywhere(tmp_path):
    write_classes(tmp_path, {"cat": 2, "dog": 2})
    for folder in ("cat/@eaDir/00.png", "#recycle", "$RECYCLE.BIN", "@Recycle", "lost+found"):
        write_image(tmp_path / folder / "SYNOPHOTO_THUMB_M.jpg")
    (tmp_path / "System Volume Information").mkdir()
    for name in ("Thumbs.db", "desktop.ini", "cat/Desktop.ini"):
        (tmp_path / name).write_bytes(b"\xd0\xcf")
    write_image(tmp_path / "dog" / "SYNOFILE_THUMB_M.jpg")
    source = find_images(data_config(tmp_path))
    assert len(source.records) == 4
    assert source.notes == (
        "Ignored: 10 files or folders that a computer or a network drive keeps for itself "
        "(#recycle, $RECYCLE.BIN, @Recycle and 7 more).",
    )
    assert not source.empty_classes


@pytest.mark.parametrize(
    "name",
    ["@eaDir", "#recycle", "$Recycle.Bin", ".AppleDouble", "LOST+FOUND", "THUMBS.DB", "__MACOSX",
     ".DS_Store", "._1.png", "found.000", "@Recently-Snapshot"],
)  # fmt: skip
def test_names_of_systems(name):
    assert why_hidden(name)


@pytest.mark.parametrize("name", ["recycle", "eaDir", "found", "thumbs", "desktop", "#1", "@home"])
def test_names_of_classes(name):
    assert why_hidden(name) is None


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("training_set", "test_set"), ("train", "Validation")]
)
def test_unlabelled_images_next_to_train_are_to_be_moved_and_predicted(tmp_path, train, test):
    write_parts(tmp_path, train)
    write_image(tmp_path / test / "1.png")
    with pytest.raises(DataError) as caught:
        read_source(tmp_path, None)
    message = str(caught.value)
    assert f"{tmp_path / test} contains 1 image (1.png) but no class folders" in message
    assert f"Move the folder out of {tmp_path}" in message
    assert "`cnnkit predict`" in message


@pytest.mark.parametrize("inner", ["PetImages", "a/b", "PetImages/train"])
def test_the_inner_folder_is_named_if_there_is_one_folder_too_many(tmp_path, inner):
    write_parts(tmp_path, inner, classes=("Cat", "Dog"))
    with pytest.raises(DataError) as caught:
        find_images(data_config(tmp_path))
    assert f"inside it (Cat, Dog). Give {tmp_path / inner} as the source" in str(caught.value)
    for command in ("stats", "check"):
        done = CliRunner().invoke(main, ["data", command, str(tmp_path)])
        assert f"Give {tmp_path / inner} as the source" in done.output


def test_a_folder_too_many_inside_each_split_is_named(tmp_path):
    write_parts(tmp_path, "seg_train/seg_train", "seg_test/seg_test")
    write_image(tmp_path / "seg_pred" / "seg_pred" / "1.png")
    doubt = read_source(tmp_path, None).doubt
    assert "inside the single folder seg_test/seg_test, seg_train/seg_train" in doubt
    with pytest.raises(DataError, match="one folder too many: in seg_test, seg_train"):
        find_images(data_config(tmp_path))

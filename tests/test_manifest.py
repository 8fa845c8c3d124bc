"""`cnnkit data split` writes a manifest, and images keep their split."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from images import data_config, write_classes, write_image
from manifests import folds_of, rows_of, sides

from cnnkit.cli import main
from cnnkit.data.dataset import load_dataset
from cnnkit.data.split.division import divide
from cnnkit.errors import DataError, UsageError


def split_to(file, source, **changes):
    notes = []
    return divide(data_config(source, **changes), file, note=notes.append), notes


def test_a_manifest_has_the_split_that_a_training_would_make(cats_and_owls, tmp_path):
    made, notes = split_to(tmp_path / "photos.csv", cats_and_owls)
    assert made.counts == {
        "train": {"cat": 16, "owl": 8},
        "validation": {"cat": 2, "owl": 1},
        "test": {"cat": 2, "owl": 1},
    }
    assert (made.kept, made.new, made.gone, notes) == (0, 30, 0, [])
    rows = rows_of(made.file)
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    assert list(rows[0]) == ["path", "label", "split", "sha256"]
    straight = load_dataset(data_config(cats_and_owls))
    read = load_dataset(data_config(made.file))
    assert [(s.sha256, s.split, s.label) for s in read.samples] == [
        (s.sha256, s.split, s.label) for s in straight.samples
    ]
    assert read.fingerprint == straight.fingerprint


def test_images_keep_their_split_whatever_happens_to_the_folder(cats_and_owls, tmp_path):
    file = tmp_path / "photos.csv"
    split_to(file, cats_and_owls)
    before, rows = sides(file), rows_of(file)
    (cats_and_owls / "cat" / "00.png").rename(cats_and_owls / "cat" / "zz.png")
    (cats_and_owls / "cat" / "01.png").unlink()
    edited = next(row["path"] for row in rows if row["split"] == "test" and "owl" in row["path"])
    write_image(tmp_path / edited, seed=777)
    write_classes(cats_and_owls, {"yak": 10}, seed=100)
    for i in range(20):
        write_image(cats_and_owls / "cat" / f"new{i}.png", seed=200 + i)
    made, notes = split_to(file, cats_and_owls, split={"seed": 5, "validation": 0.1, "test": 0.2})
    after = sides(file)
    assert {key: after[key] for key in before.keys() & after.keys()} == {
        key: before[key] for key in before.keys() & after.keys()
    }
    assert next(row["split"] for row in rows_of(file) if row["path"] == edited) == "test"
    assert (made.kept, made.new, made.gone) == (29, 30, 1)
    assert len(notes) == 1
    assert "1 image is no longer in the source" in notes[0]
    assert "photos/cat/01.png" in notes[0]
    assert made.counts["test"] == {"cat": 8, "owl": 1, "yak": 2}  # all owls have a side
    assert made.counts["validation"] == {"cat": 4, "owl": 1, "yak": 1}


def test_what_connects_two_splits_is_refused_and_the_manifest_stays(cats_and_owls, tmp_path):
    file = tmp_path / "photos.csv"
    split_to(file, cats_and_owls)
    text, place_of = file.read_bytes(), {row["split"]: row["path"] for row in rows_of(file)}
    with pytest.raises(DataError, match="would have to move to another split") as caught:
        split_to(file, cats_and_owls, split={"group": "cat|owl"})
    assert "are now both in the group cat" in str(caught.value)
    for side in ("train", "test"):
        write_image(tmp_path / place_of[side], seed=999)
    with pytest.raises(DataError, match="are now the same image"):
        split_to(file, cats_and_owls)
    assert file.read_bytes() == text


def test_a_copy_gets_the_split_of_its_content(cats_and_owls, tmp_path):
    file = tmp_path / "photos.csv"
    split_to(file, cats_and_owls)
    for row in rows_of(file):
        copy = tmp_path / row["path"].replace(".png", "-copy.png")
        shutil.copy(tmp_path / row["path"], copy)
    before = sides(file)
    made, _ = split_to(file, cats_and_owls)
    assert sides(file) == before
    assert (made.kept, made.counts["test"]) == (60, {"cat": 4, "owl": 2})


def test_groups_are_written_and_stay_together(tmp_path):
    for patient in range(12):
        for label in ("ill", "well"):
            for i in range(3):
                seed = 100 * patient + 10 * i + (label == "ill")
                write_image(tmp_path / "x" / label / f"p{patient:02d}_{i}.png", seed=seed)
    file = tmp_path / "x.csv"
    made, _ = split_to(file, tmp_path / "x", split={"group": r"(p\d+)_"})
    rows = rows_of(file)
    assert {row["group"] for row in rows} == {f"p{i:02d}" for i in range(12)}
    side_of = {}
    for row in rows:
        assert side_of.setdefault(row["group"], row["split"]) == row["split"]
    assert made.counts["test"] == {"ill": 3, "well": 3}
    dataset = load_dataset(data_config(file, split={"group": "this matches nothing"}))
    assert dataset.counts() == made.counts


def test_groups_of_a_manifest_are_not_forgotten(tmp_path):
    for patient in range(12):
        for label in ("ill", "well"):
            write_image(tmp_path / "x" / label / f"p{patient:02d}_0.png", seed=10 * patient)
    rule, file = {"group": r"(p\d+)_"}, tmp_path / "x.csv"
    split_to(file, tmp_path / "x", split=rule)
    before = rows_of(file)
    split_to(file, tmp_path / "x")
    assert rows_of(file) == before
    for number in range(1, 8):
        write_image(tmp_path / "x" / "ill" / f"p05_{number}.png", seed=1000 + number)
    with pytest.raises(UsageError, match=r"has groups, .* 7 new images .*p05_1.png.*split.group"):
        split_to(file, tmp_path / "x")
    assert rows_of(file) == before
    made, _ = split_to(file, tmp_path / "x", split=rule)
    assert (made.kept, made.new) == (24, 7)
    assert len({row["split"] for row in rows_of(file) if row["group"] == "p05"}) == 1


def test_an_image_in_another_class_is_reported(cats_and_owls, tmp_path):
    split_to(tmp_path / "photos.csv", cats_and_owls)
    (cats_and_owls / "cat" / "03.png").rename(cats_and_owls / "owl" / "moved.png")
    made, notes = split_to(tmp_path / "photos.csv", cats_and_owls)
    assert (made.kept, made.new, made.gone, made.relabelled) == (30, 0, 0, 1)
    assert "1 image has another class than before (owl/moved.png)." in notes[0]


def test_a_manifest_moves_with_its_images_and_may_be_in_another_folder(cats_and_owls, tmp_path):
    elsewhere = tmp_path / "a" / "b" / "photos.csv"
    split_to(elsewhere, cats_and_owls)
    assert rows_of(elsewhere)[0]["path"] == "../../photos/cat/00.png"
    assert len(load_dataset(data_config(elsewhere)).samples) == 30
    split_to(tmp_path / "photos.csv", cats_and_owls)
    (tmp_path / "moved").mkdir()
    for name in ("photos", "photos.csv"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    dataset = load_dataset(data_config(tmp_path / "moved" / "photos.csv"))
    assert [s.path for s in dataset.samples][0] == "photos/cat/00.png"
    made, _ = split_to(tmp_path / "moved" / "photos.csv", tmp_path / "moved" / "photos")
    assert (made.kept, made.new, made.gone) == (30, 0, 0)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are Unicode there")
def test_file_names_that_are_not_utf_8_survive(cats_and_owls, tmp_path):
    os.rename(
        cats_and_owls / "cat" / "00.png", os.fsencode(cats_and_owls) + b'/cat/caf\xe9,\n "1".png'
    )
    file = tmp_path / "photos.csv"
    split_to(file, cats_and_owls)
    assert len(load_dataset(data_config(file)).samples) == 30
    made, _ = split_to(file, cats_and_owls)
    assert (made.kept, made.new) == (30, 0)


def test_images_that_have_changed_are_reported(cats_and_owls, tmp_path):
    file = tmp_path / "photos.csv"
    split_to(file, cats_and_owls)
    write_image(cats_and_owls / "cat" / "03.png", seed=999)
    notes = []
    load_dataset(data_config(file), note=notes.append)
    assert "1 image has changed since the manifest was written (photos/cat/03.png)." in notes


def test_the_split_of_the_source_has_priority_over_the_manifest(tmp_path):
    for number, part in enumerate(("train", "test")):
        write_classes(tmp_path / "x" / part, {"cat": 10, "owl": 10}, seed=100 * number)
    file = tmp_path / "x.csv"
    made, _ = split_to(file, tmp_path / "x")
    assert made.counts["test"] == {"cat": 10, "owl": 10}
    moved = tmp_path / "x" / "test" / "cat" / "00.png"
    moved.rename(tmp_path / "x" / "train" / "cat" / "moved.png")
    made, notes = split_to(file, tmp_path / "x")
    assert made.counts["test"] == {"cat": 9, "owl": 10}
    assert notes == [
        f"{file}: 1 image moves to another split, because the source says so (train/cat/moved.png)."
    ]


def test_other_files_are_not_replaced(cats_and_owls, tmp_path):
    for text in ("a,b\n1,2\n", "path,label\n", "path,label,split,sha256\nx,cat,tset,1\n"):
        (tmp_path / "mine.csv").write_text(text)
        with pytest.raises(UsageError, match="but this command did not write it"):
            split_to(tmp_path / "mine.csv", cats_and_owls)
        assert (tmp_path / "mine.csv").read_text() == text
    with pytest.raises(UsageError, match="must end in .csv"):
        split_to(tmp_path / "mine.txt", cats_and_owls)


@pytest.mark.parametrize("group", [None, "(.)"])
def test_the_manifest_of_another_data_set_is_not_replaced(cats_and_owls, tmp_path, group):
    file, others = tmp_path / "x.csv", tmp_path / "others"
    write_classes(others, {"cat": 9, "owl": 9}, seed=500)
    split_to(file, cats_and_owls, split={"group": group, "test": 0.0, "validation": 0.0})
    folds_of(tmp_path, cats_and_owls, 2)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.csv")}
    with pytest.raises(UsageError, match="x.csv has 30 images, but none of this source: it is"):
        split_to(file, others)
    with pytest.raises(UsageError, match=r"k.fold1.csv has 30 .* Choose another --output\.$"):
        folds_of(tmp_path, others, 2)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.csv")} == before
    shutil.copy(next(cats_and_owls.glob("cat/*")), others / "cat")  # one image that both have
    if group is None:
        made, _ = split_to(file, others)
        assert (made.kept, made.gone) == (1, 29)


def test_the_class_list_orders_and_chooses(cats_and_owls, tmp_path):
    write_classes(cats_and_owls, {"yak": 8}, seed=300)
    made, notes = split_to(tmp_path / "a.csv", cats_and_owls, classes=("yak", "cat"))
    assert list(made.counts["train"]) == ["yak", "cat"]
    assert notes == ["Ignored: 10 images of 1 class (owl) that data.classes does not list."]
    dataset = load_dataset(data_config(tmp_path / "a.csv", classes=("yak", "cat")))
    assert dataset.class_names == ("yak", "cat")
    assert {s.label for s in dataset.samples if "/yak/" in s.path} == {0}


def test_the_command_writes_next_to_the_source_and_names_the_next_step(cats_and_owls, tmp_path):
    done = CliRunner().invoke(main, ["data", "split", str(cats_and_owls)])
    assert done.exit_code == 0, done.output
    file = tmp_path / "photos.split.csv"
    assert len(rows_of(file)) == 30
    assert done.stdout.splitlines() == [
        "class  train  validation  test",
        "cat       16           2     2",
        "owl        8           1     1",
        "all       24           3     3",
        f"{file}: 0 images stay in their splits, 30 are new, 0 are gone",
    ]
    assert f"next: cnnkit train CONFIG --set data.source={file}" in done.stderr
    config = tmp_path / "configs" / "a.yaml"
    config.parent.mkdir()
    config.write_text(
        "data: {source: ../photos, image_size: 16, split: {test: 0.3}}\nmodel: {layers: [flatten]}"
    )
    words = ["data", "split", str(config), "-o", str(tmp_path / "b.csv"), "--folds", "2", "--json"]
    done = CliRunner().invoke(main, [*words, "--set", "data.split.validation=0.2"])
    manifests = json.loads(done.stdout)["manifests"]
    assert [m["counts"]["validation"] for m in manifests] == [{"cat": 4, "owl": 2}] * 2
    done = CliRunner().invoke(main, words[:-1])
    assert f"--set data.source={os.path.join('..', 'b.fold2.csv')}" in done.stderr


def test_data_split_needs_no_tensorflow(cats_and_owls, tmp_path):
    code = (
        "import sys; from pathlib import Path; from cnnkit.cli.data_argument import data_section\n"
        "from cnnkit.data.split.division import divide\n"
        "divide(data_section(sys.argv[1]), Path(sys.argv[2]), note=print)\n"
        "heavy = 'tensorflow keras matplotlib sklearn cv2'.split()\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    words = [sys.executable, "-c", code, str(cats_and_owls), str(tmp_path / "a.csv")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "HEAVY []\n"
    assert len(rows_of(tmp_path / "a.csv")) == 30

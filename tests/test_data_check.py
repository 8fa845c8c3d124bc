"""`cnnkit data check`: every fault has its kind and its path, and nothing else is reported."""

from __future__ import annotations

import json
import os
import socket

import faults
import faults_of_folders
import faults_of_sounds
import healthy_folders
import numpy as np
import pytest
from another_user import as_another_user, open_parents
from click.testing import CliRunner
from healthy_folders import FAULTS, write_healthy, write_more
from images import data_config, file_bytes
from PIL import Image

from cnnkit.cli import main
from cnnkit.data.check import check_data
from cnnkit.data.check.fault_kinds import KINDS


@pytest.fixture
def healthy(tmp_path):
    """Return a folder of two classes with 12 images each, in which nothing is wrong."""
    return write_healthy(tmp_path / "photos")


def found(checked):
    return sorted((finding.kind, *finding.paths) for finding in checked.findings)


def check(folder, **options):
    return check_data(data_config(folder, **options))


@pytest.mark.parametrize(("spoil", "expected", "options"), FAULTS)
def test_a_fault_is_found_by_its_kind_at_its_path_and_nothing_else_is(
    healthy, spoil, expected, options
):
    source = spoil(healthy) or healthy
    checked = check_data(data_config(source, **options), image_size=options.get("image_size"))
    assert found(checked) == sorted(expected)


# Root may read everything, so these cannot be rows of FAULTS.
LOCKED = [
    ("unreadable_file", "cat/00.png"),
    ("unreadable_file", "dog/00.png"),
    ("unreadable_folder", "owl/inner"),
]


def test_every_kind_is_tested():
    expected = [*LOCKED, *(finding for fault in FAULTS for finding in fault.values[1])]
    assert {kind for kind, *_ in expected} == set(KINDS)


def test_nothing_is_wrong_with_a_healthy_folder(healthy):
    assert found(check(healthy)) == []


def test_a_socket_is_not_opened(healthy):
    listening = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(healthy / "cat")  # the path of a socket may have 107 bytes
    try:
        listening.bind("x.jpg")
    finally:
        os.chdir(here)
        listening.close()
    assert found(check(healthy)) == [("special_file", "cat/x.jpg")]


@pytest.mark.skipif(os.name == "nt", reason="no such permissions there")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_locked_files_and_folders_are_found(healthy):
    """For root nothing is locked, so the check then runs in a child of another user."""
    check(healthy)  # imports what the child may not be allowed to read
    (healthy / "cat/00.png").chmod(0)
    (healthy / "dog/00.png").chmod(0)
    write_more(healthy / "owl")
    (healthy / "owl/inner").mkdir()
    (healthy / "owl/inner").chmod(0)
    healthy.parent.chmod(0o755)
    open_parents(healthy)
    kinds = as_another_user(lambda: found(check(healthy)))
    (healthy / "owl/inner").chmod(0o755)  # so that pytest can remove it
    assert [tuple(each) for each in kinds] == LOCKED


def test_a_bad_manifest_is_a_finding_and_a_missing_source_is_an_error(healthy):
    table = healthy.parent / "table.csv"
    table.write_text("path,label\nnowhere.png,cat\n")
    (finding,) = check(table).findings
    assert finding.kind == "unusable_source" and "nowhere.png does not exist" in finding.detail
    result = run("data", "check", str(healthy / "nowhere"))
    assert result.exit_code == 1 and "does not exist" in result.stderr


def test_a_folder_with_nothing_to_check_is_an_error_and_not_sound(tmp_path):
    result = run("data", "check", str(tmp_path))
    assert result.exit_code == 1
    assert "has no class folders" in result.stdout
    assert "Nothing was checked" in result.stderr
    document = json.loads(run("data", "check", str(tmp_path), "--json").stdout)
    assert document["counts"]["error"] == 1
    write_more(tmp_path / "cat")  # a single class cannot be used, but its images are checked
    assert run("data", "check", str(tmp_path)).exit_code == 0


def test_images_inside_a_tfrecord_file_are_checked(tmp_path):
    from cnnkit.backend import tf

    def feature(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for index in range(24):
            content = b"" if index == 3 else file_bytes(healthy_folders.scene(index % 23))
            values = {"image/encoded": content, "image/class/text": b"cat" if index % 2 else b"dog"}
            features = tf.train.Features(feature={k: feature(v) for k, v in values.items()})
            writer.write(tf.train.Example(features=features).SerializeToString())
    checked = check(tmp_path / "a.tfrecord")
    assert found(checked) == [
        ("duplicate_across_classes", "a.tfrecord#0", "a.tfrecord#23"),
        ("empty_file", "a.tfrecord#3"),
    ]
    assert len(checked.offending_files()) == 3


# --- the command


def run(*words):
    return CliRunner().invoke(main, words)


def test_the_command_prints_the_findings_and_ends_with_a_verdict(healthy):
    faults.text(healthy)
    result = run("data", "check", str(healthy))
    assert result.exit_code == 0
    assert "not_an_image  1" in result.stdout and "- cat/x.jpg: it is not" in result.stdout
    assert result.stdout.splitlines()[-1] == f"{healthy}: 25 images, 1 error, 0 warnings."


def test_strict_exits_with_3_on_an_error_or_warning(healthy):
    assert run("data", "check", str(healthy), "--strict").exit_code == 0
    faults.animation(healthy)  # worth a line, but nothing is wrong with it
    assert run("data", "check", str(healthy), "--strict").exit_code == 0
    faults.one_colour(healthy)
    result = run("data", "check", str(healthy), "--strict")
    assert result.exit_code == 3
    assert "constant  1" in result.stdout and "--strict" in result.stderr


def test_json_holds_every_finding_and_nothing_else_is_on_stdout(healthy):
    faults.other_quality(healthy)
    document = json.loads(run("data", "check", str(healthy), "--json").stdout)
    assert document["images"] == 25
    assert document["counts"] == {"error": 0, "warning": 1, "info": 0}
    (finding,) = document["findings"]
    assert finding["kind"] == "near_duplicate"
    (pair,) = finding["pairs"]
    assert pair["paths"] == ["cat/00.png", "cat/x.jpg"]
    assert pair["distance"] <= 4 and pair["similarity"] > 0.97 and pair["mirrored"] is False


def test_a_config_brings_its_size_and_classes(healthy):
    config = healthy.parent / "a.yaml"
    config.write_text(
        "data: {source: photos, image_size: 88}\nmodel: {layers: [flatten], output: sigmoid}\n"
    )
    document = json.loads(run("data", "check", str(config), "--json").stdout)
    assert document["kinds"] == {"enlarged": 24}


def test_the_list_names_files_but_not_the_copy_to_keep(healthy, tmp_path):
    faults.text(healthy)
    faults.copy(healthy)
    faults_of_folders.empty_class(healthy)
    faults.animation(healthy)
    result = run("data", "check", str(healthy), "--list", str(tmp_path / "bad.txt"))
    assert result.exit_code == 0
    assert (tmp_path / "bad.txt").read_text().splitlines() == [
        str(healthy / "cat/x.jpg"), str(healthy / "cat/x.png"),
    ]  # fmt: skip


def test_dark_pictures_are_named_and_not_on_the_list(healthy, tmp_path):
    faults.twelve_bits_in_sixteen(healthy)
    result = run("data", "check", str(healthy), "--list", str(tmp_path / "bad.txt"))
    line = next(line for line in result.stdout.splitlines() if "cat/x0.png, " in line)
    assert line.startswith(
        "    - cat/x0.png, cat/x1.png, dog/x0.png and 1 more (--json names all): 4 pictures with "
    )
    assert (tmp_path / "bad.txt").read_text() == ""


def test_nothing_is_changed(healthy):
    for spoil in (
        faults.dangling_link,
        faults.copy,
        faults_of_folders.jupyter,
        faults_of_folders.empty_class,
    ):
        spoil(healthy)
    before = {path: path.lstat().st_mtime_ns for path in healthy.rglob("*")}
    run("data", "check", str(healthy), "--strict")
    assert {path: path.lstat().st_mtime_ns for path in healthy.rglob("*")} == before


def test_the_contact_sheet_shows_the_pairs(healthy, tmp_path):
    faults.other_quality(healthy)
    sheet = tmp_path / "sheet.png"
    result = run("data", "check", str(healthy), "--contact-sheet", str(sheet))
    assert "1 pair" in result.stderr
    pixels = np.asarray(Image.open(sheet).convert("RGB"), np.int16)
    left, right = pixels[40:220, 20:240], pixels[40:220, 260:480]
    assert left.std() > 20 and np.abs(left - right).mean() < 10
    assert pixels[254:].std() > 20  # the words below


def test_without_pairs_no_sheet_is_written(healthy, tmp_path):
    result = run("data", "check", str(healthy), "--contact-sheet", str(tmp_path / "sheet.png"))
    assert "There are no near duplicates" in result.stderr
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="names there have no such letters")
def test_names_with_control_characters_take_one_line_and_move_no_terminal(healthy, tmp_path):
    (healthy / "cat" / "new\n\x1b[31mline.jpg").write_text("hello")
    result = run("data", "check", str(healthy), "--list", str(tmp_path / "bad.txt"))
    assert '- "cat/new\\n\\u001b[31mline.jpg": it is not an image' in result.stdout
    assert "\x1b" not in result.output
    (line,) = (tmp_path / "bad.txt").read_text().splitlines()
    assert json.loads(line) == str(healthy / "cat" / "new\n\x1b[31mline.jpg")


def test_a_class_lost_to_broken_files_is_missing_from_its_split(healthy):
    rows = ["path,label,split"]
    for index, path in enumerate(sorted(healthy.glob("*/*.png"))):
        split = ("train", "train", "validation")[index % 3]
        rows.append(f"{path},{path.parent.name},{split}")
        if split == "validation" and path.parent.name == "cat":
            path.write_text(f"hello {index}")
    table = healthy.parent / "table.csv"
    table.write_text("\n".join(rows))
    named = [each for each in found(check(table)) if each[0] != "not_an_image"]
    assert named == [("class_missing_from_split", "cat")]
    assert [e for e in found(check(table, allow_missing_classes=True)) if "class" in e[0]] == []


def test_a_class_without_a_readable_image_is_empty(healthy):
    for path in (healthy / "cat").glob("*.png"):
        path.write_text(f"hello {path.name}")
    assert ("empty_class", "cat") in found(check(healthy))


def test_the_size_of_a_small_class_is_that_of_its_contents(healthy):
    for name in ("a", "b", "c"):
        healthy_folders.put(healthy, f"owl/{name}.png", file_bytes(healthy_folders.scene(90)))
    (finding,) = [f for f in check(healthy).findings if f.kind == "class_too_small"]
    assert (finding.paths, finding.detail) == (("owl",), "1 distinct image that can be read")


@pytest.mark.skipif(os.name == "nt", reason="names there are Unicode")
def test_names_that_are_not_utf8_are_listed_as_they_are(healthy, tmp_path):
    place = os.fsencode(healthy / "cat") + b"/\xff.jpg"
    with open(place, "wb") as stream:
        stream.write(b"hello")
    result = run("data", "check", str(healthy), "--list", str(tmp_path / "bad.txt"))
    assert result.exit_code == 0
    assert (tmp_path / "bad.txt").read_bytes() == place + b"\n"


def test_the_sample_rates_of_two_classes_are_named(healthy):
    faults_of_sounds.a_rate_per_class(healthy)
    (finding,) = (each for each in check(healthy).findings if each.kind == "sample_rates")
    assert finding.detail == "16,000 and 44,100 samples per second"

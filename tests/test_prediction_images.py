"""Which images `cnnkit predict` finds: folders, patterns, lists, standard input."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from predict_command import image_folder, run_predict

from cnnkit.data.sources.ignored import NO_EXTENSION, NO_IMAGE, SYSTEM, Ignored
from cnnkit.prediction import find_images


def test_folders_globs_files_and_missing_names_are_found_in_order(tmp_path):
    for name in ("b/2.png", "b/1.jpg", "b/deep/3.png", "c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "b" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    found = find_images(
        [
            f"{tmp_path}/b",
            f"{tmp_path}/*.png",
            f"{tmp_path}/none*",
            f"{tmp_path}/x",
            f"{tmp_path}/empty",
        ]
    )
    assert [os.path.relpath(path, tmp_path) for path in found] == [
        "b/1.jpg", "b/2.png", "b/deep/3.png", "c.png", "none*", "x", "empty",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("holiday [2024]", ["holiday [2024]/1[1].png", "holiday [2024]/2.png"]),
        ("holiday [2024]/1[1].png", ["holiday [2024]/1[1].png"]),
        ("holiday [2024]/*.png", ["holiday [2024]/1[1].png", "holiday [2024]/2.png"]),
        ("holiday [2024]/1*", ["holiday [2024]/1[1].png"]),
        ("trip/[12].png", ["trip/1.png", "trip/2.png"]),
    ],
)
def test_brackets_may_be_part_of_a_name(tmp_path, monkeypatch, pattern, found):
    for name in ("holiday [2024]/1[1].png", "holiday [2024]/2.png", "trip/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "trip" / "2.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert list(find_images([pattern])) == found


def test_a_folder_or_glob_without_images_is_reported_as_such(trained_run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run_predict(
        tmp_path / "empty", f"{tmp_path}/*.gif", "--json", "--model", trained_run.folder
    )
    assert [json.loads(line)["error"] for line in done.stdout.splitlines()] == [
        "the folder contains no images",
        "no file matches this pattern",
    ]
    done = run_predict(tmp_path / "empty", "--model", trained_run.folder)
    assert done.stderr.decode() == "The image could not be read.\n"


def test_an_empty_list_of_paths_is_reported(trained_run):
    done = run_predict("-", "--model", trained_run.folder, stdin=b"")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode() == "There are no paths on standard input.\n"


def test_files_of_a_folder_that_are_ignored_are_named_with_the_reason(trained_run, tmp_path):
    photos, image = tmp_path / "photos", f"{image_folder(trained_run)}/red/0.png"
    for name in ("1.png", "scan", "@eaDir/1.png/SYNOPHOTO_THUMB_M.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(Path(image).read_bytes())
    (photos / "notes.txt").write_text("words")
    (photos / "lost.png").symlink_to("nowhere.png")
    done = run_predict(photos, "--json", "--allow-errors", "--model", trained_run.folder)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(row["path"]).name for row in rows[:2]] == ["1.png", "lost.png"]
    assert "leads" in rows[1]["error"] or "link" in rows[1]["error"]
    assert rows[2:] == [
        {"path": f"{photos}/@eaDir", "ignored": SYSTEM},
        {"path": f"{photos}/notes.txt", "ignored": NO_IMAGE},
        {"path": f"{photos}/scan", "ignored": NO_EXTENSION},
    ]
    said = done.stderr.decode()
    assert f"Ignored: 1 file without an image extension ({photos}/notes.txt)." in said
    assert f"Ignored: 1 file without an extension such as .jpg ({photos}/scan)." in said
    assert f"keeps for itself ({photos}/@eaDir)." in said


def test_a_glob_skips_the_files_of_systems_unless_it_names_them(tmp_path):
    thumb = tmp_path / "@eaDir" / "1.jpg"
    thumb.parent.mkdir()
    for path in (thumb, tmp_path / "1.jpg"):
        path.touch()
    ignored = Ignored()
    assert list(find_images([f"{tmp_path}/**/*.jpg"], ignored)) == [str(tmp_path / "1.jpg")]
    assert f"({thumb})." in ignored.notes()[0]
    assert list(find_images([f"{tmp_path}/@eaDir/*.jpg"])) == [str(thumb)]


def test_paths_on_stdin_end_in_a_newline_or_a_nul_byte(trained_run, tmp_path):
    source = f"{image_folder(trained_run)}/red/3.png"
    odd = tmp_path / "a name\nwith a line.png"
    odd.write_bytes(Path(source).read_bytes())
    by_line = run_predict(
        "-", "--model", trained_run.folder, stdin=f"{source}\n{source}\n".encode()
    )
    assert by_line.stdout.decode().count("red ") == 2
    by_nul = run_predict(
        "-", "-0", "--json", "--model", trained_run.folder, stdin=f"{odd}\0".encode()
    )
    assert json.loads(by_nul.stdout)["path"] == str(odd)


def test_an_image_can_be_read_from_stdin(trained_run):
    content = Path(f"{image_folder(trained_run)}/green/2.png").read_bytes()
    done = run_predict("--stdin-image", "--json", "--model", trained_run.folder, stdin=content)
    assert json.loads(done.stdout)["prediction"] == "green"

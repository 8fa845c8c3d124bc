"""No photograph is written over, and other files only with --overwrite."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click
import pytest
from PIL import Image
from whole_command import contents_of, run

from cnnkit.cli import main
from cnnkit.data.decoding.image_formats import image_extensions
from cnnkit.errors import UsageError
from cnnkit.output_guard import (
    _PICTURE_EXTENSIONS,
    ANSWERS,
    CONFIG,
    DRAWING,
    KERAS,
    LIST,
    PICTURE,
    check_output,
)

# Every option that names a file to write: the command line up to it, and a name that it accepts.
# RUN is a finished run. `features` and `filters` take a folder: see below.
WRITERS = {
    "init -o": ("init photos -o", "new.yaml"),
    "build -o": ("build a.yaml -o", "model.keras"),
    "summary --diagram": ("summary a.yaml --diagram", "net.svg"),
    "kernels -o": ("kernels photos/cat/00.png --kernel sobel_x -o", "kernels.png"),
    "data check --list": ("data check photos --list", "bad.txt"),
    "data check --contact-sheet": ("data check photos --contact-sheet", "sheet.png"),
    "data stats --plot": ("data stats photos --plot", "plot.png"),
    "data split -o": ("data split photos -o", "photos.split.csv"),
    "data preview -o": ("data preview a.yaml -o", "preview.png"),
    "evaluate --junit": (
        "evaluate --from-predictions RUN/evaluation/test --require accuracy>=0 --junit",
        "gates.xml",
    ),
    "compare --html": ("compare RUN RUN/evaluation/test/predictions.csv --html", "pair.html"),
    "schedule -o": ("schedule a.yaml -o", "rates.png"),
    "report -o": ("report RUN -o", "page.html"),
    "predict -o": ("predict photos/cat/00.png --model RUN -o", "answers.csv"),
    "embed -o": ("embed photos/cat/00.png --model RUN -o", "features.npy"),
    "benchmark -o": (
        "benchmark RUN/model.tflite --threads 1 --batch-sizes 1 --seconds 0.1 -o",
        "times.png",
    ),
    "code -o": ("code a.yaml -o", "net.py"),
    "what-if -o": ("what-if a.yaml -o", "page.html"),
    "grade -o": ("grade a.yaml --rubric rubric.yaml -o", "marks.csv"),
    "grade --junit": ("grade a.yaml --rubric rubric.yaml --junit", "marks.xml"),
}
# Options with a path that is read, and folders, in which each file is checked.
READERS = {
    *("--runs-folder", "--data", "--images", "--from-predictions"),
    *("--rubric", "--api-key-file"),
}
FOLDERS = {"features -o", "filters -o", "evaluate -o", "compare -o", "explain -o", "export -o"}
# It adds to a file of its own answers, and copies under new names: see test_watch.py.
ADDING = {"watch -o", "watch --sort-into"}
# These train; test_label_review.py and test_lr_find.py have their own tests of this.
SLOW = {"data labels -o", "lr-find -o"}


def _words(writer, run_folder):
    return [word.replace("RUN", str(run_folder)) for word in WRITERS[writer][0].split()]


def _commands(command, name=""):
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _commands(inner, f"{name} {inner.name}".strip())
    else:
        yield name, command


def test_every_option_with_a_path_is_known_here():
    found = {
        f"{name} {option.opts[0]}"
        for name, command in _commands(main)
        for option in command.params
        if isinstance(option, click.Option) and isinstance(option.type, click.Path)
        if option.opts[0] not in READERS
    }
    assert found == {*WRITERS, *FOLDERS, *ADDING, *SLOW}


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["", "overwrite"])
@pytest.mark.parametrize("photo", ["photos/cat/00.png", "photos/cat/copy.jpg", "photo"])
@pytest.mark.parametrize("writer", WRITERS)
def test_no_photo_is_ever_replaced(own_photos, trained_run, writer, photo, overwrite):
    if photo == "photo":  # one whose name says that it is something else
        photo = WRITERS[writer][1]
        shutil.copy("photos/cat/copy.jpg", photo)
    if writer == "data split -o":
        overwrite = []  # it has none: an earlier manifest is always updated
    before = contents_of(own_photos.parent)
    done = run(*_words(writer, trained_run.folder), photo, *overwrite)
    assert done.exit_code == 2, done.output
    assert photo in done.stderr
    assert contents_of(own_photos.parent) == before


@pytest.mark.parametrize("writer", sorted(set(WRITERS) - {"data split -o"}))
def test_other_files_are_replaced_only_with_overwrite(own_photos, trained_run, writer):
    words, name = _words(writer, trained_run.folder), WRITERS[writer][1]
    done = run(*words, name)
    assert done.exit_code == 0, done.output
    first = Path(name).read_bytes()
    before = contents_of(own_photos.parent)
    again = run(*words, name)
    assert again.exit_code == 2
    option = words[-1].replace("-o", "--output")
    assert f"{name} exists. Choose another {option}, or add --overwrite." in again.stderr
    assert contents_of(own_photos.parent) == before
    done = run(*words, name, "--overwrite")
    assert done.exit_code == 0, done.output
    # A proposal has the measured speed of the computer in its first lines.
    start = first.index(b"data:") if writer == "init -o" else 0
    if writer not in ("build -o", "benchmark -o"):  # their files have times in them
        assert Path(name).read_bytes()[start:] == first[start:]


@pytest.mark.parametrize("new", [False, True], ids=["a photo", "a new name"])
def test_a_pattern_that_the_shell_expands_after_o_destroys_nothing(own_photos, trained_run, new):
    expanded = sorted(map(str, own_photos.glob("cat/*.png")))
    if new:
        expanded.insert(0, "new.png")
    before = contents_of(own_photos.parent)
    done = run("predict", "--model", trained_run.folder, "-o", *expanded)
    assert done.exit_code == 2
    allowed = ".csv, .jsonl, .parquet or .txt, or have no extension"
    assert f"--output {expanded[0]}: the name must end in {allowed}." in done.stderr
    assert contents_of(own_photos.parent) == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("writer", ["features -o", "filters -o"])
def test_a_folder_of_photos_keeps_them(own_photos, trained_run, writer, overwrite):
    shutil.copy("photos/cat/00.png", "photos/conv_1.png")
    before = contents_of(own_photos)
    words = {"features -o": ["features", "photos/cat/01.png"], "filters -o": ["filters"]}[writer]
    done = run(*words, "--model", trained_run.folder, "-o", "photos", *overwrite)
    assert done.exit_code == 2, done.output
    assert "conv_1.png exists, and cnnkit did not draw it" in done.stderr
    assert contents_of(own_photos) == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    ("output", "foreign"), [("photos", "cat"), ("photos/owl", "00.png"), ("notes", "todo.txt")]
)
@pytest.mark.parametrize("words", ["features photos/cat/01.png", "filters"])
def test_pictures_are_not_mixed_with_other_files(
    own_photos, trained_run, words, output, foreign, overwrite
):
    Path("notes").mkdir()
    Path("notes/todo.txt").touch()
    before = contents_of(own_photos.parent)
    done = run(*words.split(), "--model", trained_run.folder, "-o", output, *overwrite)
    assert done.exit_code == 2, done.output
    assert (
        f"did not write {foreign} in this folder. Choose a new or an empty folder." in done.stderr
    )
    assert contents_of(own_photos.parent) == before


def test_pictures_may_be_written_to_an_empty_folder_and_again_with_overwrite(
    own_photos, trained_run
):
    Path("out").mkdir()
    Path("out/.DS_Store").touch()
    model = ["--model", trained_run.folder, "-o", "out"]
    assert run("features", "photos/cat/01.png", *model).exit_code == 0
    before = contents_of(Path("out"))
    done = run("filters", "--layer", "conv_1", "--channels", "1", *model)
    assert (done.exit_code, "or add --overwrite." in done.stderr) == (2, True)
    assert contents_of(Path("out")) == before
    done = run("filters", "--channels", "1", *model, "--overwrite")
    assert done.exit_code == 0, done.output
    done = run("features", "photos/cat/02.png", *model, "--overwrite")
    assert done.exit_code == 0, done.output


def test_a_link_to_a_photo_is_a_photo(own_photos):
    Path("bad.txt").symlink_to("photos/cat/copy.jpg")
    before = contents_of(own_photos)
    done = run("data", "check", "photos", "--list", "bad.txt", "--overwrite")
    assert (done.exit_code, "cnnkit did not draw it" in done.stderr) == (2, True)
    assert contents_of(own_photos) == before


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_picture_is_known_by_its_first_bytes(tmp_path, kind):
    file = tmp_path / "list"
    Image.new("RGB", (9, 7)).save(file, kind)
    with pytest.raises(UsageError, match="cnnkit did not draw it"):
        check_output(file, "--list", LIST, overwrite=True)


@pytest.mark.parametrize("text", ["BMW/1.jpg\n", "II/a.png\n", "GIF/a.gif\n", "RIFF/b.png\n", ""])
def test_a_list_of_pictures_is_not_a_picture(tmp_path, text):
    (tmp_path / "list.txt").write_text(text)
    check_output(tmp_path / "list.txt", "--list", LIST, overwrite=True)


@pytest.mark.parametrize("name", ["logo.svg", "a.png"])
def test_a_damaged_or_foreign_drawing_is_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("<?xml version='1.0'?><svg><title>mine</title></svg>")
    with pytest.raises(UsageError, match="cnnkit did not draw it"):
        check_output(tmp_path / name, "--diagram", DRAWING, overwrite=True)


def test_every_picture_that_can_be_read_counts_as_one():
    assert image_extensions() <= _PICTURE_EXTENSIONS


@pytest.mark.parametrize(
    ("name", "extensions", "allowed"),
    [
        ("a.jpg", PICTURE, ".png"),
        ("a.pdf", DRAWING, ".svg or .png"),
        ("a.py", LIST, ".txt, .list or .lst, or have no extension"),
        ("a", CONFIG, ".yaml or .yml"),
        ("a.h5", KERAS, ".keras"),
    ],
)
def test_another_extension_is_refused_before_anything_is_read(tmp_path, name, extensions, allowed):
    said = f"--out {tmp_path / name}: the name must end in {allowed}."
    with pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
        check_output(tmp_path / name, "--out", extensions, overwrite=True)


@pytest.mark.parametrize("name", ["a.py", "a.yaml", "a.keras", "a.json", "a.JPG"])
def test_predictions_do_not_replace_files_of_another_kind(tmp_path, name):
    for allowed in ("a.csv", "a.JSONL", "a.txt", "a"):
        check_output(tmp_path / allowed, "--out", ANSWERS, overwrite=False)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="txt, or have no extension.$"):
        check_output(tmp_path / name, "--out", ANSWERS, overwrite=True)

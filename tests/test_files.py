"""Which files a command may write over, and what errors call a file that cannot be written."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from images import write_classes, write_image
from PIL import Image

from cnnkit.cli import main
from cnnkit.data.decoding.image_formats import image_extensions
from cnnkit.errors import UsageError
from cnnkit.files import write_text
from cnnkit.output_guard import (
    _PICTURE_ENDINGS,
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
    "predict -o": ("predict photos/cat/00.png --model RUN -o", "answers.csv"),
}
# Options with a path that is read, and folders, in which each file is checked.
READERS = {"--runs-folder", "--data", "--images"}
FOLDERS = {"features -o", "filters -o", "evaluate -o"}


def run(*words):
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Return a folder of photos, in the current folder, with a config next to it."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "photos", {"cat": 6, "owl": 6})
    write_image(tmp_path / "photos" / "owl" / "copy.png", seed=3, width=80, height=60)
    with Image.open(tmp_path / "photos" / "owl" / "copy.png") as image:  # a near duplicate
        image.save(tmp_path / "photos" / "cat" / "copy.jpg", quality=95)
    (tmp_path / "a.yaml").write_text(
        "data: {source: photos, image_size: 16}\nmodel: {layers: [flatten]}\n"
    )
    return tmp_path / "photos"


def _contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _words(writer, run_folder):
    return [str(run_folder) if word == "RUN" else word for word in WRITERS[writer][0].split()]


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
    assert found == {*WRITERS, *FOLDERS}


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["", "overwrite"])
@pytest.mark.parametrize("photo", ["photos/cat/00.png", "photos/cat/copy.jpg", "photo"])
@pytest.mark.parametrize("writer", WRITERS)
def test_no_photo_is_ever_replaced(photos, trained_run, writer, photo, overwrite):
    if photo == "photo":  # one whose name says that it is something else
        photo = WRITERS[writer][1]
        shutil.copy("photos/cat/copy.jpg", photo)
    if writer == "data split -o":
        overwrite = []  # it has none: an earlier manifest is always updated
    before = _contents(photos.parent)
    done = run(*_words(writer, trained_run.folder), photo, *overwrite)
    assert done.exit_code == 2, done.output
    assert photo in done.stderr
    assert _contents(photos.parent) == before


@pytest.mark.parametrize("writer", sorted(set(WRITERS) - {"data split -o"}))
def test_other_files_are_replaced_only_with_overwrite(photos, trained_run, writer):
    words, name = _words(writer, trained_run.folder), WRITERS[writer][1]
    done = run(*words, name)
    assert done.exit_code == 0, done.output
    first = Path(name).read_bytes()
    before = _contents(photos.parent)
    again = run(*words, name)
    assert again.exit_code == 2
    option = words[-1].replace("-o", "--output")
    assert f"{name} exists. Choose another {option}, or add --overwrite." in again.stderr
    assert _contents(photos.parent) == before
    done = run(*words, name, "--overwrite")
    assert done.exit_code == 0, done.output
    if writer != "build -o":  # a .keras file has the time in it
        assert Path(name).read_bytes() == first


@pytest.mark.parametrize(
    "words",
    [
        "data check a.yaml --list a.yaml",
        "data stats photos --plot a.yaml",
        "data preview a.yaml -o a.yaml",
        "build a.yaml -o a.yaml",
        "summary a.yaml --diagram a.yaml",
        "predict a.yaml --model RUN -o a.yaml",
        "predict photos --model RUN -o RUN/model.tflite",
        "kernels drawn.png --kernel sobel_x -o drawn.png",
        "kernels drawn.png --kernel sobel_x -o ./photos/../drawn.png",
        "features overview.png --model RUN -o .",
        "filters --images conv_1.png --model RUN -o .",
    ],
)
def test_no_input_is_ever_replaced(photos, trained_run, words):
    drawn = run("kernels", "photos/cat/00.png", "--kernel", "sobel_x", "-o", "drawn.png")
    assert drawn.exit_code == 0  # ours, so the photo rule lets it pass
    for name in ("overview.png", "conv_1.png"):
        shutil.copyfile("drawn.png", name)
    folders = (photos.parent, trained_run.folder)
    before = [_contents(folder) for folder in folders]
    done = run(*words.replace("RUN", str(trained_run.folder)).split(), "--overwrite")
    assert done.exit_code == 2, done.output
    assert [_contents(folder) for folder in folders] == before


def test_the_list_on_stdin_is_not_replaced(photos, trained_run):
    Path("list.txt").write_text("photos/cat/00.png\n")
    code = "import sys; from cnnkit.cli import main; main(sys.argv[1:])"
    words = ["predict", "-", "--model", trained_run.folder, "-o", "list.txt", "--overwrite"]
    with open("list.txt") as stdin:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)], stdin=stdin, capture_output=True
        )
    assert done.returncode == 2
    assert b"list.txt is a file that this command reads. Choose another --output." in done.stderr
    assert Path("list.txt").read_text() == "photos/cat/00.png\n"


@pytest.mark.parametrize("new", [False, True], ids=["a photo", "a new name"])
def test_a_pattern_that_the_shell_expands_after_o_destroys_nothing(photos, trained_run, new):
    expanded = sorted(map(str, photos.glob("cat/*.png")))
    if new:
        expanded.insert(0, "new.png")
    before = _contents(photos.parent)
    done = run("predict", "--model", trained_run.folder, "-o", *expanded)
    assert done.exit_code == 2
    allowed = ".csv, .jsonl or .txt, or have no extension"
    assert f"--output {expanded[0]}: the name must end in {allowed}." in done.stderr
    assert _contents(photos.parent) == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("writer", ["features -o", "filters -o"])
def test_a_folder_of_photos_keeps_them(photos, trained_run, writer, overwrite):
    shutil.copy("photos/cat/00.png", "photos/conv_1.png")
    before = _contents(photos)
    words = {"features -o": ["features", "photos/cat/01.png"], "filters -o": ["filters"]}[writer]
    done = run(*words, "--model", trained_run.folder, "-o", "photos", *overwrite)
    assert done.exit_code == 2, done.output
    assert "conv_1.png exists, and cnnkit did not draw it" in done.stderr
    assert _contents(photos) == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    ("output", "foreign"), [("photos", "cat"), ("photos/owl", "00.png"), ("notes", "todo.txt")]
)
@pytest.mark.parametrize("words", ["features photos/cat/01.png", "filters"])
def test_pictures_are_not_mixed_with_other_files(
    photos, trained_run, words, output, foreign, overwrite
):
    Path("notes").mkdir()
    Path("notes/todo.txt").touch()
    before = _contents(photos.parent)
    done = run(*words.split(), "--model", trained_run.folder, "-o", output, *overwrite)
    assert done.exit_code == 2, done.output
    assert (
        f"did not write {foreign} in this folder. Choose a new or an empty folder." in done.stderr
    )
    assert _contents(photos.parent) == before


def test_pictures_may_be_written_to_an_empty_folder_and_again_with_overwrite(photos, trained_run):
    Path("out").mkdir()
    Path("out/.DS_Store").touch()
    model = ["--model", trained_run.folder, "-o", "out"]
    assert run("features", "photos/cat/01.png", *model).exit_code == 0
    before = _contents(Path("out"))
    done = run("filters", "--layer", "conv_1", "--channels", "1", *model)
    assert (done.exit_code, "or add --overwrite." in done.stderr) == (2, True)
    assert _contents(Path("out")) == before
    done = run("filters", "--channels", "1", *model, "--overwrite")
    assert done.exit_code == 0, done.output
    done = run("features", "photos/cat/02.png", *model, "--overwrite")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "words",
    [
        "predict photos --model RUN -o COPY/split.csv",
        "predict photos --model RUN -o COPY/classes.txt",
        "build a.yaml -o COPY/weights/best.keras",
        "init photos -o COPY/config.yaml",
        "summary a.yaml --diagram COPY/plots/curves.png",
        "data check photos --list COPY/classes.txt",
        "data split photos -o COPY/split.csv",
        "features photos/cat/01.png --model COPY -o COPY/features/old",
    ],
)
def test_no_file_of_a_run_is_ever_replaced(photos, trained_run, words):
    copied = photos.parent / "runs" / "mine"
    shutil.copytree(trained_run.folder, copied)
    (copied / "plots").mkdir(exist_ok=True)
    (copied / "features" / "old").mkdir(parents=True)
    for drawn in ("plots/curves.png", "features/old/overview.png"):
        (copied / drawn).unlink(missing_ok=True)
        assert run("kernels", "photos/cat/00.png", "-o", copied / drawn).exit_code == 0
    before = _contents(copied)
    words = words.replace("RUN", str(trained_run.folder)).replace("COPY", "runs/mine").split()
    overwrite = [] if words[:2] == ["data", "split"] else ["--overwrite"]
    done = run(*words, *overwrite)
    assert done.exit_code == 2, done.output
    assert f"is a file of the run {copied}. Choose another --" in done.stderr
    assert _contents(copied) == before


@pytest.mark.parametrize("key", ["file", "weights"])
def test_build_does_not_replace_the_file_of_its_backbone(photos, key):
    assert run("build", "a.yaml", "-o", "own.keras").exit_code == 0
    name = {"file": "file: own.keras", "weights": "name: MobileNet, weights: own.keras"}[key]
    Path("b.yaml").write_text(
        f"data: {{source: photos, image_size: 32}}\nmodel: {{backbone: {{{name}}}}}\n"
    )
    before = Path("own.keras").read_bytes()
    done = run("build", "b.yaml", "-o", "own.keras", "--overwrite")
    assert (done.exit_code, "own.keras is a file that this command reads" in done.stderr) == (
        2,
        True,
    )
    assert Path("own.keras").read_bytes() == before


def test_export_replaces_only_what_it_wrote(photos, trained_run):
    copied = photos.parent / "runs" / "mine"
    shutil.copytree(trained_run.folder, copied)
    (copied / "export" / "saved_model").mkdir(parents=True)
    (copied / "export" / "saved_model" / "thesis.txt").write_text("mine")
    done = run("export", copied, "--format", "saved_model")
    assert (done.exit_code, "a folder that cnnkit did not write" in done.stderr) == (2, True)
    shutil.copy("photos/cat/copy.jpg", copied / "export" / "model.tflite")
    done = run("export", copied, "--format", "tflite")
    assert (done.exit_code, "model.tflite exists, and cnnkit did not draw it" in done.stderr) == (
        2, True,
    )  # fmt: skip
    (copied / "export" / "model.tflite").unlink()
    for _ in range(2):
        assert run("export", copied, "--format", "tflite").exit_code == 0


def test_evaluate_does_not_replace_the_list_that_it_reads(photos, trained_run, tiny_config):
    copied = photos.parent / "runs" / "mine"
    shutil.copytree(trained_run.folder, copied)
    folder = copied / "evaluation" / "again"
    folder.mkdir(parents=True)
    lines = [f"{path},{path.parent.name}" for path in tiny_config.parent.glob("images/*/*.png")]
    (folder / "predictions.csv").write_text("\n".join(["path,label", *lines]))
    before = _contents(folder)
    done = run("evaluate", copied, "--data", folder / "predictions.csv", "--name", "again")
    assert (done.exit_code, "a file that this command reads" in done.stderr) == (2, True)
    assert _contents(folder) == before


@pytest.mark.parametrize("output", ["photos/cat/00.png", "a.yaml", "source.csv", "other.csv"])
def test_split_replaces_only_a_manifest_and_never_its_source(photos, output):
    lines = ["path,label,split,sha256"]
    for path in sorted(photos.rglob("*.png")):
        lines.append(f"{path.relative_to(photos.parent)},{path.parent.name},train,{'0' * 64}")
    (photos.parent / "source.csv").write_text("\n".join(lines))
    (photos.parent / "other.csv").write_text("name,age\nme,7\n")
    before = _contents(photos.parent)
    done = run("data", "split", "source.csv", "-o", output)
    assert done.exit_code == 2
    assert output in done.stderr
    assert _contents(photos.parent) == before


def test_a_link_to_a_photo_is_a_photo(photos):
    Path("bad.txt").symlink_to("photos/cat/copy.jpg")
    before = _contents(photos)
    done = run("data", "check", "photos", "--list", "bad.txt", "--overwrite")
    assert (done.exit_code, "cnnkit did not draw it" in done.stderr) == (2, True)
    assert _contents(photos) == before


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
    assert image_extensions() <= _PICTURE_ENDINGS


@pytest.mark.parametrize(
    ("name", "endings", "allowed"),
    [
        ("a.jpg", PICTURE, ".png"),
        ("a.pdf", DRAWING, ".svg or .png"),
        ("a.py", LIST, ".txt, .list or .lst, or have no extension"),
        ("a", CONFIG, ".yaml or .yml"),
        ("a.h5", KERAS, ".keras"),
    ],
)
def test_another_ending_is_refused_before_anything_is_read(tmp_path, name, endings, allowed):
    said = f"--out {tmp_path / name}: the name must end in {allowed}."
    with pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
        check_output(tmp_path / name, "--out", endings, overwrite=True)


@pytest.mark.parametrize("name", ["a.py", "a.yaml", "a.keras", "a.json", "a.JPG"])
def test_predictions_do_not_replace_files_of_another_kind(tmp_path, name):
    for allowed in ("a.csv", "a.JSONL", "a.txt", "a"):
        check_output(tmp_path / allowed, "--out", ANSWERS, overwrite=False)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="txt, or have no extension.$"):
        check_output(tmp_path / name, "--out", ANSWERS, overwrite=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_with_any_name_is_written_to(tmp_path):
    pipe = tmp_path / "list.txt"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_output(pipe, "--out", PICTURE, overwrite=False)  # it exists, and it is no .png
        write_text(pipe, "what was written")
        assert os.read(reader, 100) == b"what was written"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]
    pipe.unlink()
    pipe.write_text("a file of the same name")
    with pytest.raises(UsageError, match="the name must end in"):
        check_output(pipe, "--out", PICTURE, overwrite=False)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs /dev/null")
def test_a_device_is_written_to_and_stays_one():
    device = Path("/dev/null")
    check_output(device, "--out", PICTURE, overwrite=False)
    write_text(device, "x")
    assert device.is_char_device() and device.read_bytes() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_errors_name_the_file_that_was_asked_for(photos, tmp_path):
    with pytest.raises(OSError) as caught:
        write_text(Path("/dev/full"), "x" * 100_000)
    assert caught.value.filename == "/dev/full"
    with pytest.raises(OSError) as caught:
        write_text(Path("/proc/x.txt"), "x")
    assert caught.value.filename == "/proc/x.txt"


def test_a_config_is_not_a_source_and_a_folder_is_not_a_config(photos):
    done = run("init", "a.yaml")
    assert done.exit_code == 2
    assert "a.yaml is a config" in done.stderr
    done = run("data", "preview", "photos")
    assert done.exit_code == 2
    assert "`cnnkit init photos`" in done.stderr

"""What a command reads, and the files of a run, are never replaced."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from whole_command import contents_of, run


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
def test_no_input_is_ever_replaced(own_photos, trained_run, words):
    drawn = run("kernels", "photos/cat/00.png", "--kernel", "sobel_x", "-o", "drawn.png")
    assert drawn.exit_code == 0  # ours, so the photo rule lets it pass
    for name in ("overview.png", "conv_1.png"):
        shutil.copyfile("drawn.png", name)
    folders = (own_photos.parent, trained_run.folder)
    before = [contents_of(folder) for folder in folders]
    done = run(*words.replace("RUN", str(trained_run.folder)).split(), "--overwrite")
    assert done.exit_code == 2, done.output
    assert [contents_of(folder) for folder in folders] == before


def test_the_list_on_stdin_is_not_replaced(own_photos, trained_run):
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
def test_no_file_of_a_run_is_ever_replaced(own_photos, trained_run, words):
    copied = own_photos.parent / "runs" / "mine"
    shutil.copytree(trained_run.folder, copied)
    (copied / "plots").mkdir(exist_ok=True)
    (copied / "features" / "old").mkdir(parents=True)
    for drawn in ("plots/curves.png", "features/old/overview.png"):
        (copied / drawn).unlink(missing_ok=True)
        assert run("kernels", "photos/cat/00.png", "-o", copied / drawn).exit_code == 0
    before = contents_of(copied)
    words = words.replace("RUN", str(trained_run.folder)).replace("COPY", "runs/mine").split()
    overwrite = [] if words[:2] == ["data", "split"] else ["--overwrite"]
    done = run(*words, *overwrite)
    assert done.exit_code == 2, done.output
    assert f"is a file of the run {copied}. Choose another --" in done.stderr
    assert contents_of(copied) == before


@pytest.mark.parametrize("key", ["file", "weights"])
def test_build_does_not_replace_the_file_of_its_backbone(own_photos, key):
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


def test_export_replaces_only_what_it_wrote(own_photos, trained_run):
    copied = own_photos.parent / "runs" / "mine"
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


def test_evaluate_does_not_replace_the_list_that_it_reads(own_photos, trained_run, tiny_config):
    copied = own_photos.parent / "runs" / "mine"
    shutil.copytree(trained_run.folder, copied)
    folder = copied / "evaluation" / "again"
    folder.mkdir(parents=True)
    lines = [f"{path},{path.parent.name}" for path in tiny_config.parent.glob("images/*/*.png")]
    (folder / "predictions.csv").write_text("\n".join(["path,label", *lines]))
    before = contents_of(folder)
    done = run("evaluate", copied, "--data", folder / "predictions.csv", "--name", "again")
    assert (done.exit_code, "a file that this command reads" in done.stderr) == (2, True)
    assert contents_of(folder) == before


@pytest.mark.parametrize("output", ["photos/cat/00.png", "a.yaml", "source.csv", "other.csv"])
def test_split_replaces_only_a_manifest_and_never_its_source(own_photos, output):
    lines = ["path,label,split,sha256"]
    for path in sorted(own_photos.rglob("*.png")):
        lines.append(f"{path.relative_to(own_photos.parent)},{path.parent.name},train,{'0' * 64}")
    (own_photos.parent / "source.csv").write_text("\n".join(lines))
    (own_photos.parent / "other.csv").write_text("name,age\nme,7\n")
    before = contents_of(own_photos.parent)
    done = run("data", "split", "source.csv", "-o", output)
    assert done.exit_code == 2
    assert output in done.stderr
    assert contents_of(own_photos.parent) == before

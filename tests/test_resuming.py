"""Which run is resumed, what is refused, and what is reported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from interrupted_runs import assert_same_run, history_of

import cnnkit
from cnnkit.cli import main
from cnnkit.errors import CnnkitError, DataError, UsageError
from cnnkit.locks import held
from cnnkit.runs import Run, find_run
from cnnkit.training.checkpoint import Backup

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_finished_run_and_no_run_cannot_be_resumed(resume_start, tmp_path):
    with pytest.raises(UsageError, match="plain is finished: there is nothing to resume"):
        cnnkit.resume(resume_start / "runs" / "plain")
    with pytest.raises(UsageError, match="There is no run in .* that did not finish"):
        cnnkit.resume(runs_folder=resume_start / "runs")
    with pytest.raises(UsageError, match="is not a run folder"):
        cnnkit.resume("nowhere", runs_folder=tmp_path)


def test_other_images_are_refused(cut_run, tmp_path):
    red = tmp_path / "images" / "red"
    (red / "0.png").rename(tmp_path / "0.png")
    with pytest.raises(DataError, match=r"1 gone \(red/0.png\)"):
        cnnkit.resume(cut_run.folder)
    shutil.copyfile(red / "1.png", red / "0.png")
    with pytest.raises(DataError, match=r"with other content or in another split \(red/0.png"):
        cnnkit.resume(cut_run.folder)
    assert cut_run.info()["status"] == "interrupted" and cut_run.backup.exists()
    run = cnnkit.resume(cut_run.folder, allow_changed=["data.source"])
    now = {row["path"]: row["sha256"] for row in run.read_split()}
    assert now["red/0.png"] == now["red/1.png"]  # split.csv tells what was trained on
    assert len(history_of(run)) == 7


def test_a_run_is_resumed_elsewhere_and_with_other_versions_only_if_allowed(cut_run, resume_start):
    info = cut_run.info()
    info["versions"]["keras"] = "3.0.0"
    (cut_run.folder / "run.json").write_text(json.dumps(info))
    with pytest.raises(UsageError, match=r"started with keras 3.0.0; .*--allow-changed versions"):
        cnnkit.resume(cut_run.folder)
    run = cnnkit.resume(cut_run.folder, allow_changed=["versions"])
    assert_same_run(run, find_run("plain", resume_start / "runs"))
    assert [(one["key"], one["before"]) for one in run.info()["changed"]] == [
        ("versions.keras", "3.0.0")
    ]
    assert run.info()["versions"]["keras"] != "3.0.0"


def test_a_changed_config_is_refused_unless_it_is_allowed(cut_run, resume_start):
    text = cut_run.config.read_text()
    cut_run.config.write_text(text.replace("batch_size: 8", "batch_size: 9"))
    with pytest.raises(UsageError, match=r"data.batch_size: 9 \(before 8\).*--allow-changed data"):
        cnnkit.resume(cut_run.folder)
    assert cut_run.info()["status"] == "interrupted"
    run = cnnkit.resume(cut_run.folder, allow_changed=["data.batch_size"])
    changed = {"after_epoch": 2, "key": "data.batch_size", "before": 8, "now": 9}
    assert run.info()["changed"] == [changed]
    assert "batch_size: 9" in run.config.read_text()
    assert len(history_of(run)) == 7
    assert history_of(run)[:2] == history_of(find_run("plain", resume_start / "runs"))[:2]


def test_more_epochs_continue_a_finished_run_to_the_weights_of_all_in_one_go(
    resume_start, tmp_path
):
    short = cnnkit.train(
        resume_start / "plain.yaml", overrides=["training.epochs=3"], runs_folder=tmp_path
    )
    assert short.info()["status"] == "finished"
    whole = find_run("plain", resume_start / "runs")
    words = ["train", "--resume", str(short.folder), "--json", "--epochs"]
    done = CliRunner().invoke(main, [*words, "3"])
    assert done.exit_code == 2
    assert (
        "has trained all its 3 epochs already. Give it more: cnnkit train --resume " in done.stderr
    )
    wrong = [*words, "7", "--allow-changed", "training.optimiser"]
    done = CliRunner().invoke(main, wrong)
    assert done.exit_code == 2
    assert "no such key. Did you mean training.optimizer?" in done.stderr
    done = CliRunner().invoke(main, [*words, "7"])
    assert done.exit_code == 0, done.stderr
    assert "continues after epoch 3" in done.stderr
    assert "changed: training.epochs: 7 (before 3)" in done.stderr
    assert_same_run(short, whole)
    assert short.info()["resumed"] == [3]


def test_only_the_last_phase_gets_more_epochs(resume_start, tmp_path):
    config = resume_start / "phases.yaml"
    sets = ["training.phases[2].epochs=1", "training.schedule=constant"]
    short = cnnkit.train(config, overrides=sets, name="short", runs_folder=tmp_path)
    whole = cnnkit.train(config, overrides=sets[1:], name="whole", runs_folder=tmp_path)
    assert_same_run(cnnkit.resume(short.folder, overrides=["training.phases[2].epochs=3"]), whole)


def test_a_run_without_a_backup_and_early_stopping_say_what_to_do(resume_start, tmp_path):
    sets = ["training.epochs=5", "training.early_stopping.patience=1", "training.optimizer=sgd"]
    sets += ["training.optimizer.sgd.learning_rate=50.0", "training.monitor=train_loss"]
    run = cnnkit.train(resume_start / "plain.yaml", overrides=sets, runs_folder=tmp_path)
    done = len(history_of(run))
    assert done < 5
    with pytest.raises(UsageError, match=r"ended by early stopping.*patience=2 --allow-changed"):
        cnnkit.resume(run.folder, overrides=["training.epochs=9"])
    more = ["training.epochs=9", "training.early_stopping.patience=9"]
    with pytest.raises(UsageError, match=r"patience: 9 \(before 1\)"):
        cnnkit.resume(run.folder, overrides=more)
    allowed = ["training.early_stopping"]
    assert len(history_of(cnnkit.resume(run.folder, overrides=more, allow_changed=allowed))) > done
    gone = cnnkit.train(
        resume_start / "plain.yaml",
        overrides=["training.epochs=1", "training.keep_backup=false"],
        runs_folder=tmp_path,
    )
    assert not gone.backup.parent.exists()
    with pytest.raises(UsageError, match=r"training.npz is missing: training.keep_backup"):
        cnnkit.resume(gone.folder, overrides=["training.epochs=2"])


def test_a_damaged_backup_is_reported(cut_run):
    content = bytearray(cut_run.backup.read_bytes())
    weights = Backup.read(cut_run.backup).model[0].tobytes()
    content[content.index(weights)] ^= 255
    cut_run.backup.write_bytes(content)
    with pytest.raises(CnnkitError, match=r"training.npz is damaged"):
        cnnkit.resume(cut_run.folder)
    cut_run.backup.write_bytes(content[:1000])
    with pytest.raises(CnnkitError, match=r"training.npz is damaged"):
        cnnkit.resume(cut_run.folder)


def test_weights_without_a_backup_are_not_trained_over(cut_run):
    cut_run.backup.unlink()
    before = cut_run.best.read_bytes()
    with pytest.raises(UsageError, match=r"has weights, but .*training.npz is missing"):
        cnnkit.resume(cut_run.folder)
    assert cut_run.best.read_bytes() == before
    assert len(history_of(cut_run)) == 2


def test_two_processes_do_not_train_one_run(cut_run):
    with held(cut_run.lock), pytest.raises(UsageError, match="is being trained by another process"):
        cnnkit.resume(cut_run.folder)


# Holds a run as its training does, until it is killed.
_TRAINING = """
import sys, time
from pathlib import Path
from cnnkit.locks import held
from cnnkit.runs import Run

run = Run(Path(sys.argv[1]))
with held(run.lock), run.recording():
    print("training", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def in_training(cut_run):
    """Return a copy of `cut` that another process trains, newer than it, and that process."""
    run = Run(cut_run.folder.parent / "newer")
    shutil.copytree(cut_run.folder, run.folder)
    command = [sys.executable, "-c", _TRAINING, run.folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield run, process
        process.kill()


def test_without_a_name_the_newest_run_that_nobody_trains_is_resumed(cut_run, in_training):
    from cnnkit.training.resuming import run_to_resume

    run, process = in_training
    training = f"{run.folder} is being trained by process {process.pid}"
    notes = []
    assert run_to_resume(None, cut_run.folder.parent, notes.append) == cut_run
    assert notes == [f"Skipped {run.folder}: it is being trained by process {process.pid}."]
    shutil.rmtree(cut_run.folder)
    with pytest.raises(UsageError, match=f"No run in .* can be resumed: {training}. Wait until"):
        run_to_resume(None, cut_run.folder.parent, notes.append)
    with pytest.raises(UsageError, match=training):
        cnnkit.resume(run.folder)
    process.kill()
    process.wait()
    assert run_to_resume(None, cut_run.folder.parent, notes.append) == run


@pytest.mark.parametrize(
    ("name", "reason"),
    [("config.yaml", "before it had a config.yaml"), ("backup/training.npz", "npz is missing")],
)
def test_without_a_name_a_run_that_lacks_a_file_is_skipped(cut_run, name, reason):
    from cnnkit.training.resuming import run_to_resume

    broken = Run(cut_run.folder.parent / "broken")
    shutil.copytree(cut_run.folder, broken.folder)
    (broken.folder / name).unlink()
    broken.update(started="2999-01-01")
    notes = []
    assert run_to_resume(None, cut_run.folder.parent, notes.append) == cut_run
    assert notes[0].startswith(f"Skipped {broken.folder}: it ") and reason in notes[0]
    with pytest.raises(UsageError, match=f"{broken.folder} cannot be resumed: it .*{reason}"):
        run_to_resume(broken.folder, cut_run.folder.parent, notes.append)
    shutil.rmtree(cut_run.folder)
    with pytest.raises(UsageError, match="No run in .* can be resumed. Start a new one"):
        run_to_resume(None, cut_run.folder.parent, notes.append)


def test_the_command_line_resumes_a_run_and_takes_no_new_one(cut_run, tmp_path):
    def train(*words):
        command = ["train", "--runs-folder", str(tmp_path), "--resume", *words]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    wrong = train("cut", "--name", "other")
    assert wrong.exit_code == 2 and "it takes no CONFIG, --name" in wrong.stderr
    fewer = train("cut", "--epochs", "3")
    assert fewer.exit_code == 2 and "training.epochs: 3 (before 7)" in fewer.stderr
    new = CliRunner().invoke(main, ["train", "x.yaml", "--allow-changed", "data"])
    assert new.exit_code == 2 and "--allow-changed is for --resume" in new.stderr
    done = train("--json")
    assert done.exit_code == 0, done.stderr
    assert "continues after epoch 2" in done.stderr
    assert json.loads(done.stdout)["resumed"] == [2]

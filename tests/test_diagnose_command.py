"""`cnnkit diagnose`: on real runs, cross-validations and damaged folders, as text and as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from histories import BY_HEART
from places import CONFIGS

import cnnkit
from cnnkit.cli import main
from cnnkit.config import Config, config_from_text, dump_config, load_config
from cnnkit.files import write_csv
from cnnkit.runs import Run
from cnnkit.runs.fold_runs import FoldRuns
from cnnkit.training.diagnosis import changes
from cnnkit.training.diagnosis.phase_curves import PhaseCurves
from cnnkit.training.history import COLUMNS
from cnnkit.training.phases import phases_of
from configs import FULL, SMALL, WITH_BACKBONE


def _command(*words):
    return CliRunner().invoke(main, ["diagnose", *map(str, words)], catch_exceptions=False)


@pytest.fixture
def run(trained_run, tmp_path):
    """Return a copy of a finished run whose curves are those of overfitting on 300 images."""
    run = Run(tmp_path / "runs" / "by-heart")
    shutil.copytree(trained_run.folder, run.folder)
    write_csv(run.history, COLUMNS, BY_HEART)
    data = run.info()["data"]
    counts = {split: dict.fromkeys(sizes, 100) for split, sizes in data["counts"].items()}
    run.update(data={**data, "counts": counts})  # so many that chance does not explain a gap
    return run


def test_a_verdict_has_its_numbers_and_a_command_that_tries_the_first_change(run):
    done = _command(run.folder)
    assert done.exit_code == 0
    assert done.stdout.startswith("Overfitting since epoch 4\n")
    assert "    augmentation: [{random_rotation: 0.05}" in done.stdout
    assert f"cnnkit train {run.config} --set 'augmentation=[{{random_rot" in done.stderr


def test_the_json_is_one_document_whose_changes_the_config_of_the_run_accepts(run):
    done = _command(run.folder, "--json")
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["run"] == str(run.folder)
    options = [change["set"] for one in document["verdicts"] for change in one["changes"]]
    assert options
    for option in options:
        assert load_config(run.config, [option]) != load_config(run.config)


def test_a_run_of_six_epochs_on_few_images_is_called_that(trained_run):
    done = _command(trained_run.folder, "--json")
    names = [verdict["name"] for verdict in json.loads(done.stdout)["verdicts"]]
    assert names == ["still_improving", "validation_too_small"]


def test_python_gives_the_same_verdicts(run):
    verdicts = cnnkit.diagnose(run.name, run.folder.parent).verdicts
    document = json.loads(_command(run.folder, "--json").stdout)
    assert [verdict.as_dict() for verdict in verdicts] == document["verdicts"]


def test_it_needs_no_tensorflow_and_no_sklearn(run):
    code = (
        "import sys; from cnnkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print('HEAVY', [m for m in ('tensorflow', 'sklearn', 'scipy') if m in sys.modules])"
    )
    words = [sys.executable, "-c", code, "diagnose", str(run.folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_a_failed_training_is_told_with_what_to_change(run):
    run.update(status="failed", error="The loss became NaN or infinite in epoch 13 at step 1.")
    done = _command(run.folder)
    assert done.stdout.startswith("The loss became NaN or infinite in epoch 13\n")
    assert "training.optimizer.adam.learning_rate: 0.005 (now 0.05)" in done.stdout


def test_a_run_without_epochs_is_not_judged_by_its_curves(run):
    run.history.unlink()
    shutil.rmtree(run.folder / "evaluation")
    run.update(status="interrupted", metrics=None)
    done = _command(run.folder)
    assert done.exit_code == 0
    assert "Not judged: the curves, because no phase has three epochs." in done.stdout


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("history.csv", "epoch,phase\n1,one\n", "history.csv is damaged"),
        ("history.csv", "epoch,phase\n1,1\n", "a column is missing"),
        ("evaluation/validation/metrics.json", "{}", "cnnkit evaluate"),
        ("split.csv", "path,label\na,b\n", "split.csv is not as the run wrote it"),
    ],
)
def test_a_damaged_file_is_named(run, file, content, words):
    (run.folder / file).write_text(content)
    done = _command(run.folder)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_name_that_is_no_run_is_a_usage_error(tmp_path):
    done = _command("nothing", "--runs-folder", tmp_path)
    assert done.exit_code == 2
    assert "nothing is not a run folder" in done.stderr


def test_the_verdicts_on_folds_say_in_which_folds_they_hold(run, trained_run, tmp_path):
    folds = FoldRuns(tmp_path / "folds", 3, "photos")
    folds.folder.mkdir()
    folds.write()
    shutil.copytree(run.folder, folds.runs[0].folder)
    shutil.copytree(trained_run.folder, folds.runs[1].folder)
    done = _command(folds.folder)
    assert "1 of 2 folds (fold1):\nOverfitting since epoch 4\n" in done.stdout
    assert "1 of 2 folds (fold2):\n6 validation images are too few" in done.stdout
    assert "not trained: fold3" in done.stdout
    assert done.stderr.endswith("--name folds --folds 3\n")
    document = json.loads(_command(folds.folder, "--json").stdout)
    assert list(document["folds"]) == ["fold1", "fold2"]


def test_train_ends_with_the_most_important_verdicts(tiny_config, tmp_path, no_pictures):
    words = ["train", str(tiny_config), "--epochs", "1", "--runs-folder", str(tmp_path)]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.stderr.splitlines()[-1].startswith("diagnosis   6 validation images are too few")


# --- every suggested line, for every shipped config

_TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml"))}
_TEXTS |= {"small": SMALL, "full": FULL, "backbone": WITH_BACKBONE}


def _all_changes(config: Config):
    yield from changes.against_overfitting(config)
    yield from changes.larger_network(config)
    yield from changes.less_dropout(config)
    yield from changes.no_augmentation(config)
    yield changes.other_light(config)
    for number, phase in enumerate(phases_of(config), 1):
        curves = PhaseCurves(number, phase, ())
        yield changes.rate_change(config, number, 0.1)
        yield from changes.clipping(config, number)
        yield changes.rate_to(config, curves, 1e-3)
        yield changes.more_epochs(config, curves)
        yield changes.schedule_change(config, curves, "cosine")


@pytest.mark.parametrize("name", _TEXTS)
def test_the_config_accepts_every_change_that_can_be_suggested(name):
    config = config_from_text(_TEXTS[name])
    text = dump_config(config)
    for change in _all_changes(config):
        config_from_text(text, [change.option])

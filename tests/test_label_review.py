"""Probably mislabelled images: the numbers of cleanlab, and planted errors that are found."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import write_tiny_images
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnkit.cli import main
from cnnkit.data.corrected_labels import read_corrections
from cnnkit.label_review.confident_learning import confidently_other, self_confidence


@pytest.mark.filterwarnings("ignore")  # cleanlab warns of classes without images
@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(5, 60))
def test_scores_and_flags_are_those_of_cleanlab(seed, num_classes, num_images):
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(num_classes), random.integers(0, num_classes, num_images)])
    probabilities = random.dirichlet(np.full(num_classes, 0.4), len(labels))
    scores = get_label_quality_scores(labels, probabilities, method="self_confidence")
    ours = self_confidence(labels=labels, probabilities=probabilities)
    np.testing.assert_allclose(ours, scores, atol=1e-9)
    flagged = find_label_issues(
        labels, probabilities, filter_by="confident_learning", n_jobs=1, min_examples_per_class=0
    )
    assert confidently_other(labels=labels, probabilities=probabilities).tolist() == list(flagged)


def test_a_class_without_images_is_never_suggested_confidently():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.2, 0.7, 0.1]])
    assert confidently_other(labels=[0, 1], probabilities=probabilities).tolist() == [False, False]


_CONFIG = """
data: {source: images, image_size: 16, batch_size: 8, split: {validation: 0.2}}
model: {layers: [{conv: {filters: 4, kernel_size: 3, activation: relu}}, global_pool]}
training: {epochs: 15, optimizer: {adam: {learning_rate: 0.05}}}
"""


@pytest.fixture
def swapped(tmp_path, monkeypatch):
    """Return a config of three colours, 12 images each, of which one red image is in blue."""
    write_tiny_images(tmp_path / "images", images_per_class=12)
    (tmp_path / "images" / "red" / "0.png").rename(tmp_path / "images" / "blue" / "wrong.png")
    (tmp_path / "colours.yaml").write_text(_CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "colours.yaml"


def _first(file):
    with file.open() as stream:
        return next(csv.DictReader(stream))


@pytest.mark.slow
def test_a_planted_error_comes_first_and_is_corrected_by_the_filled_in_list(swapped, no_pictures):
    folder = swapped.parent
    words = ["data", "labels", str(swapped), "--folds", "3", "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["num_images"] == 36 and facts["method"] == "3 trainings"
    assert [row["path"] for row in facts["flagged"]] == ["blue/wrong.png"]
    file = folder / "colours.labels.csv"
    row = _first(file)
    assert (row["path"], row["label"], row["new_label"]) == ("blue/wrong.png", "blue", "")
    assert (row["suggestion"], row["flagged"]) == ("red", "yes")
    assert (folder / "colours.labels.png").stat().st_size > 0
    # Nothing was moved, and no run is left behind.
    assert (folder / "images" / "blue" / "wrong.png").exists() and not (folder / "runs").exists()
    file.write_text(file.read_text().replace(",blue,,red,", ",blue,red,red,", 1))
    assert read_corrections(str(file), ("blue", "red")) == {row["sha256"]: "red"}
    again = CliRunner().invoke(main, [*words, "--set", f"data.labels={file}"])
    assert again.exit_code == 2 and "is a file that this command reads" in again.stderr


def test_with_a_backbone_its_kept_features_are_used(swapped, trained_run, own_cache):
    text = swapped.read_text().replace(
        "model: {layers: [{conv: {filters: 4, kernel_size: 3, activation: relu}}, global_pool]}",
        f"model: {{backbone: {{run: {trained_run.folder}}}}}",
    )
    swapped.write_text(text)
    done = CliRunner().invoke(main, ["data", "labels", "colours.yaml"])
    assert done.exit_code == 0, done.stderr
    assert "5 folds on features of the backbone" in done.stdout
    assert _first(swapped.parent / "colours.labels.csv")["path"] == "blue/wrong.png"
    assert list((own_cache / "features").iterdir())


def test_lists_that_exist_are_not_replaced_unasked(swapped):
    (swapped.parent / "colours.labels.csv").write_text("mine")
    done = CliRunner().invoke(main, ["data", "labels", str(swapped)])
    assert done.exit_code == 2 and "--overwrite" in done.stderr
    assert (swapped.parent / "colours.labels.csv").read_text() == "mine"

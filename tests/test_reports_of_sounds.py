"""What evaluations, reports and model cards say of a run on sounds."""

from __future__ import annotations

import html
import re
import shutil

import pytest

from cnnkit.evaluation.evaluate_model import evaluate_model
from cnnkit.report.model_card import card_text
from cnnkit.report.run_facts import run_facts
from cnnkit.report.run_report import write_report
from cnnkit.runs import Run

pytest_plugins = ["sound_runs"]


@pytest.fixture
def run(tones_run, tmp_path):
    """Return a copy of the run, which tests may change."""
    shutil.copytree(tones_run.folder, tmp_path / "tones")
    return Run(tmp_path / "tones")


def test_a_model_card_speaks_of_sounds(tones_run):
    text = card_text(run_facts(tones_run))
    assert "pipeline_tag: audio-classification" in text and "type: audiofolder" in text
    assert "A classifier of sounds with 3 classes" in text
    assert "It is the picture of a sound, its spectrogram" in text
    assert 'model.predict(["sound.wav"])' in text
    assert not re.search(r"picture of the same kind|cameras|image\.jpg|image-classification", text)


def test_a_report_does_not_call_sounds_a_fault(run):
    text = html.unescape(write_report(run).path.read_text())
    assert "A classifier of sounds for 3 classes" in text
    assert "Sounds: 36 WAV files, read as pictures of their sound (spectrograms)." in text
    assert "What is wrong with them" not in text
    assert "cnnkit worsens pictures (noise, blur ...), but no sounds" in text


def test_an_evaluation_says_what_changes_of_pictures_mean_for_sounds(run, tmp_path):
    notes = []
    evaluate_model(run.folder, tmp_path, tta="flips", corruptions=True, note=notes.append)
    assert sum("is the sound backwards: --tta flips" in note for note in notes) == 1
    assert sum("--corruptions worsens the pictures of sounds" in note for note in notes) == 1
    text = html.unescape(write_report(run).path.read_text())
    assert "It is the pictures of the sounds that were worsened, not the sounds" in text


def test_an_evaluation_of_pictures_says_nothing_about_sounds(trained_run, tmp_path):
    notes = []
    evaluate_model(
        trained_run.folder, tmp_path, tta="flips", output=tmp_path / "scores", note=notes.append
    )
    assert not any("sound" in note for note in notes)

"""`cnnkit code` of WAV files: the script makes the pixels of cnnkit of them, and trains on them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from images import file_bytes, noise
from keras_scripts import module_of, run_alone
from kinds_of_sounds import kinds_of_sounds
from sounds import wav_tone, write_tones

import cnnkit
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import UsageError
from cnnkit.keras_script.write_script import keras_script
from cnnkit.runs import find_run

_TONES = """
data:
  source: SOURCE
  image_size: [32, 40]
  color_mode: COLOUR
  resize: RESIZE
  background: 90
  batch_size: 4
  split: {test: 0.25, validation: 0.25}
augmentation:
  - random_translation: {height_factor: 0.05, width_factor: 0.1, fill_mode: constant}
model: {layers: [conv: {filters: 4, kernel_size: 3, activation: relu}, global_pool]}
training: {epochs: 1, optimizer: {adam: {learning_rate: 0.01}}}
"""


@pytest.fixture
def config_of(tmp_path):
    """Return a function that writes a config of two tones; its words are those of `data`."""
    write_tones(tmp_path / "tones", {"low": 300, "high": 2_000})

    def write(colour="grayscale", resize="stretch"):
        text = _TONES.replace("SOURCE", str(tmp_path / "tones"))
        file = tmp_path / "tones.yaml"
        file.write_text(text.replace("COLOUR", colour).replace("RESIZE", resize))
        return file

    return write


@pytest.mark.parametrize("rate", [1_000, 8_000, 11_025, 22_050, 44_100, 96_000])
@pytest.mark.parametrize(
    "colour, resize", [("grayscale", "stretch"), ("rgb", "crop"), ("grayscale", "pad")]
)
def test_pixels_are_those_of_cnnkit(rate, colour, resize, config_of, tmp_path):
    script = module_of(keras_script(config_of(colour, resize)), tmp_path)
    settings = PixelSettings((32, 40), colour, resize, 90)
    for name, content in kinds_of_sounds(rate).items():
        (tmp_path / "sound.wav").write_bytes(content)
        expected = read_pixels(content, settings)
        found = script.sound_pixels(str(tmp_path / "sound.wav"))
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_a_script_of_sounds_is_formatted(config_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the script has the command, which must fit into a line
    file = Path("tones.py")
    for colour, resize in (("grayscale", "stretch"), ("rgb", "crop"), ("rgb", "pad")):
        file.write_text(keras_script(Path(config_of(colour, resize).name)))
        for command in (
            ["format", "--check", "--isolated"],
            ["check", "--isolated", "--select", "E,F,B,D1", "--line-length", "88"],
        ):
            words = [sys.executable, "-m", "ruff", *command, file]
            done = subprocess.run(words, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout


def test_a_script_of_sounds_trains_in_a_process_without_cnnkit(config_of, tmp_path):
    code = keras_script(config_of(), folder=tmp_path)
    assert "It needs: pip install tensorflow pillow scikit-learn scipy" in code
    (tmp_path / "tones.py").write_text(code)
    finished = run_alone(tmp_path / "tones.py", tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"accuracy: [01]\.\d{3} of 2 sounds", finished.stdout)


@pytest.mark.parametrize("content", [b"no sound", wav_tone(440)[:9_001]])
def test_a_broken_file_ends_the_script_and_is_named(config_of, tmp_path, content):
    (tmp_path / "tones.py").write_text(keras_script(config_of(), folder=tmp_path))
    for file in tmp_path.glob("tones/low/*.wav"):
        file.write_bytes(content)
    finished = run_alone(tmp_path / "tones.py", tmp_path)
    assert finished.returncode == 1
    assert re.search(r"low.[0-3]\.wav cannot be read: ", finished.stdout)


def test_a_script_of_a_run_reads_the_sounds_of_its_split(config_of, tmp_path):
    cnnkit.train(config_of(), runs_folder=tmp_path / "runs")
    run = find_run("tones", tmp_path / "runs")
    script = module_of(keras_script(run.folder, folder=tmp_path), tmp_path)
    files, labels = script.load_data()["test"]
    pixels, _ = next(iter(script.batches(files, labels)))
    settings = PixelSettings((32, 40), "grayscale")
    np.testing.assert_array_equal(pixels, [read_pixels(file, settings) for file in files])


def test_pictures_and_sounds_together_are_refused(config_of, tmp_path):
    file = config_of()
    (tmp_path / "tones" / "low" / "more.png").write_bytes(file_bytes(noise(40, 32)))
    reason = "data.source: 8 of 9 files are sounds (WAV). The script reads either"
    with pytest.raises(UsageError, match=re.escape(reason)):
        keras_script(file)

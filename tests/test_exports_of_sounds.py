"""Exports of a run on sounds: scripts without cnnkit read WAV files; what cannot says so."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from images import file_bytes, noise
from keras_scripts import module_of
from kinds_of_sounds import kinds_of_sounds
from sounds import wav_tone

import cnnkit
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.export import export_run
from cnnkit.export.image_bytes import pixels_function
from cnnkit.export.stand_alone_scripts import write_script

pytest_plugins = ["sound_runs"]

_SCRIPTS = ("keras", "onnx", "openvino", "saved_model", "tflite")


@pytest.fixture(scope="module")
def exported(tones_run, tmp_path_factory):
    """Return the folder of exports, and what the export said."""
    notes = []
    folder = tmp_path_factory.mktemp("sounds") / "export"
    return export_run(tones_run, output=folder, note=notes.append).folder, notes


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """Return what `predict_onnx.py` of a run on sounds defines."""
    folder = tmp_path_factory.mktemp("script")
    write_script(folder, "predict_onnx.py", has_sounds=True)
    return module_of((folder / "predict_onnx.py").read_text(), folder)


@pytest.mark.parametrize("rate", [1_000, 8_000, 11_025, 22_050, 44_100, 96_000])
@pytest.mark.parametrize(
    "colour, resize", [("grayscale", "stretch"), ("rgb", "crop"), ("grayscale", "pad")]
)
def test_pixels_of_a_script_are_those_of_cnnkit(rate, colour, resize, script, tmp_path):
    settings = PixelSettings((32, 40), colour, resize, 90)
    for name, content in kinds_of_sounds(rate).items():
        (tmp_path / "sound.wav").write_bytes(content)
        found = script.read_pixels(tmp_path / "sound.wav", settings.to_dict())
        np.testing.assert_array_equal(found, read_pixels(content, settings), err_msg=name)


def test_a_script_for_sounds_reads_pictures_too(script, tmp_path):
    (tmp_path / "noise.png").write_bytes(content := file_bytes(noise(50, 70)))
    settings = PixelSettings((32, 40), "grayscale")
    found = script.read_pixels(tmp_path / "noise.png", settings.to_dict())
    np.testing.assert_array_equal(found, read_pixels(content, settings))


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda wav: wav[:-1], "it is cut off"),
        (lambda wav: wav[:30], "it is cut off before its samples"),
        (lambda wav: wav[:20] + b"\x07" + wav[21:], "its samples are of a kind that this script"),
        (lambda wav: wav[:24] + bytes(4) + wav[28:], "it is damaged"),
        (lambda wav: wav[:40] + bytes(4), "it is damaged"),
    ],
)
def test_a_damaged_sound_is_refused_by_scripts(change, reason, script, tmp_path):
    (tmp_path / "sound.wav").write_bytes(change(wav_tone(440)))
    with pytest.raises(ValueError, match=f"^{reason}"):
        script.read_sound((tmp_path / "sound.wav").read_bytes())


def test_the_bytes_signature_says_that_it_reads_no_sounds():
    from cnnkit.backend import tf

    decode = pixels_function(PixelSettings((32, 40), "grayscale"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="A WAV file cannot be read here"):
        decode(tf.constant([wav_tone(440)]))


def _alone(script, *words):
    """Run a script in a process in which `import cnnkit` fails."""
    code = (
        "import runpy, sys; sys.modules['cnnkit'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, script, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", _SCRIPTS)
def test_each_script_gives_the_answers_of_predict_to_sounds(name, exported, tones_run, tmp_path):
    for number, content in enumerate(kinds_of_sounds(16_000).values()):
        (tmp_path / f"{number:02d}.wav").write_bytes(content)
    for tone in (200, 800, 3_200):
        (tmp_path / f"{tone}.wav").write_bytes(wav_tone(tone, seconds=0.35))
    (tmp_path / "noise.png").write_bytes(file_bytes(noise(40, 32)))
    paths = sorted(map(str, tmp_path.iterdir()))
    if name == "saved_model":
        paths = [path for path in paths if path.endswith(".wav")]
    done = _alone(exported[0] / f"predict_{name}.py", *paths)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    expected = cnnkit.load_run(tones_run.folder).predict(paths)
    assert [row[:2] for row in rows] == [[each.path, each.answer] for each in expected]
    found = [float(row[2]) for row in rows]
    np.testing.assert_allclose(found, [each.top(1)[0][1] for each in expected], atol=1e-4)
    assert {each.answer for each in expected} == {"low", "middle", "high"}


@pytest.mark.slow
@pytest.mark.parametrize("name", _SCRIPTS)
def test_each_script_says_in_a_sentence_which_file_is_cut_off(name, exported, tmp_path):
    (tmp_path / "sound.wav").write_bytes(wav_tone(440)[:2_000])
    done = _alone(exported[0] / f"predict_{name}.py", str(tmp_path / "sound.wav"))
    assert done.returncode == 1
    assert f"{tmp_path / 'sound.wav'} cannot be read: it is cut off" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_export_says_that_a_saved_model_reads_no_wav_files(exported):
    said = [note for note in exported[1] if note.startswith("saved_model: ")]
    assert len(said) == 1
    assert re.search(r"serving_bytes reads pictures but not WAV files", said[0])

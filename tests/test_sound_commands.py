"""Commands on folders of WAV files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import wave

import numpy as np
import pytest
from click.testing import CliRunner
from images import write_pictures
from places import SCRIPTS
from sounds import wav_tone, write_tones

import cnnkit
from cnnkit.cli import main
from cnnkit.config import load_config

sys.path.insert(0, str(SCRIPTS))
from draw_tones import PITCHES, draw_tone  # noqa: E402

pytest_plugins = ["sound_runs"]


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == exit_code, result.output
    return result


def test_a_training_says_that_there_are_sounds_and_predict_gives_the_same_answers(
    tones_run,
    tmp_path,
):
    data = tones_run.folder.parent / "sounds"
    notes = run("train", tones_run.config, "--runs-folder", tmp_path, "--epochs", 1).stderr
    assert "sounds: 36 WAV files, read as pictures of their sound (spectrograms)." in notes
    model = ("--model", tones_run.folder)
    evaluated = run("evaluate", *model[1:], "--split", "test", "--json")
    split = [line.split(",") for line in tones_run.split.read_text().splitlines()[1:]]
    tested = [(data / path, label) for path, label, part, _ in split if part == "test"]
    answers = run("predict", *(path for path, _ in tested), *model, "--json").stdout.splitlines()
    predicted = [json.loads(line)["prediction"] for line in answers]
    right = np.mean([answer == label for answer, (_, label) in zip(predicted, tested, strict=True)])
    assert right == pytest.approx(json.loads(evaluated.stdout)["accuracy"])


def test_a_folder_of_sounds_is_predicted_and_a_broken_one_is_named(tones_run, tmp_path):
    (tmp_path / "high.wav").write_bytes(wav_tone(3_200, 44_100, 0.4))
    (tmp_path / "cut.wav").write_bytes(wav_tone(800)[:5_000])
    (tmp_path / "song.mp3").write_bytes(b"ID3\x04" + bytes(50))
    result = run("predict", tmp_path, "--model", tones_run.folder, exit_code=1)
    assert "high.wav  high " in result.stdout
    assert "cut.wav" in result.stdout and "the file is cut off (32,000 bytes" in result.stdout
    ignored = (
        "Ignored: 1 sound of another format than WAV (song.mp3), which cannot be read; convert it"
    )
    assert ignored in result.stderr.replace(f"{tmp_path}{os.sep}", "")


def test_init_proposes_for_sounds_what_keeps_their_meaning(tmp_path):
    source = write_tones(tmp_path / "tones", {"low": 200, "high": 3_200}, 12)
    run("init", source, "-o", tmp_path / "tones.yaml")
    text = (tmp_path / "tones.yaml").read_text()
    config = load_config(tmp_path / "tones.yaml")
    assert config.data.image_size == (64, 48)  # the median sound has 44 columns
    assert (config.data.color_mode, config.data.resize) == ("grayscale", "stretch")
    assert config.model.backbone is None
    assert "flip:" not in text and "rotation:" not in text
    assert "A sound becomes a picture of it, its spectrogram: 64 rows" in text


def test_long_sounds_get_a_wide_image_but_not_an_endless_one(tmp_path):
    for name, hertz in (("a", 300), ("b", 600)):
        (tmp_path / "long" / name).mkdir(parents=True)
        for index in range(4):
            sound = wav_tone(hertz + index, seconds=6)
            (tmp_path / "long" / name / f"{index}.wav").write_bytes(sound)
    run("init", tmp_path / "long", "-o", tmp_path / "long.yaml")
    assert load_config(tmp_path / "long.yaml").data.image_size == (64, 128)
    comment = " ".join((tmp_path / "long.yaml").read_text().replace("#", " ").split())
    assert "Its 600 columns become 128, so what happens within 0.05 s is blurred." in comment


def test_sounds_among_pictures_are_counted(tmp_path):
    write_pictures(tmp_path / "photos", [(64, 100)])
    (tmp_path / "photos" / "cat" / "meow.wav").write_bytes(wav_tone(900))
    found = json.loads(run("data", "check", tmp_path / "photos", "--json").stdout)
    sounds = [each for each in found["findings"] if each["kind"] == "sound"]
    assert [each["paths"] for each in sounds] == [["cat/meow.wav"]]
    notes = run("init", tmp_path / "photos", "-o", tmp_path / "photos.yaml").stderr
    pictures = len(list((tmp_path / "photos").rglob("*.png")))
    assert f"1 WAV file and {pictures} pictures were opened" in notes
    assert "spectrogram" not in (tmp_path / "photos.yaml").read_text()


def test_a_sound_is_never_replaced(tones_run, tmp_path):
    sound = tmp_path / "high.wav"
    sound.write_bytes(wav_tone(3_200))
    plain = tmp_path / "recording"
    shutil.copy(sound, plain)
    for output in (sound, plain):
        more = ("--model", tones_run.folder, "--output", output, "--overwrite")
        run("predict", sound, *more, exit_code=2)
        assert output.read_bytes() == wav_tone(3_200)


def test_sounds_are_explained_and_filtered_like_pictures(tones_run, tmp_path):
    sound = tmp_path / "high.wav"
    sound.write_bytes(wav_tone(3_200))
    run("explain", sound, "--model", tones_run.folder, "-o", tmp_path / "explained")
    assert (tmp_path / "explained" / "high" / "explanation.png").is_file()
    filtered = run("kernels", sound, "--kernel", "sobel_y", "-o", tmp_path / "edges.png")
    assert "high.wav, 64 x 100 x 3" in filtered.stdout


def test_the_python_interface_takes_sounds(tones_run):
    (answer,) = cnnkit.load_run(tones_run.folder).predict([wav_tone(200, seconds=0.5)])
    assert answer.error is None and answer.top(1)[0][0] == "low"


def test_drawn_tones_are_the_same_each_time_and_no_class_is_louder_or_higher(tmp_path):
    loudness, pitch = {}, {}
    for name in PITCHES:
        sounds = [draw_tone(name, np.random.default_rng((0, index))) for index in range(30)]
        again = draw_tone(name, np.random.default_rng((0, 0)))
        assert np.array_equal(sounds[0], again)
        loudness[name] = np.mean([np.abs(sound.astype(int)).max() for sound in sounds])
        spectra = [np.abs(np.fft.rfft(sound)) for sound in sounds]
        pitch[name] = np.median([spectrum[100:2_000].argmax() + 100 for spectrum in spectra])
    assert max(loudness.values()) / min(loudness.values()) < 1.1
    assert max(pitch.values()) / min(pitch.values()) < 1.6


def test_the_script_writes_wav_files_of_one_second(tmp_path, monkeypatch, capsys):
    import draw_tones

    monkeypatch.setattr(sys, "argv", ["draw_tones.py", str(tmp_path / "tones"), "--each", "2"])
    draw_tones.main()
    assert "12 sounds in" in capsys.readouterr().out
    files = sorted((tmp_path / "tones").rglob("*.wav"))
    assert [file.parent.name for file in files[::2]] == sorted(PITCHES)
    with wave.open(str(files[0])) as file:
        assert (file.getframerate(), file.getnframes(), file.getnchannels()) == (16_000, 16_000, 1)
    with pytest.raises(SystemExit, match="exists already"):
        draw_tones.main()

"""WAV files are read as their spectrograms, with the samples that SciPy reads."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from scipy.fft import rfft
from scipy.io import wavfile
from scipy.signal import get_window
from sounds import sine, wav_bytes, wav_tone, whole_numbers

from cnnkit.data.decoding import spectrograms
from cnnkit.data.decoding.image_formats import image_extensions, open_image
from cnnkit.data.decoding.spectrograms import BANDS, spectrogram
from cnnkit.data.pixels import PixelSettings, read_pixels
from cnnkit.errors import ImageError

RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000)
WAV_FILES = sorted((Path(scipy.io.__file__).parent / "tests" / "data").glob("*.wav"))


def picture_of(data):
    """Return the pixels (64, num_columns) of a WAV file in its own size."""
    return np.asarray(open_image(data))


def mel(hertz):
    return 2595 * np.log10(1 + hertz / 700)


def band_of(hertz):
    """Return the row of the band whose middle is nearest to a pitch."""
    middles = np.linspace(mel(50), mel(14_000), BANDS + 2)[1:-1]
    return BANDS - 1 - int(np.abs(middles - mel(hertz)).argmin())


def plain_spectrogram(samples, rate):
    """Compute a spectrogram with SciPy's transform and window, one column and band at a time."""
    window, hop = round(0.032 * rate), round(rate / 100)
    length = 1
    while length < 2 * window:
        length *= 2
    edges = np.linspace(mel(50), mel(14_000), BANDS + 2)
    power = []
    for middle in range(0, len(samples), hop):
        piece = np.zeros(window)
        for index in range(window):
            position = middle - window // 2 + index
            if 0 <= position < len(samples):
                piece[index] = samples[position]
        bins = abs(rfft(piece * get_window("hann", window), length)) ** 2
        column = np.zeros(BANDS)
        for number, value in enumerate(bins):
            pitch = mel(number * rate / length)
            for band in range(BANDS):
                low, centre, high = edges[band : band + 3]
                share = min((pitch - low) / (centre - low), (high - pitch) / (high - centre))
                column[band] += max(0, share) * value
        power.append(column[::-1])
    power = np.array(power).T
    decibels = np.maximum(10 * np.log10(np.maximum(power / power.max(), 1e-30)), -80)
    return np.rint(255 * (decibels + 80) / 80).astype(np.uint8)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100])
def test_a_spectrogram_is_what_plain_loops_compute(rate):
    random_numbers = np.random.default_rng(0).normal(0, 0.1, rate // 20)
    samples = sine(900, rate, 0.05) + random_numbers
    assert np.array_equal(spectrogram(samples, rate), plain_spectrogram(samples, rate))


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000])
def test_the_bands_are_those_of_tensorflow(rate):
    import tensorflow as tf

    weights = spectrograms._mel_weights(rate)
    theirs = tf.signal.linear_to_mel_weight_matrix(
        BANDS, len(weights), rate, 50.0, 14_000.0, dtype=tf.float64
    )
    np.testing.assert_allclose(weights, theirs, atol=1e-10)


@pytest.mark.parametrize(
    ("hertz", "rate"),
    # A sample rate holds frequencies up to its half.
    [
        (hertz, rate)
        for hertz in (100, 440, 1_000, 3_500, 10_000)
        for rate in RATES
        if hertz < rate / 2
    ],
)
def test_a_tone_lights_its_row_at_every_sample_rate(hertz, rate):
    picture = picture_of(wav_tone(hertz, rate))
    assert picture.shape == (64, 1 + (rate - 1) // round(rate / 100))
    assert picture[:, 50].argmax() == band_of(hertz)
    assert picture[band_of(hertz), 2:-2].min() > 240


def test_higher_tones_are_higher_up_and_later_ones_further_right():
    low_then_high = np.concatenate([sine(300), sine(3_000)])
    picture = spectrogram(low_then_high, 16_000)
    rows = picture.argmax(axis=0)
    assert set(rows[10:90]) == {band_of(300)} and set(rows[110:190]) == {band_of(3_000)}
    assert band_of(3_000) < band_of(300)


def test_neither_volume_nor_sample_rate_changes_much():
    loud = spectrogram(sine(440), 16_000)
    assert np.array_equal(loud, spectrogram(sine(440) / 1_000, 16_000))
    other = spectrogram(sine(440, 48_000), 48_000)
    assert np.abs(loud[:, 5:95].astype(int) - other[:, 5:95]).mean() < 3


def test_half_of_the_amplitude_is_6_decibels():
    picture = spectrogram(np.concatenate([sine(440), sine(440) / 2]), 16_000)
    row = picture[band_of(440)].astype(float)
    assert row[50] - row[150] == pytest.approx(255 * 20 * np.log10(2) / 80, abs=1)


def test_silence_is_black():
    assert not picture_of(wav_bytes(np.zeros(4_000, np.int16))).any()
    assert not picture_of(wav_bytes(np.full(4_000, 128, np.uint8))).any()


@pytest.mark.filterwarnings("ignore::scipy.io.wavfile.WavFileWarning")
@pytest.mark.parametrize("path", WAV_FILES, ids=lambda path: path.name)
def test_the_wav_files_of_scipy_are_read_like_there_or_refused_with_a_reason(path):
    data = path.read_bytes()
    readable = {"1ch-4bytes.", "2ch-1byteu", "le-3ch-5S-24bit.", "32bit-float-le", "wavex"}
    readable |= {"20bit-extra", "9S-12bit", "9S-5bit"}
    if not any(part in path.name for part in readable) or "-be-" in path.name:
        with pytest.raises(ImageError, match="cut off|cannot be read"):
            open_image(data)
        return
    rate, samples = wavfile.read(io.BytesIO(data))
    samples = samples - 128.0 if samples.dtype == np.uint8 else samples.astype(float)
    mono = samples.reshape(len(samples), -1).mean(axis=1)
    expected = spectrogram(mono, rate)
    assert np.abs(expected.astype(int) - picture_of(data)).max() <= 1  # float32 samples


def test_all_types_of_samples_give_the_same_picture():
    tone = 0.5 * sine(700) + 0.1 * sine(2_000)
    of_16_bits = picture_of(wav_bytes(whole_numbers(tone))).astype(int)
    for samples in (whole_numbers(tone, np.int32), tone.astype(np.float32), tone):
        assert np.abs(picture_of(wav_bytes(samples)) - of_16_bits)[of_16_bits > 40].max() <= 2
    coarse = picture_of(wav_bytes(whole_numbers(tone, np.uint8))).astype(int)
    assert np.abs(coarse - of_16_bits)[of_16_bits > 150].max() <= 2


def test_the_channels_are_averaged():
    left, right = whole_numbers(0.5 * sine(500)), whole_numbers(0.5 * sine(2_500))
    stereo = picture_of(wav_bytes(np.stack([left, right], axis=1)))
    both = (left.astype(float) + right) / 2
    assert np.abs(stereo.astype(int) - spectrogram(both, 16_000)).max() <= 1


def header(tag=1, channels=1, rate=16_000, frame_bytes=2, size=8_000, chunks=b""):
    """Return the beginning of a WAV file."""
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame_bytes, frame_bytes, 16)
    body = b"WAVE" + chunks + b"fmt " + struct.pack("<I", 16) + form
    return b"RIFF" + struct.pack("<I", 1 << 20) + body + b"data" + struct.pack("<I", size)


def test_other_chunks_are_passed_over_also_those_of_an_odd_length():
    tone = whole_numbers(sine(440, seconds=0.25)).tobytes()
    text = b"LIST" + struct.pack("<I", 5) + b"notes\0"
    assert np.array_equal(picture_of(header(chunks=text) + tone), picture_of(header() + tone))


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_file_that_was_written_into_a_pipe_is_read_to_its_end(size):
    tone = whole_numbers(sine(440, seconds=0.25)).tobytes()
    assert np.array_equal(picture_of(header(size=size) + tone), picture_of(header() + tone))


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (header()[:20], "truncated", "the file is cut off before its samples (20 bytes)"),
        (
            header() + bytes(7_000),
            "truncated",
            "the file is cut off (8,000 bytes of samples expected, 7,000 found)",
        ),
        (header(size=0), "damaged", "the sound is empty: its header says 0 samples"),
        (header(6) + bytes(8_000), "unread_format", "it is a WAV file with A-law samples, which"),
        (header(0x161) + bytes(8_000), "unread_format", "compressed (type 353) samples"),
        (
            header(channels=3, frame_bytes=4) + bytes(8_000),
            "unread_format",
            "it is a WAV file with 4 bytes for 3 channels, which cannot be read; expected 1 to 4",
        ),
        (header(channels=0) + bytes(8_000), "unread_format", "2 bytes for 0 channels"),
        (
            header(rate=2_000_000_000) + bytes(8_000),
            "damaged",
            "its header says 2,000,000,000 samples per second; expected 1,000 to 384,000",
        ),
        (
            header(rate=1_000, size=1_300_000) + bytes(1_300_000),
            "too_large",
            "the sound takes 650 seconds, at most 600 are read; cut it into pieces",
        ),
        (
            wav_bytes(np.array([0.5, np.nan, 0.1] * 100, np.float32)),
            "damaged",
            "some of its samples are no numbers (NaN), infinite or above 3e38",
        ),
        (wav_bytes(np.array([0.5, 1e300, 0.1] * 100)), "damaged", "infinite or above 3e38"),
        (b"ID3\x04" + bytes(100), "unread_format", "it is a sound of another format than WAV"),
        (b"fLaC" + bytes(100), "unread_format", "convert it, for example with `ffmpeg"),
    ],
)
def test_why_a_sound_cannot_be_read(data, kind, reason):
    with pytest.raises(ImageError) as error:
        read_pixels(data, PixelSettings((64, 96)))
    assert reason in str(error.value)
    assert error.value.kind == kind


def test_damaged_sounds_are_refused_or_read_but_never_break_anything():
    chance = random.Random(0)
    whole = wav_tone(440, seconds=0.2)
    for _ in range(2_000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(60 if chance.random() < 0.8 else len(data))] = chance.randrange(
                256
            )
        data = bytes(data[: chance.choice([len(data), chance.randrange(1, len(data))])])
        try:
            pixels = read_pixels(data, PixelSettings((32, 48), "grayscale"))
        except ImageError as error:
            assert str(error)
        else:
            assert pixels.shape == (32, 48, 1)


def test_a_wav_file_is_an_image_by_its_name_and_by_its_content():
    assert ".wav" in image_extensions()
    image = open_image(wav_tone(440, seconds=0.5))
    assert (image.format, image.size, image.mode) == ("WAV", (50, 64), "L")


def test_a_sound_is_resized_like_a_picture():
    data = wav_tone(440, seconds=0.5)
    pixels = read_pixels(data, PixelSettings((32, 100), "grayscale"))
    assert np.array_equal(pixels[..., 0], np.asarray(open_image(data).resize((100, 32), 2)))
    colours = read_pixels(data, PixelSettings((32, 100)))
    assert np.array_equal(colours, np.repeat(pixels, 3, axis=2))


def test_no_scipy_is_needed():
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from cnnkit.data.pixels import PixelSettings, read_pixels\n"
        "print(read_pixels(sys.stdin.buffer.read(), PixelSettings((64, 96))).shape)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=wav_tone(440), capture_output=True, check=True)
    assert done.stdout.strip() == b"(64, 96, 3)"

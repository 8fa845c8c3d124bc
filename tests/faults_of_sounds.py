"""Faults of sounds, each with what `cnnkit data check` has to find."""

from __future__ import annotations

from healthy_folders import fault, put
from sounds import wav_tone


@fault(("sound", "cat/x.wav"))
def long_tone(folder):
    put(folder, "cat/x.wav", wav_tone(440, seconds=5))


@fault(("sound", "cat/x.wav"), image_size=(64, 96))
def short_tone(folder):
    put(folder, "cat/x.wav", wav_tone(440, seconds=0.1))


@fault(("constant", "cat/x.wav"), ("sound", "cat/x.wav"))
def silence(folder):
    put(folder, "cat/x.wav", wav_tone(0))


@fault(("sound", "cat/x.wav"), ("sound", "dog/x.wav"))
def spectrograms_that_look_alike(folder):
    put(folder, "cat/x.wav", wav_tone(440))
    put(folder, "dog/x.wav", wav_tone(440, seconds=0.98))


@fault(("sound", "cat/x.wav"), ("sound", "dog/x.wav"), ("sample_rates", "cat", "dog"))
def a_rate_per_class(folder):
    put(folder, "cat/x.wav", wav_tone(440, 16_000))
    put(folder, "dog/x.wav", wav_tone(900, 44_100))


@fault(("sound", "cat/x.wav"), ("sound", "dog/x.wav"))
def rates_that_fill_all_bands(folder):
    put(folder, "cat/x.wav", wav_tone(440, 48_000))
    put(folder, "dog/x.wav", wav_tone(900, 44_100))


@fault(("truncated", "cat/x.wav"))
def half_a_sound(folder):
    put(folder, "cat/x.wav", wav_tone(440)[:9000])

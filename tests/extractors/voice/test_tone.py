"""Pitch and loudness: a sound of known pitch and known steps of level is told in hertz and decibels."""

from __future__ import annotations

import numpy as np
import pytest

from extractors.records import Sound, Span, Track
from extractors.voice.features import COLUMNS, RATE, describe_voice
from extractors.voice.tone import read_tone


def buzz(hertz: float, seconds: float, level: float) -> np.ndarray:
    """Ten harmonics of a pitch, with the root mean square given."""
    time = np.arange(int(seconds * RATE)) / RATE
    waves = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 11))
    return (level * waves / np.sqrt(np.mean(waves**2))).astype(np.float32)


@pytest.fixture(scope="module")
def track() -> Track:
    """1 s at 120 Hz, 1 s an octave higher and 12 dB quieter, 1 s of noise, 1 s in which nobody speaks."""
    hiss = 0.05 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    samples = np.concatenate([buzz(120, 1, 0.2), buzz(240, 1, 0.05), hiss, buzz(300, 1, 0.1)])
    return describe_voice(Sound(samples), [Span(0.0, 3.0)])


def test_pitch_is_in_hertz_where_the_voice_is_voiced(track: Track) -> None:
    pitch, _ = read_tone(track, 20, 0.2)
    assert pitch[1:4] == pytest.approx(120, rel=0.02)
    assert pitch[6:9] == pytest.approx(240, rel=0.02)
    assert np.isnan(pitch[11:]).all()


def test_loudness_is_in_decibels_beside_the_speech_as_a_whole(track: Track) -> None:
    _, loudness = read_tone(track, 20, 0.2)
    assert np.isnan(loudness[15:]).all()
    assert np.median(loudness[1:4]) - np.median(loudness[6:9]) == pytest.approx(12.04, abs=0.3)
    power = 10 ** (loudness[:15] / 10)
    assert 10 * np.log10(power.mean()) == pytest.approx(0, abs=0.5)


def test_ticks_of_another_length_and_past_the_end(track: Track) -> None:
    pitch, loudness = read_tone(track, 12, 0.5)
    assert pitch[0] == pytest.approx(120, rel=0.02)
    assert np.isfinite(loudness[:6]).all()
    assert np.isnan(np.concatenate([pitch[8:], loudness[8:]])).all()


def test_another_track_is_refused() -> None:
    nothing = Track(
        np.zeros((1, 1), np.float32), np.zeros(1), np.ones(1), np.ones(1, np.float32), ("embedding",)
    )
    with pytest.raises(ValueError, match="the column pitch_mean, got 1 others"):
        read_tone(nothing, 5, 0.2)
    assert "pitch_mean" in COLUMNS

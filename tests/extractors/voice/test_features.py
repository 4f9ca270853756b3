from __future__ import annotations

import numpy as np
import pytest

from extractors.records import Sound, Span
from extractors.voice import features as voice
from extractors.voice.features import COLUMNS, describe_voice, spoken_frames, voice_features
from extractors.voice.vad import find_speech
from tests.clips import RATE, make_sound, speech

READING = speech()[: 4 * RATE]


def column(values: np.ndarray, name: str) -> np.ndarray:
    return values[:, COLUMNS.index(name)]


def buzz(hertz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 8)).astype(np.float32) * np.float32(
        0.1
    )


def test_one_row_a_hop_with_the_share_of_speech() -> None:
    track = describe_voice(Sound(READING[: round(1.7 * RATE)], start=0.4), [Span(0.9, 1.1), Span(1.4, 1.45)])
    assert track.values.shape == (9, len(track.columns)) == (9, len(COLUMNS) + 10)
    assert list(track.start) == pytest.approx(0.4 + 0.2 * np.arange(9))
    assert track.end[-1] == pytest.approx(2.1)
    assert list(track.confidence[:6]) == pytest.approx([0, 0, 0.5, 0.5, 0, 0.25], abs=1e-6)


@pytest.mark.parametrize("volume", [0.5, 0.1, 2.0])
def test_the_volume_changes_nothing(volume: float) -> None:
    loud, quiet = Sound(READING), Sound(READING * np.float32(volume))
    first = describe_voice(loud, find_speech(loud)).values
    second = describe_voice(quiet, find_speech(loud)).values
    assert second == pytest.approx(first, abs=1e-2)
    assert np.abs(second - first).mean() < 1e-4


@pytest.mark.parametrize("hertz", [80, 120, 220, 400])
def test_pitch_and_voicing_of_a_voice_like_tone(hertz: int) -> None:
    values = voice_features(buzz(hertz))
    assert 100 * 2 ** column(values, "pitch_mean")[1:4] == pytest.approx(hertz, rel=0.01)
    assert column(values, "voicing_mean")[1:4].min() > 0.9


def test_noise_is_unvoiced_flat_and_high() -> None:
    noise, tone = voice_features(make_sound("noise", 1.0)), voice_features(buzz(120))
    assert column(noise, "voicing_mean").max() < 0.4
    assert column(noise, "flatness_mean").mean() > column(tone, "flatness_mean").mean() + 1
    assert column(noise, "centroid_mean").mean() > column(tone, "centroid_mean").mean() + 1


def test_loudness_within_the_clip_is_kept() -> None:
    sound = np.concatenate([buzz(120), 0.1 * buzz(120)]).astype(np.float32)
    level = column(voice_features(sound), "level_mean")
    assert level[2] - level[7] == pytest.approx(1.0, abs=0.05)  # a factor of 10


def test_a_mel_band_holds_its_tone() -> None:
    low, high = (column_of_loudest(voice_features(make_tone(f))) for f in (300, 3000))
    assert low < 12 < 22 < high


def make_tone(hertz: float) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)


def column_of_loudest(values: np.ndarray) -> int:
    return int(np.argmax(values[2, : voice.MELS]))


def test_long_sound_is_measured_in_blocks_that_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = voice_features(READING)
    monkeypatch.setattr(voice, "BLOCK", 60)
    assert voice_features(READING) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 100, 3199, 3200, 3201])
def test_any_length(count: int) -> None:
    values = voice_features(READING[RATE : RATE + count])
    assert values.shape == (-(-count // 3200), len(COLUMNS))
    assert np.isfinite(values).all()


def test_digital_silence_is_finite_and_unvoiced() -> None:
    values = voice_features(np.zeros(RATE, np.float32))
    assert np.isfinite(values).all()
    assert column(values, "voicing_mean").max() < 0.1


def test_speech_describes_a_hop_that_it_fills_in_part() -> None:
    sound = np.concatenate([np.zeros(1600, np.float32), buzz(200, 0.1), np.zeros(3200, np.float32)])
    part = voice_features(sound, spoken_frames(len(sound), [Span(0.1, 0.2)]))
    full = voice_features(buzz(200, 0.2))
    assert column(part, "level_mean")[0] == pytest.approx(column(full, "level_mean")[0], abs=0.1)


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="8000"):
        describe_voice(Sound(np.zeros(8000, np.float32), rate=8000), ())


@pytest.mark.parametrize(
    ("seconds", "speech"),
    [
        (44.0, (Span(0.7, 9.0), Span(11.3, 31.0), Span(31.4, 43.9))),
        (21.1, (Span(0.5, 20.0),)),
        (3.0, (Span(1.0, 1.002),)),
    ],
    ids=["several blocks", "a part of a hop at the end", "hardly any speech"],
)
def test_it_is_told_how_far_the_voice_is_described(seconds: float, speech: tuple[Span, ...]) -> None:
    sound, told = Sound(make_sound("speech", seconds), start=0.5), list[float]()
    track = describe_voice(sound, speech, progress=told.append)
    np.testing.assert_array_equal(track.values, describe_voice(sound, speech).values)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    assert max(np.diff([0.0, *told])) <= 0.5


def test_describing_stops_where_it_is_told() -> None:
    told: list[float] = []

    def refuse(fraction: float) -> None:
        told.append(fraction)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        describe_voice(Sound(make_sound("speech", 25.0)), (Span(0.0, 25.0),), progress=refuse)
    assert len(told) == 1
    assert told[0] < 0.2


def test_no_samples_are_no_hops() -> None:
    assert describe_voice(Sound(np.zeros(0, np.float32)), ()).values.shape == (0, 140)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extractors.voice import hearing
from tests.clips import RATE, speech

READING = speech()[: 2 * RATE]


def test_frames_of_24_ms_from_every_layer() -> None:
    frames = hearing.listen(READING)
    assert frames.shape[1:] == (4, 288)
    assert abs(len(frames) - len(READING) / hearing.FRAME) < 3
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("samples", [0, 1, 500, 1023])
def test_too_little_to_hear_is_no_frame(samples: int) -> None:
    assert hearing.listen(READING[:samples]).shape == (0, 4, 288)


def test_the_least_sound_is_heard() -> None:
    assert len(hearing.listen(READING[: hearing.LEAST])) >= 1


def test_the_recogniser_still_works_beside_it() -> None:
    from extractors.records import Sound
    from extractors.voice.vad import find_speech
    from extractors.words.recognition import recognise

    sound = Sound(speech()[: 4 * RATE])
    hearing.listen(READING)
    assert len(recognise(sound, find_speech(sound)).words) > 3


def test_a_frame_is_centred_where_it_says() -> None:
    """The convolutions' output changes only around a click, whose place the frame's centre must tell."""
    quiet = 0.01 * np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    click = quiet.copy()
    click[8000:8040] += 0.1
    change = np.abs(hearing.listen(click)[:, 0] - hearing.listen(quiet)[:, 0]).sum(axis=1)
    centre = hearing.FIRST + hearing.FRAME * np.arange(len(change))
    assert abs(np.average(centre, weights=change**4) - 8020) < hearing.FRAME


def test_hops_take_their_own_spoken_frames() -> None:
    frames = np.arange(20, dtype=np.float32).reshape(20, 1, 1) * np.ones((1, 2, 3), np.float32)
    centre = hearing.FIRST + hearing.FRAME * np.arange(20)
    spoken = np.zeros(40, bool)
    spoken[: centre[3] // 160 + 1] = True
    mean, deviation = hearing.pool(frames, spoken, 0, 2, 3200)
    later = np.flatnonzero(centre // 3200 == 1)
    assert mean[0] == pytest.approx(np.arange(4).mean())
    assert deviation[0] == pytest.approx(np.arange(4).std())
    assert mean[1] == pytest.approx(later.mean())


def test_a_hop_without_a_frame_repeats_the_last() -> None:
    mean, _ = hearing.pool(np.full((2, 1, 1), 7, np.float32), np.ones(60, bool), 0, 3, 3200)
    assert mean[:, 0, 0].tolist() == [7, 7, 7]


def test_a_wheel_without_the_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match=r"pip install moonshine-voice==0\.0\.73"):
        hearing.model_file.__wrapped__()


def test_the_file_is_in_the_wheel() -> None:
    assert Path(hearing.model_file()).stat().st_size > 1_000_000
    assert len(hearing.fingerprint()) == 64

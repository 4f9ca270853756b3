from __future__ import annotations

import numpy as np
import pytest

from extractors.training import augment_voice
from tests.clips import RATE, speech

READING = speech()[: 2 * RATE]


def power(samples: np.ndarray, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(spectrum[(hertz >= low) & (hertz < high)].sum())


@pytest.mark.parametrize("seed", range(12))
def test_a_version_is_whole_and_the_same_again(seed: int) -> None:
    first, pace = augment_voice.vary(READING, np.random.default_rng(seed))
    again, _ = augment_voice.vary(READING, np.random.default_rng(seed))
    assert np.array_equal(first, again)
    assert np.isfinite(first).all()
    assert first.dtype == np.float32
    assert len(first) * pace == pytest.approx(len(READING), abs=50)


def test_versions_differ() -> None:
    versions = [augment_voice.vary(READING, np.random.default_rng(s))[0][:8000] for s in range(6)]
    assert all(np.abs(a - b).max() > 1e-4 for i, a in enumerate(versions) for b in versions[:i])


def test_speed_moves_the_pitch_and_pace_does_not() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE).astype(np.float32)
    faster, sooner = augment_voice.resample(tone, 1.1), augment_voice.stretch(tone, 1.1)
    assert len(faster) == pytest.approx(len(sooner), abs=50)
    assert power(faster, 215, 225) > 0.9 * power(faster, 0, 8000)
    assert power(sooner, 195, 205) > 0.9 * power(sooner, 0, 8000)


def test_noise_has_the_power_it_should() -> None:
    noisy = augment_voice.add_noise(READING, 10, np.random.default_rng(0))
    ratio = np.mean(np.square(READING)) / np.mean(np.square(noisy - READING))
    assert 10 * np.log10(ratio) == pytest.approx(10, abs=0.1)


def test_bands_keep_what_is_inside() -> None:
    dull, line = augment_voice.band(READING, None, 2000), augment_voice.band(READING, 300, 3400)
    assert power(dull, 3000, 8000) < 0.01 * power(READING, 3000, 8000)
    assert power(dull, 100, 1500) == pytest.approx(power(READING, 100, 1500), rel=0.05)
    assert power(line, 0, 150) < 0.01 * power(READING, 0, 150)


@pytest.mark.parametrize("codec", augment_voice.CODECS, ids=lambda c: c[1])
def test_codecs_give_the_same_sound_worse(codec: tuple[str, str, int]) -> None:
    back = augment_voice.code(READING, *codec)
    assert back.shape == READING.shape
    assert 0.8 < np.corrcoef(back, READING)[0, 1] < 0.9999


def test_an_echo_comes_after() -> None:
    click = np.zeros(RATE, np.float32)
    click[4000] = 1
    heard = augment_voice.reverberate(click, 0.3, np.random.default_rng(0))
    assert np.abs(heard[:3990]).max() < 1e-5
    assert np.square(heard[4001:8000]).sum() > 10 * np.square(heard[8000:12000]).sum() > 0

"""Sounds in which nobody speaks, made on the spot and seeded: noise of every colour, music, claps and hums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE = 16_000


def noise(count: int, slope: float) -> Samples:
    """Noise whose power goes with frequency to the power `slope`: 0 white, -1 pink, -2 brown, 1 blue, 2 violet."""
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    frequency[0] = frequency[1]
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=count)) * frequency ** (slope / 2)
    samples = np.fft.irfft(spectrum, count)
    return _level(samples / (4 * samples.std()))


def chords(count: int, a_second: float = 2.0) -> Samples:
    """Three notes with six overtones and vibrato, struck and dying away, in turn."""
    found = np.zeros(count)
    played = [[220, 277, 330], [196, 247, 294], [175, 220, 262], [262, 330, 392]]
    for i, begin in enumerate(range(0, count, round(RATE / a_second))):
        time = np.arange(min(round(1.5 * RATE / a_second), count - begin)) / RATE
        loudness = np.minimum(time / 0.02, 1) * np.exp(-2.5 * time)
        for note in played[i % 4]:
            for part in range(1, 7):
                wave = np.sin(2 * np.pi * note * part * time + 0.3 * np.sin(10 * np.pi * time))
                found[begin : begin + len(time)] += loudness * wave / part**1.5
    return _level(found)


def melody(count: int) -> Samples:
    """One line in the range of a voice, with vibrato and swelling three times a second."""
    time = np.arange(count) / RATE
    notes = np.array([220, 247, 262, 294, 330, 294, 262, 247])[(3 * time).astype(int) % 8]
    phase = 2 * np.pi * np.cumsum(notes * (1 + 0.01 * np.sin(11 * np.pi * time))) / RATE
    swell = 0.6 + 0.4 * np.sin(6 * np.pi * time)
    return _level(swell * (np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)))


def claps(count: int, a_second: float = 2.0) -> Samples:
    """Short bursts of noise, not quite regular."""
    generator = np.random.default_rng(0)
    found = np.zeros(count)
    for begin in range(0, count - RATE, round(RATE / a_second)):
        at = begin + int(0.3 * generator.random() * RATE / a_second)
        length = min(1600, count - at)
        found[at : at + length] += generator.normal(size=length) * np.exp(-np.arange(length) / 200)
    return _level(found)


def drums(count: int) -> Samples:
    """A bass drum and a snare in turn, four a second."""
    generator = np.random.default_rng(0)
    found = np.zeros(count)
    for i, begin in enumerate(range(0, count, RATE // 4)):
        time = np.arange(min(RATE // 4, count - begin)) / RATE
        bass = np.sin(2 * np.pi * (60 + 80 * np.exp(-30 * time)) * time) * np.exp(-15 * time)
        snare = 0.5 * generator.normal(size=len(time)) * np.exp(-40 * time)
        found[begin : begin + len(time)] += snare if i % 2 else bass
    return _level(found)


def hum(count: int) -> Samples:
    """The mains and its overtones."""
    time = np.arange(count) / RATE
    return _level(np.sum([np.sin(100 * np.pi * h * time) / h for h in range(1, 12)], axis=0))


def pulsing(count: int) -> Samples:
    """Pink noise that comes and goes four times a second, as syllables do."""
    return _level(noise(count, -1) * (0.5 + 0.5 * np.sin(8 * np.pi * np.arange(count) / RATE)))


def _level(samples: NDArray[np.floating]) -> Samples:
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


SOUNDS: dict[str, Callable[[int], Samples]] = {
    "white noise": lambda n: noise(n, 0),
    "pink noise": lambda n: noise(n, -1),
    "brown noise": lambda n: noise(n, -2),
    "blue noise": lambda n: noise(n, 1),
    "violet noise": lambda n: noise(n, 2),
    "faint hiss": lambda n: noise(n, 0) * np.float32(0.002),
    "overdriven noise": lambda n: np.clip(noise(n, -1) * 20, -1, 1).astype(np.float32),
    "chords": chords,
    "slow chords": lambda n: chords(n, 0.7),
    "melody": melody,
    "drums and chords": lambda n: _level(drums(n) + chords(n)),
    "claps": claps,
    "applause": lambda n: claps(n, 12.0),
    "hum": hum,
    "pulsing noise": pulsing,
}

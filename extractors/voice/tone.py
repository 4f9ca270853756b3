"""Pitch and loudness of a voice, in hertz and decibels, on the ticks of a grid: for people to look at.

They are read from the voice's own columns (`extractors.voice.features`), so nothing is measured twice.
"""

from __future__ import annotations

import math

import numpy as np

from extractors.grid import spread
from extractors.records import FloatArray, Track

# A Hann window lets 3/8 of the power through, and `level` is taken behind it: what it takes away is given back.
WINDOW_DB = -10 * math.log10(3 / 8)
LEAST_VOICING = 0.3  # mean over a hop's frames; the pitch itself is that of the surely voiced ones alone
# Octaves that these may differ by (standard deviation): more is an error of the estimate, no glide.
MOST_APART = 0.5


def read_tone(voice: Track, ticks: int, step: float) -> tuple[FloatArray, FloatArray]:
    """(pitch [ticks] in Hz, loudness [ticks] in dB) of a voice's track, on `ticks` ticks of `step` seconds from 0 on.

    Pitch is the geometric mean over the voiced frames, and NaN where hardly any is voiced (between words, in hisses and
    whispers) or where their estimates do not agree. Loudness is beside the speech of the whole clip, whose root mean
    square is 0 dB, so the recording's volume does not count; it is NaN where nobody speaks.

    Raises:
        ValueError: the track lacks the columns of `extractors.voice.features`.
    """
    names = "pitch_mean", "pitch_std", "voicing_mean", "level_mean"
    octaves, apart, voicing, level = (voice.values[:, _column(voice, name)] for name in names)
    # A pitch of 0 octaves, to the last bit, is what hops without a voiced frame have.
    sure = (voicing > LEAST_VOICING) & (apart < MOST_APART) & (octaves != 0)
    places = voice.start, voice.end, ticks, step
    found, there = spread(octaves[:, None], *places, voice.confidence * sure)
    pitch = np.where(there > 0, 100 * 2 ** found[:, 0], np.nan)
    found, there = spread(level[:, None], *places, voice.confidence)
    loudness = np.where(there > 0, 20 * found[:, 0] + WINDOW_DB, np.nan)
    return pitch.astype(np.float32), loudness.astype(np.float32)


def _column(voice: Track, name: str) -> int:
    try:
        return voice.columns.index(name)
    except ValueError:
        raise ValueError(
            f"expected a voice's track with the column {name}, got {len(voice.columns)} others: "
            "give what describe_voice gives"
        ) from None

"""Pitch and loudness of a voice, in hertz and decibels, on the ticks of a grid: for people to look at.

They are read from the voice's own columns (`extractors.voice`), so nothing is measured twice.
"""

from __future__ import annotations

import math

import numpy as np

from extractors.grid import spread
from extractors.records import FloatArray, Track
from extractors.voice import VOICED

# A Hann window lets 3/8 of the power through, and `level` is taken behind it: what it takes away is given back.
WINDOW_DB = -10 * math.log10(3 / 8)


def read_tone(voice: Track, ticks: int, step: float) -> tuple[FloatArray, FloatArray]:
    """(pitch [ticks] in Hz, loudness [ticks] in dB) of a voice's track, on `ticks` ticks of `step` seconds from 0 on.

    Pitch is the geometric mean over the voiced frames, and NaN where the tick is not voiced on the whole: between
    words, in hisses and whispers. Loudness is beside the speech of the whole clip, whose root mean square is 0 dB, so
    the recording's volume does not count; it is NaN where nobody speaks.

    Raises:
        ValueError: the track lacks the columns of `extractors.voice`.
    """
    octaves, voicing, level = (
        voice.values[:, [_column(voice, name)]] for name in ("pitch", "voicing", "level")
    )
    voiced = (
        voice.confidence * (voicing[:, 0] > VOICED) * (octaves[:, 0] != 0)
    )  # 0 is what no voiced frame gives
    places = voice.start, voice.end, ticks, step
    found, there = spread(octaves, *places, voiced.astype(np.float32))
    pitch = np.where(there > 0, 100 * 2 ** found[:, 0], np.nan)
    found, there = spread(level, *places, voice.confidence)
    loudness = np.where(there > 0, 20 * found[:, 0] + WINDOW_DB, np.nan)
    return pitch.astype(np.float32), loudness.astype(np.float32)


def _column(voice: Track, name: str) -> int:
    try:
        return voice.columns.index(f"{name}_mean")
    except ValueError:
        raise ValueError(
            f"expected a voice's track with the column {name}_mean, got {len(voice.columns)} others: "
            "give what describe_voice gives"
        ) from None

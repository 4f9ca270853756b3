"""Intervals that hold the truth nine times in ten: conformal prediction in the network's own scales.

An interval is score +- q scale, cut to -3..3, with a q for each set of modalities given, since what voices leave open
is not what faces leave open; model.calibration finds the q. Where modalities disagree the scale, and with it the
interval, grows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
COVERAGE = 0.9
SCALE = 3.0


def name_of(given: Collection[str], modalities: Collection[str]) -> str:
    """What a set of modalities is called in config.intervals: their names in the network's order, joined by +."""
    return "+".join(m for m in modalities if m in given)


def subsets(modalities: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every set of at least one modality, the smaller first."""
    for count in range(1, len(modalities) + 1):
        yield from combinations(modalities, count)


def quantile(excesses: Array) -> float:
    """The conformal quantile: the ceil((n + 1) 0.9)-th smallest of n, so that coverage is at least 0.9."""
    n = len(excesses)
    rank = min(int(np.ceil((n + 1) * COVERAGE)), n)
    return float(np.round(np.sort(excesses)[rank - 1], 4))


def around(score: Array, scale: Array, q: Array | float) -> tuple[Array, Array]:
    """Low and high ends, in -3..3."""
    return np.clip(score - q * scale, -SCALE, SCALE), np.clip(score + q * scale, -SCALE, SCALE)

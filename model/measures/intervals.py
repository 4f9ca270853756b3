"""Intervals that hold the truth nine times in ten: conformal prediction in the network's own scales.

That is what the method promises of clips drawn like those that the q were found on (exchangeable with them), and of the
score of a whole clip alone: ticks of one clip resemble each other, so for them it is an estimate. Of other clips
nothing is promised. An interval is score +- q scale, cut to -3..3, with a q for each set of modalities given, since
what voices leave open is not what faces leave open; model.evaluation.calibration finds the q. Where modalities disagree
the scale, and with it the interval, grows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from decimal import ROUND_CEILING, Decimal
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
COVERAGE = 0.9
LIMIT = 3.0
"""Scores and ratings reach from -LIMIT to LIMIT, everywhere in `model`."""
PLACES = Decimal("0.0001")


def name_of(given: Collection[str], modalities: Collection[str]) -> str:
    """What a set of modalities is called in config.intervals: their names in the network's order, joined by +."""
    return "+".join(m for m in modalities if m in given)


def subsets(modalities: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every set of at least one modality, the smaller first."""
    for count in range(1, len(modalities) + 1):
        yield from combinations(modalities, count)


def quantile(excesses: Array) -> float:
    """The conformal quantile: the ceil((n + 1) 0.9)-th smallest of n, rounded up to four places.

    One more excess, exchangeable with these, is then within it with a chance of at least 0.9. Raises ValueError for
    fewer than 9, of which not even the largest is far enough out, and where it is no finite number.
    """
    n = len(excesses)
    rank = math.ceil((n + 1) * COVERAGE)
    if rank > n:
        raise ValueError(
            f"{n} excesses are too few for an interval that holds {COVERAGE:.0%}: at least 9 are needed, so calibrate "
            "on more"
        )
    found = float(np.sort(excesses)[rank - 1])
    if not math.isfinite(found):
        raise ValueError(
            f"the quantile of {n} excesses is {found}: look for scores or scales that are no numbers"
        )
    return float(Decimal(found).quantize(PLACES, ROUND_CEILING))


def around(score: Array, scale: Array, q: Array | float) -> tuple[Array, Array]:
    """Low and high ends, in -3..3."""
    return np.clip(score - q * scale, -LIMIT, LIMIT), np.clip(score + q * scale, -LIMIT, LIMIT)

"""Which ticks something is told of: what the network gives where nothing is observed any more is a memory that fades.

The numbers themselves stay in the Analysis, at every tick; pure functions of plain data.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.analysis import Analysis, Line

EARLY = 0.2  # part of the clip in which what comes late is waited for, and no longer


def observed(analysis: Analysis, *modalities: str) -> NDArray[np.bool_]:
    """Whether any of the modalities was observed at each tick [L]; with none named, or "", any at all.

    Of all it is every tick where nothing ever was: no analysis is made of such a clip, but a file may say so.
    """
    named = [m for m in modalities if m]
    lines = [analysis.presence.get(m, ()) for m in named or analysis.presence]
    seen = np.zeros(len(analysis.ticks.start), bool)
    for line in lines:
        seen |= np.asarray(line or np.zeros(len(seen))) > 0
    return seen if named or seen.any() else ~seen


def telling_ticks(analysis: Analysis, modality: str = "") -> NDArray[np.intp]:
    """The ticks that a finding may name: observed ones, or those of the `modality`, past the clip's start.

    At its start one modality alone is heard or seen, with next to nothing in memory, and the score leaps about. So they
    begin once every modality has appeared that does so within the first part EARLY of the clip: one that comes late is
    not waited for. Where a modality was observed only before that, its ticks are all given.
    """
    seen = [np.flatnonzero(np.asarray(line) > 0) for line in analysis.presence.values()]
    firsts = [int(ticks[0]) for ticks in seen if len(ticks)] or [0]
    first = max((i for i in firsts if i <= EARLY * len(analysis.ticks.start)), default=min(firsts))
    there = np.flatnonzero(observed(analysis, modality))
    later = there[there >= first]
    return later if len(later) else there


def told_ticks(analysis: Analysis, *modalities: str) -> slice:
    """From the first tick to the last at which any of the modalities was observed, as in `observed`; maybe none.

    Ticks between two that were observed are among them: to bridge a pause is what a state is for.
    """
    ticks = np.flatnonzero(observed(analysis, *modalities))
    return slice(int(ticks[0]), int(ticks[-1]) + 1) if len(ticks) else slice(0, 0)


def told_part(told: slice, first: int, end: int) -> slice:
    """Of the ticks first..end those of `told`, which `told_ticks` gave; maybe none."""
    start = max(first, told.start)
    return slice(start, max(start, min(end, told.stop)))


def told_line(analysis: Analysis, line: Line, *modalities: str) -> Line:
    """The line with a gap (NaN) before the first observation and after the last, as `told_ticks` has them."""
    told = told_ticks(analysis, *modalities)
    return (math.nan,) * told.start + line[told] + (math.nan,) * (len(line) - told.stop)

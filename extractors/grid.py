"""Tracks of any rate on one clock: every modality at the same ticks, absent where it was not observed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from extractors.records import FloatArray, Grid, Track

STEP = 0.2
ROUNDING = 1e-9  # seconds; less shared time is the rounding of sums of ticks, and no observation
SHORTEST = 0.01  # seconds a row counts for at least, so that a word squeezed to a point is not lost


def to_grid(tracks: Mapping[str, Track], duration: float, step: float = STEP) -> Grid:
    """Every track on L = ceil(duration / step) ticks, at least 1, with values [L, D] and presence [L] of each.

    With o_ij the seconds that row i and tick j share and c_i the row's confidence,
        values_j = sum_i o_ij c_i v_i / sum_i o_ij c_i        presence_j = min(1, sum_i o_ij c_i / length_j)
        confidence_j = sum_i o_ij c_i / sum_i o_ij            over the rows with c_i > 0
    where length_j is the tick's part inside the clip. A tick that no row touches has presence, confidence and values 0:
    nothing is interpolated across a gap. Rows outside the clip, or with confidence 0, count for nothing.

    Raises:
        ValueError: the duration is not a finite number of seconds, or the step is not above 0.
    """
    if not math.isfinite(duration) or duration < 0 or not step > 0:
        raise ValueError(f"expected a finite duration and a step above 0, got {duration} s and {step} s")
    count = max(1, math.ceil(duration / step - 1e-6))
    start = np.arange(count, dtype=np.float64) * step
    length = np.full(count, step)
    if duration > 0:
        length[-1] = min(step, max(duration - start[-1], 1e-6))
    grid = Grid(step=step, start=start)
    for name, track in tracks.items():
        resampled = _resample(track, start, length)
        grid.values[name], grid.presence[name], grid.confidence[name] = resampled
    return grid


def spread(
    values: FloatArray,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    ticks: int,
    step: float = STEP,
    confidence: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Rows values [N, D], each observed from start [N] to end [N] seconds, on `ticks` ticks: ([ticks, D], [ticks]).

    The rule is that of `to_grid`, for rows that belong to no clip, such as those a network is trained on: values and
    presence (0..1) of each tick of `step` seconds from 0 on. confidence [N] is in 0..1, all 1 where it is not given.

    Raises:
        ValueError: no tick, a step not above 0, or arrays of different lengths.
    """
    if ticks < 1 or not step > 0:
        raise ValueError(f"expected at least 1 tick and a step above 0, got {ticks} ticks and {step} s")
    sure = np.ones(len(values), np.float32) if confidence is None else confidence
    track = Track(values, start, end, sure, ("rows",))
    return _resample(track, np.arange(ticks, dtype=np.float64) * step, np.full(ticks, step))[:2]


def _resample(
    track: Track, start: NDArray[np.float64], length: NDArray[np.float64]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values [L, D], presence [L] and confidence [L] of one track on ticks that begin at `start` and last `length`."""
    row, tick, shared = _overlaps(track, start, length)
    weight = shared * track.confidence[row]
    total = np.bincount(tick, weight, minlength=len(start))
    sums = np.zeros((len(start), track.values.shape[1]))
    np.add.at(sums, tick, weight[:, None] * track.values[row])
    values = np.divide(sums, total[:, None], out=np.zeros_like(sums), where=total[:, None] > 0)
    observed = np.bincount(tick, shared, minlength=len(start))
    sure = np.divide(total, observed, out=np.zeros(len(start)), where=observed > 0)
    presence = np.minimum(total / length, 1)
    return values.astype(np.float32), presence.astype(np.float32), sure.astype(np.float32)


def _overlaps(
    track: Track, start: NDArray[np.float64], length: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Row, tick and shared seconds of every pair of an observed row and a tick that overlap."""
    end = start + length
    begins, ends = track.start, np.maximum(track.end, track.start + SHORTEST)
    kept = np.flatnonzero((track.confidence > 0) & (ends > 0) & (begins < end[-1]))
    first = np.searchsorted(end, begins[kept], side="right")
    last = np.searchsorted(start, ends[kept], side="left") - 1
    spans = np.maximum(last - first + 1, 0)
    row = np.repeat(kept, spans)
    before = np.cumsum(spans) - spans
    tick = np.repeat(first - before, spans) + np.arange(spans.sum())
    shared = np.minimum(ends[row], end[tick]) - np.maximum(begins[row], start[tick])
    held = shared > ROUNDING
    return row[held], tick[held], shared[held]

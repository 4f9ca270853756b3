"""Answers to what a reader of a saved report may ask, worked out ahead: a file has no model to ask."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.analysis import Analysis
from app.asking import Fewer, ask_memory, ask_paths, ask_why, ask_without
from app.exports import Step
from app.telling.moments import Moment
from app.telling.observed import telling_ticks
from extractors.records import Grid

if TYPE_CHECKING:
    from model.inference.answers import Memory, Paths

MOMENTS = 4  # moments explained; each costs half a second
APART = 4.0  # seconds that they lie apart at least: a peak is one moment, not twenty


@dataclass(frozen=True)
class Answered:
    """Why the scores of a few moments are what they are, in time; the clip without each modality; memory and paths."""

    moments: tuple[Moment, ...]
    fewer: tuple[Fewer, ...]
    memory: Memory
    paths: Paths


def answer_ahead(analysis: Analysis, grid: Grid, step: Step = nullcontext) -> Answered:
    """All of it, in a few seconds: a pass of the network at a time, each within a `step`."""
    heard = list(analysis.sentiment.alone)
    without = [[m for m in heard if m != gone] for gone in heard] if len(heard) > 1 else []
    moments, fewer = [], []
    for seconds in telling_moments(analysis):
        with step():
            moments.append(ask_why(grid, seconds))
    for kept in without:
        with step():
            fewer.append(ask_without(grid, kept, analysis))
    with step():
        memory = ask_memory(grid)
    with step():
        return Answered(tuple(moments), tuple(fewer), memory, ask_paths(grid))


def telling_moments(
    analysis: Analysis, most: int = MOMENTS, apart: float = APART, of: str = ""
) -> list[float]:
    """Seconds of the moments farthest from neutral, in time, and `apart` seconds apart at least.

    At each something was observed, or with `of` that modality was; see `telling_ticks` for the clip's start.
    """
    scores, starts = np.abs(analysis.sentiment.ticks), np.asarray(analysis.ticks.start)
    offered = telling_ticks(analysis, of)
    picked: list[float] = []
    for i in offered[np.argsort(-scores[offered], kind="stable")]:
        if len(picked) < most and all(abs(starts[i] - other) >= apart for other in picked):
            picked.append(float(starts[i]))
    return sorted(picked)

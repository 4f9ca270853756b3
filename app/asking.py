"""Questions about a clip that was analysed: answered from its kept grid of features, in a fraction of a second."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from app.analysis import MODALITIES, Analysis, ClipScore, Line, label
from app.moments import Moment
from extractors.records import Grid

if TYPE_CHECKING:
    from model.answers import Memory, Paths


@dataclass(frozen=True)
class Fewer:
    """What the model says with only some modalities switched on: clip score, score at every tick."""

    kept: tuple[str, ...]
    clip: ClipScore
    ticks: Line


def ask_why(grid: Grid, seconds: float) -> Moment:
    """Why the score at `seconds` is what it is; times outside of the clip count as its first and last tick.

    Modalities that were not observed by then are left out: they brought nothing.
    """
    from model.answers import why
    from model.inference import load_default

    at = min(len(grid.start) - 1, max(0, int(seconds / grid.step + 1e-6)))
    found = why(load_default(), grid.values, grid.presence, at)
    heard = [m for m in MODALITIES if m in grid.presence and (grid.presence[m][: at + 1] > 0).any()]
    starts = tuple(float(s) for s in grid.start[found.first : at + 1])
    sources = {m: tuple(found.sources[m].astype(float).tolist()) for m in heard}
    return Moment(starts, grid.step, found.score, found.base, sources, found.without)


def ask_without(grid: Grid, kept: Collection[str]) -> Fewer:
    """What the model says of the clip where only the modalities `kept` are switched on.

    Raises ValueError where none of them was observed.
    """
    from model.inference import load_default, predict

    names = tuple(m for m in MODALITIES if m in kept and m in grid.values)
    if not any((grid.presence[m] > 0).any() for m in names):
        raise ValueError("none of the modalities left on was observed: switch another one on")
    given = {m: grid.values[m] for m in names}, {m: grid.presence[m] for m in names}
    said, _ = predict(load_default(), *given)
    score = float(np.clip(said.clip, -3, 3))
    return Fewer(names, ClipScore(score, label(score)), tuple(said.ticks.astype(float).tolist()))


def ask_independent(analysis: Analysis, grid: Grid) -> Analysis:
    """The analysis as the network gives it whose chains do not hear each other: other scores of the same clip.

    Raises FileNotFoundError where that network is not installed.
    """
    from app.analyze import dynamics_of, sentiment_of
    from model.inference import load_independent, predict

    prediction, dynamics = predict(load_independent(), grid.values, grid.presence)
    return replace(analysis, sentiment=sentiment_of(prediction), dynamics=dynamics_of(dynamics))


def ask_memory(grid: Grid) -> Memory:
    """The learnt couplings of every layer, and how long the chains remember on this clip."""
    from model.answers import memory
    from model.inference import load_default

    return memory(load_default(), grid.values, grid.presence)


def ask_paths(grid: Grid) -> Paths:
    """The ways of the three chains through space."""
    from model.answers import paths
    from model.inference import load_default

    return paths(load_default(), grid.values, grid.presence)

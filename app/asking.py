"""Questions about a clip that was analysed: answered from its kept grid of features, in a fraction of a second."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from app.analysis import MODALITIES, Analysis, ClipScore, Line, label
from app.telling.moments import Moment
from extractors.records import Grid

if TYPE_CHECKING:
    from model.inference.answers import Memory, Paths


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
    from model.inference.answers import why
    from model.inference.loading import load_default

    at = min(len(grid.start) - 1, max(0, int(seconds / grid.step + 1e-6)))
    found = why(load_default(), grid.values, grid.presence, at)
    heard = [m for m in MODALITIES if m in grid.presence and (grid.presence[m][: at + 1] > 0).any()]
    starts = tuple(float(s) for s in grid.start[found.first : at + 1])
    sources = {m: tuple(found.sources[m].astype(float).tolist()) for m in heard}
    return Moment(starts, grid.step, found.score, found.base, sources, found.without)


def ask_without(grid: Grid, kept: Collection[str], analysis: Analysis | None = None) -> Fewer:
    """What the model says of the clip where only the modalities `kept` are switched on.

    What the grid's `analysis` holds already (all together, or one alone) is read from it; the rest is one pass of the
    network for its scores alone, kept as long as the grid is. Raises ValueError where none of them was observed.
    """
    names = tuple(m for m in MODALITIES if m in kept and m in grid.values)
    seen = tuple(m for m in names if (grid.presence[m] > 0).any())
    if not seen:
        raise ValueError("none of the modalities left on was observed: switch another one on")
    known = None if analysis is None else _known(analysis, seen)
    if known is not None:
        return Fewer(names, *known)
    return _ASKED.ask(grid, names)


def _known(analysis: Analysis, seen: tuple[str, ...]) -> tuple[ClipScore, Line] | None:
    """Clip score and ticks with the modalities `seen`, where the analysis holds them."""
    feeling = analysis.sentiment
    if set(seen) == set(feeling.alone):
        return feeling.clip, feeling.ticks
    if len(seen) == 1 and seen[0] in feeling.alone:
        alone = feeling.alone[seen[0]]
        return ClipScore(alone.score, label(alone.score)), alone.ticks
    return None


class _Asked:
    """Answers by grid and modalities, each worked out once and forgotten with its grid."""

    def __init__(self) -> None:
        self._answers: dict[int, dict[tuple[str, ...], Fewer]] = {}
        self._lock = threading.Lock()

    def ask(self, grid: Grid, names: tuple[str, ...]) -> Fewer:
        """What the network says from the grid's modalities `names`."""
        from model.inference.loading import load_default
        from model.inference.prediction import scores

        # By identity, and let go of when the grid is: grids are large and compare by their arrays.
        with self._lock:
            if id(grid) not in self._answers:
                self._answers[id(grid)] = {}
                weakref.finalize(grid, self._answers.pop, id(grid), None)
            answers = self._answers[id(grid)]
        if names not in answers:
            given = {m: grid.values[m] for m in names}, {m: grid.presence[m] for m in names}
            clip, ticks = scores(load_default(), *given)
            score = float(np.clip(clip, -3, 3))
            answers[names] = Fewer(names, ClipScore(score, label(score)), tuple(ticks.astype(float).tolist()))
        return answers[names]


_ASKED = _Asked()


def ask_independent(analysis: Analysis, grid: Grid, told: Callable[[float], None] | None = None) -> Analysis:
    """The analysis as the network gives it whose chains do not hear each other: other scores of the same clip.

    told(fraction) is called now and then, and ends the reading if it raises. Raises FileNotFoundError where that
    network is not installed.
    """
    from app.analyze import dynamics_of, sentiment_of
    from model.inference.loading import load_independent
    from model.inference.prediction import predict

    prediction, dynamics = predict(load_independent(), grid.values, grid.presence, told)
    return replace(analysis, sentiment=sentiment_of(prediction), dynamics=dynamics_of(dynamics))


def ask_memory(grid: Grid) -> Memory:
    """The learnt couplings of every layer, and how long the chains remember on this clip."""
    from model.inference.answers import memory
    from model.inference.loading import load_default

    return memory(load_default(), grid.values, grid.presence)


def ask_paths(grid: Grid) -> Paths:
    """The ways of the three chains through space."""
    from model.inference.answers import paths
    from model.inference.loading import load_default

    return paths(load_default(), grid.values, grid.presence)

"""A stretch of an Analysis as an Analysis of its own, for pictures that are restricted to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from app.analysis import AloneScore, Analysis, Interval, Line, Sentiment, Tone

Window = tuple[float, float]
"""Seconds from and to of a stretch of a clip."""


def window_of(analysis: Analysis, start: float | None, end: float | None) -> Window | None:
    """Seconds from and to of the stretch of the clip that a browser says is shown; None for all of it."""
    low, high = max(0.0, start or 0.0), min(analysis.end, end or analysis.end)
    return None if high - low >= analysis.end - 0.01 or high <= low else (low, high)


def within(analysis: Analysis, start: float, end: float) -> Analysis:
    """The ticks whose middle lies in start..end seconds, at least one, and the words that overlap with it.

    Times stay those of the clip, so the first tick need not be 0; the clip's scores stay those of the whole clip.
    """
    times = np.asarray(analysis.ticks.start) + analysis.ticks.step / 2
    first = min(int(np.searchsorted(times, start)), len(times) - 1)
    stop = max(first + 1, int(np.searchsorted(times, end, side="right")))

    def cut(line: Line) -> Line:
        return line[first:stop]

    def each(lines: Mapping[str, Line]) -> dict[str, Line]:
        return {name: cut(line) for name, line in lines.items()}

    words, sentences = analysis.transcript.words, analysis.transcript.sentences
    said = [i for i, w in enumerate(words) if w.end > start and w.start < end]
    dynamics = analysis.dynamics
    return replace(
        analysis,
        transcript=replace(
            analysis.transcript,
            words=tuple(words[i] for i in said),
            sentences=tuple(sentences[i] for i in said) if sentences else (),
        ),
        ticks=replace(analysis.ticks, start=cut(analysis.ticks.start)),
        presence=each(analysis.presence),
        confidence=None if analysis.confidence is None else each(analysis.confidence),
        sentiment=replace(
            _cut_score(analysis.sentiment, first, stop),
            alone={m: _cut_score(a, first, stop) for m, a in analysis.sentiment.alone.items()},
        ),
        dynamics=replace(
            dynamics,
            state_norm=each(dynamics.state_norm),
            share={target: each(sources) for target, sources in dynamics.share.items()},
        ),
        tone=_cut_tone(analysis.tone, first, stop),
    )


def _cut_tone(tone: Tone | None, first: int, stop: int) -> Tone | None:
    return None if tone is None else Tone(tone.pitch[first:stop], tone.loudness[first:stop])


def _cut_score(score: Any, first: int, stop: int) -> Any:
    """A Sentiment or AloneScore with its ticks and its interval's from first to stop."""
    assert isinstance(score, Sentiment | AloneScore)
    between = score.interval
    if between is not None:
        between = Interval(
            between.low, between.high, between.ticks_low[first:stop], between.ticks_high[first:stop]
        )
    return replace(score, ticks=score.ticks[first:stop], interval=between)

"""Tables that say what the pictures show, as text cells."""

from __future__ import annotations

import math

import numpy as np

from app.analysis import MODALITIES, AloneScore, Analysis, Interval, Line, Sentiment
from app.figures.words import words_at
from app.i18n import DEFAULT, alone, name_of, tell
from app.told import clock, signed


def tick_table(
    analysis: Analysis, most: int = 300, language: str = DEFAULT
) -> tuple[list[str], list[list[str]]]:
    """(header, rows): time, what was said, the scores with their intervals, whether observed.

    Up to `most` rows: in a longer clip a row stands for several ticks and gives the mean of their scores, and an
    interval as wide as the widest end to end.
    """
    count = len(analysis.ticks.start)
    each = max(1, math.ceil(count / most))
    names = [m for m in MODALITIES if m in analysis.sentiment.alone]
    header = [
        tell("table.time", language),
        tell("table.said", language),
        *(name_of("all", language), *(alone(m, language) for m in names)),
        tell("table.seen", language),
    ]
    said = words_at(analysis)
    scored: list[Sentiment | AloneScore] = [analysis.sentiment, *(analysis.sentiment.alone[m] for m in names)]
    rows = []
    for a in range(0, count, each):
        b = min(count, a + each)
        words = " ".join(dict.fromkeys(w for w in said[a:b] if w != "–"))
        scores = [_told(s.ticks[a:b], s.interval, a, b, language) for s in scored]
        seen = [name_of(m, language) for m in MODALITIES if any(analysis.presence.get(m, ())[a:b])]
        rows.append([clock(analysis.ticks.start[a]), words, *scores, tell("join.comma", language).join(seen)])
    return header, rows


def _told(scores: Line, interval: Interval | None, first: int, end: int, language: str) -> str:
    """A score of ticks first..end, with its interval where one is known."""
    score = signed(float(np.mean(scores)), 2)
    if interval is None:
        return score
    low, high = min(interval.ticks_low[first:end]), max(interval.ticks_high[first:end])
    return tell("timeline.between", language, score=score, low=signed(low, 2), high=signed(high, 2))

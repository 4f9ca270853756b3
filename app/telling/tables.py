"""Tables that say what the pictures show, as text cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from app.analysis import MODALITIES, AloneScore, Analysis, Gapped, Interval, Line, Sentiment
from app.figures.words import words_at
from app.i18n import DEFAULT, alone, name_of, percent, tell
from app.telling.numbers import clock, signed
from app.telling.observed import told_part, told_ticks

NOTHING = "–"
SHARE_ROWS = 60


def tick_table(
    analysis: Analysis, most: int = 300, language: str = DEFAULT
) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of the time line: a column for each of its lines.

    Time, what was said, the scores with their intervals, whether observed, the states' sizes, every share, and where
    known pitch and loudness. Up to `most` rows: in a longer clip a row stands for several ticks and gives the mean of
    their numbers, the median of their shares (see `typical_shares`), and an interval as wide as the widest
    end to end; a dash where nothing, or not the modality, was observed yet or any more. A word stands at
    every tick that it lasts, and where rows are of several ticks once, in the row in which it begins.
    """
    names = [m for m in MODALITIES if m in analysis.sentiment.alone]
    norms = {m: analysis.dynamics.state_norm[m] for m in MODALITIES if m in analysis.dynamics.state_norm}
    shares, tone = _shares(analysis, language), _tone(analysis, language)
    header = [
        tell("table.time", language),
        tell("table.said", language),
        *(name_of("all", language), *(alone(m, language) for m in names)),
        tell("table.seen", language),
        *(tell("timeline.state", language, name=name_of(m, language)) for m in norms),
        *shares,
        *tone,
    ]
    scored: list[tuple[Sentiment | AloneScore, slice]] = [
        (analysis.sentiment, told_ticks(analysis)),
        *((analysis.sentiment.alone[m], told_ticks(analysis, m)) for m in names),
    ]
    rows, stretches = [], list(_stretches(analysis, most))
    for (a, b), words in zip(stretches, _said(analysis, stretches), strict=True):
        scores = [_told(s.ticks, s.interval, told_part(told, a, b), language) for s, told in scored]
        seen = [name_of(m, language) for m in MODALITIES if any(analysis.presence.get(m, ())[a:b])]
        rows.append(
            [
                clock(analysis.ticks.start[a]),
                words,
                *scores,
                tell("join.comma", language).join(seen),
                *(f"{np.mean(line[a:b]):.2f}" for line in norms.values()),
                *(_percent(line[a:b], language) for line in shares.values()),
                *(_whole(line[a:b]) for line in tone.values()),
            ]
        )
    return header, rows


def share_table(
    analysis: Analysis, most: int = SHARE_ROWS, language: str = DEFAULT
) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of the coupling over time: each target's share from each source, medians in up to `most` rows."""
    shares = _shares(analysis, language)
    rows = [
        [clock(analysis.ticks.start[a]), *(_percent(line[a:b], language) for line in shares.values())]
        for a, b in _stretches(analysis, most)
    ]
    return [tell("table.time", language), *shares], rows


def _stretches(analysis: Analysis, most: int) -> Iterator[tuple[int, int]]:
    """First and end of at most `most` stretches of the same number of ticks; the last may be shorter."""
    count = len(analysis.ticks.start)
    each = max(1, math.ceil(count / most))
    return ((a, min(count, a + each)) for a in range(0, count, each))


def _said(analysis: Analysis, stretches: Sequence[tuple[int, int]]) -> list[str]:
    """What is said in each stretch of ticks; read one after another, stretches of several are the transcript."""
    if all(b - a == 1 for a, b in stretches):
        return [words if words != NOTHING else "" for words in words_at(analysis)]
    begun = _begun(analysis)
    return [" ".join(word for tick in begun[a:b] for word in tick) for a, b in stretches]


def _begun(analysis: Analysis) -> list[list[str]]:
    """The words that begin in each tick."""
    begun: list[list[str]] = [[] for _ in analysis.ticks.start]
    for word in analysis.transcript.words:
        begun[analysis.ticks.touched(word.start, word.end).start].append(word.word)
    return begun


def _shares(analysis: Analysis, language: str) -> dict[str, Line]:
    """Every line of shares by what it is called."""
    named = {m: name_of(m, language) for m in MODALITIES}
    share = analysis.dynamics.share
    return {
        tell("share.into", language, target=named[target], source=named[source]): share[target][source]
        for target in MODALITIES
        if target in share
        for source in MODALITIES
        if source in share[target]
    }


def _tone(analysis: Analysis, language: str) -> dict[str, Gapped]:
    tone = analysis.tone
    if tone is None:
        return {}
    pitch, loudness = tell("timeline.pitch", language), tell("timeline.loudness", language)
    return {f"{pitch} (Hz)": tone.pitch, f"{loudness} (dB)": tone.loudness}


def _percent(shares: Line, language: str) -> str:
    return percent(float(np.median(shares)), language)


def _whole(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return signed(float(np.mean(known)), 0).removeprefix("+") if known else NOTHING


def _told(scores: Line, interval: Interval | None, ticks: slice, language: str) -> str:
    """The score of the ticks, with its interval where one is known; a dash where there are none."""
    if not scores[ticks]:
        return NOTHING
    score = signed(float(np.mean(scores[ticks])), 2)
    if interval is None:
        return score
    low, high = min(interval.ticks_low[ticks]), max(interval.ticks_high[ticks])
    return tell("timeline.between", language, score=score, low=signed(low, 2), high=signed(high, 2))

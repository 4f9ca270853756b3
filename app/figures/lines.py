"""A score's line, its interval and the words under it: what the pictures over time have in common."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import HIGHEST, Analysis, Interval
from app.figures.reduce import kept, kept_texts
from app.figures.style import FAINT
from app.figures.words import words_at
from app.i18n import DEFAULT, tell
from app.telling.numbers import signed
from app.telling.observed import told_line, told_ticks

STEP, SHORTEST = 0.5, 2.0  # points: a scores' axis ends at a multiple of STEP, and is SHORTEST long at least
ROOM = 1.06  # times the score at an axis' end that it has room for, so that no line is cut there


def signed_hundredths(score: float) -> str:
    """+0.42 or −0.42; zero has no sign, as in the tables."""
    return signed(score, 2)


def middles(analysis: Analysis) -> NDArray[np.float32]:
    """The middle of every tick in seconds [L], where its score is drawn."""
    return (np.asarray(analysis.ticks.start) + analysis.ticks.step / 2).astype(np.float32)


def score_line(
    seconds: NDArray[np.float32],
    values: tuple[float, ...],
    axis: str,
    colour: str,
    name: str,
    width: float,
    told: Callable[[float], str] = signed_hundredths,
    between: Interval | None = None,
    language: str = DEFAULT,
) -> Any:
    """A line on y axis `axis`, shortened for drawing; it tells its value, and the interval `between` where given."""
    line = np.asarray(values, np.float32)
    shown = kept(line)
    texts = [told(values[i]) for i in shown]
    if between is not None:
        ends = [(told(between.ticks_low[i]), told(between.ticks_high[i])) for i in shown]
        texts = [
            tell("timeline.between", language, score=text, low=low, high=high)
            for text, (low, high) in zip(texts, ends, strict=True)
        ]
    return go.Scatter(
        x=seconds[shown],
        y=line[shown],
        yaxis=axis,
        # A line of one point would not be seen.
        mode="lines" if np.isfinite(line).sum() > 1 else "markers",
        line={"width": width, "color": colour},
        marker={"color": colour, "size": 8},
        name=name,
        # Told in words made here, since plotly's versions differ in the number formats they take.
        customdata=texts,
        hovertemplate="%{customdata}",
    )


def interval_band(analysis: Analysis, between: Interval, axis: str = "y") -> Any:
    """The interval of all together as one area: along its high ends, and back along its low ends."""
    told = told_ticks(analysis)
    seconds = middles(analysis)[told]
    low, high = (np.asarray(line[told], np.float32) for line in (between.ticks_low, between.ticks_high))
    there, back = kept(high), kept(low)[::-1]
    return go.Scatter(
        x=np.concatenate([seconds[there], seconds[back]]),
        y=np.concatenate([high[there], low[back]]),
        yaxis=axis,
        # Of one tick no area can be made: a line from its low to its high end.
        mode="none" if len(seconds) > 1 else "lines",
        line={"width": 6, "color": FAINT},
        fill="toself",
        fillcolor=FAINT,
        hoverinfo="skip",
        zorder=-1,
    )


def word_hover(analysis: Analysis, seconds: NDArray[np.float32], axis: str, language: str = DEFAULT) -> Any:
    """A line that is not seen, to tell the words of the moment in the hover."""
    return text_hover(words_at(analysis), seconds, axis, tell("timeline.said", language))


def text_hover(
    texts: Sequence[str], seconds: NDArray[np.float32], axis: str, name: str, each: int = 0
) -> Any:
    """A line that is not seen, to tell the text of the moment in the hover; `texts` is one a tick.

    Every change of the text is kept. With `each` so is every so manieth tick: plotly tells nothing of a point that is
    further from the pointer than `hoverdistance`, as the ends of a long run of one text are.
    """
    shown = kept_texts(texts)
    if each:
        shown = np.union1d(shown, np.arange(0, len(texts), each))
    return go.Scatter(
        x=seconds[shown],
        y=np.zeros(len(shown), np.float32),
        yaxis=axis,
        mode="lines",
        line={"width": 0, "color": FAINT},
        name=name,
        customdata=[html.escape(texts[i], quote=False) for i in shown],
        hovertemplate="%{customdata}",
    )


def score_range(analyses: Iterable[Analysis], *, intervals: bool = True) -> tuple[float, float]:
    """The lowest and the highest score of an axis with room for every line drawn, as `range_of` has them.

    With room for the intervals of all together too, unless these are not drawn.
    """
    lines = []
    for analysis in analyses:
        lines += [told_line(analysis, a.ticks, m) for m, a in analysis.sentiment.alone.items()]
        between, told = analysis.sentiment.interval, [analysis.sentiment.ticks]
        if between is not None and intervals:
            told += [between.ticks_low, between.ticks_high]
        lines += [told_line(analysis, line) for line in told]
    drawn = np.concatenate([np.asarray(line, np.float32) for line in lines])
    return range_of(float(np.nanmin(drawn, initial=0.0)), float(np.nanmax(drawn, initial=0.0)))


def range_of(lowest: float, highest: float) -> tuple[float, float]:
    """The ends of a scores' axis with room for scores from `lowest` to `highest`, each in halves; 0 is on it.

    Each end is as far as its own scores need: a clip that is never negative has no empty half. But the axis is never
    so short that noise looks like a mood.
    """
    low, high = 0.0 - _end(-lowest), _end(highest)
    while high - low < SHORTEST:
        if high > -low:
            low -= STEP
        else:
            high += STEP
    return low, high


def _end(most: float) -> float:
    return min(HIGHEST, STEP * math.ceil(max(0.0, ROOM * most) / STEP))

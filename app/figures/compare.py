"""Two analyses in one view: of one clip over the same time axis, of two clips side by side on the same scale.

The first is drawn solid and the second dashed, in the colours that words, voice, face and all together have everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import MODALITIES, AloneScore, Analysis, Interval, Sentiment
from app.figures.lines import interval_band, middles, score_line, score_range, word_hover
from app.figures.reduce import kept
from app.figures.style import (
    COLOURS,
    GREY,
    INK,
    TYPE,
    beside,
    figure,
    layout,
    scale_notes,
    score_axis,
)
from app.i18n import DEFAULT, alone, name_of, tell
from app.telling.numbers import signed
from app.telling.observed import told_line, told_ticks

TALL, BAND, GAP, FOOT = 230, 96, 26, 38
"""Pixels: the band of all together, one of a modality, between them, below."""
HEIGHT = 300  # pixels of a clip's own picture
DASHES = "6px,4px"


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: what it is called, and its analysis."""

    name: str
    analysis: Analysis


def sources_of(*analyses: Analysis) -> list[str]:
    """The modalities that at least one of the analyses has a score of, in their order."""
    return [m for m in MODALITIES if any(m in a.sentiment.alone for a in analyses)]


def draw_over(first: Side, second: Side, language: str = DEFAULT) -> go.Figure:
    """Both analyses of one clip over its time axis: a band for all together, with both intervals, and one a modality.

    Raises ValueError where the two do not have the same ticks.
    """
    if first.analysis.ticks != second.analysis.ticks:
        raise ValueError(
            f"{first.name} has {len(first.analysis.ticks.start)} ticks and {second.name} "
            f"{len(second.analysis.ticks.start)}: only analyses of one clip share a time axis, use draw_beside"
        )
    names = sources_of(first.analysis, second.analysis)
    inside = TALL + len(names) * (GAP + BAND)
    both = [first.analysis, second.analysis]
    whole, own = score_range(both), score_range(both, intervals=False)
    seconds = middles(first.analysis)
    traces: list[Any] = []
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    top = 1.0
    for i, name in enumerate(["", *names]):
        axis = f"y{i + 1}" if i else "y"
        bottom = max(0.0, top - (BAND if i else TALL) / inside)
        ends = own if name else whole  # the modalities' bands hold no intervals, so they need less room
        axes[f"yaxis{i + 1}" if i else "yaxis"] = score_axis(ends, (bottom, top))
        traces += _band_of(name, first, second, seconds, axis, language)
        notes += _band_notes(name, ends, bottom, top, language)
        top = bottom - GAP / inside
    traces.append(word_hover(first.analysis, seconds, "y", language))
    lowest = f"y{len(names) + 1}" if names else "y"
    over_time = layout(inside + FOOT, first.analysis.end, lowest, language)
    return figure(traces, **over_time, **axes, annotations=notes)


def draw_beside(first: Side, second: Side, language: str = DEFAULT) -> tuple[go.Figure, go.Figure]:
    """A picture for each of two clips: its own time axis, the same scale of scores."""
    ends = score_range([first.analysis, second.analysis])
    return _draw_alone(first.analysis, ends, language), _draw_alone(second.analysis, ends, language)


def _draw_alone(analysis: Analysis, ends: tuple[float, float], language: str) -> go.Figure:
    """The lines of one clip: all together with its interval, and each modality's own."""
    seconds, feeling = middles(analysis), analysis.sentiment
    name = name_of("all", language)
    drawn = told_line(analysis, feeling.ticks)
    whole = score_line(seconds, drawn, "y", INK, name, 3, between=feeling.interval, language=language)
    whole.zorder = 1
    traces = [whole]
    for m in sources_of(analysis):
        said = feeling.alone[m]
        line = told_line(analysis, said.ticks, m)
        traces.append(
            score_line(
                seconds,
                line,
                "y",
                COLOURS[m],
                alone(m, language),
                1.6,
                between=said.interval,
                language=language,
            )
        )
    if feeling.interval is not None:
        traces.append(interval_band(analysis, feeling.interval))
    traces.append(word_hover(analysis, seconds, "y", language))
    return figure(
        traces,
        **(layout(HEIGHT, analysis.end, language=language) | {"hoversubplots": "single"}),
        yaxis=score_axis(ends, (0, 1)),
        annotations=scale_notes(ends, language=language),
    )


def _band_of(
    modality: str, first: Side, second: Side, seconds: NDArray[np.float32], axis: str, language: str
) -> list[Any]:
    """The two lines of a band, the first solid and the second dashed; all together where `modality` is empty."""
    colour, told = COLOURS.get(modality, INK), name_of(modality or "all", language)
    traces = []
    for side, dash in ((first, "solid"), (second, DASHES)):
        score = _score_of(side.analysis, modality)
        if score is None:
            continue
        ticks = told_line(side.analysis, score.ticks, modality)
        line = score_line(
            seconds,
            ticks,
            axis,
            colour,
            tell("compare.column", language, source=told, name=side.name),
            1.8 if modality else 2.8,
            between=score.interval,
            language=language,
        )
        line.line.dash = dash
        line.zorder = 1
        traces.append(line)
    if not modality:
        of_first, of_second = first.analysis.sentiment.interval, second.analysis.sentiment.interval
        traces += [interval_band(first.analysis, of_first, axis)] if of_first else []
        traces += _edges(second.analysis, of_second, axis) if of_second else []
    return traces


def _score_of(analysis: Analysis, modality: str) -> Sentiment | AloneScore | None:
    return analysis.sentiment.alone.get(modality) if modality else analysis.sentiment


def _edges(analysis: Analysis, between: Interval, axis: str) -> list[Any]:
    """The second's interval as two dotted lines, since two grey areas over each other could not be told apart."""
    lines, told = [], told_ticks(analysis)
    seconds = middles(analysis)[told]
    for ends in (between.ticks_low[told], between.ticks_high[told]):
        values = np.asarray(ends, np.float32)
        shown = kept(values)
        lines.append(
            go.Scatter(
                x=seconds[shown],
                y=values[shown],
                yaxis=axis,
                mode="lines",
                line={"width": 1.2, "color": GREY, "dash": "1.5px,3px"},
                hoverinfo="skip",
            )
        )
    return lines


def _band_notes(
    modality: str, ends: tuple[float, float], bottom: float, top: float, language: str
) -> list[dict[str, Any]]:
    """What stands beside a band: the scale beside that of all together, the modality's name beside its own."""
    if not modality:
        return scale_notes(ends, bottom, top, language)
    scale = [
        beside(signed(end).replace(".0", ""), y, size=11) for end, y in zip(ends, (bottom, top), strict=True)
    ]
    return [*scale, beside(f"<b>{name_of(modality, language)}</b>", (bottom + top) / 2, TYPE[modality])]

"""Modalities switched off: the line without them beside the line with all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import Analysis
from app.asking import Fewer
from app.figures.lines import middles, range_of, signed_hundredths
from app.figures.reduce import kept_of
from app.figures.style import FAINT, GREY, INK, figure, layout, scale_notes, score_axis
from app.i18n import DEFAULT, alone, joined, name_of
from app.telling.observed import told_ticks

HEIGHT = 220


def draw_switched(analysis: Analysis, fewer: Fewer, language: str = DEFAULT) -> go.Figure:
    """The score of all together in ink, and dashed the score of what was left on; the difference shaded.

    Each while it is observed, as on the time line.
    """
    seconds = middles(analysis)
    whole, part = (np.asarray(line, np.float32) for line in (analysis.sentiment.ticks, fewer.ticks))
    told, left = told_ticks(analysis), told_ticks(analysis, *fewer.kept)
    drawn = np.concatenate([whole[told], part[left]])
    ends = range_of(float(drawn.min()), float(drawn.max()))
    points = kept_of([whole, part])
    shown, also = (_of(points, ticks) for ticks in (told, left))
    traces = [
        go.Scatter(
            **_line(seconds[shown], whole[shown]),
            name=name_of("all", language),
            line={"color": INK, "width": 3},
        ),
        *([] if left == told else [_base(seconds[also], whole[also])]),
        go.Scatter(
            **_line(seconds[also], part[also]),
            name=left_on(fewer.kept, language),
            line={"color": GREY, "width": 2.5, "dash": "6px,4px"},
            fill="tonexty" if len(seconds) > 1 else "none",
            fillcolor=FAINT,
        ),
    ]
    notes = scale_notes(ends, language=language)
    over_time = layout(HEIGHT, analysis.end, language=language)
    return figure(traces, **over_time, yaxis=score_axis(ends, (0, 1)), annotations=notes)


def _line(seconds: NDArray[np.float32], scores: NDArray[np.float32]) -> dict[str, Any]:
    """What both lines have in common: their points, which tell their scores."""
    return {
        "x": seconds,
        "y": scores,
        "mode": "lines" if len(seconds) > 1 else "markers",
        "hovertemplate": "%{customdata}",
        "customdata": [signed_hundredths(float(v)) for v in scores],
    }


def _base(seconds: NDArray[np.float32], whole: NDArray[np.float32]) -> Any:
    """The line with all where the other has its ticks, not seen: the shading goes from it, and ends with the other."""
    return go.Scatter(x=seconds, y=whole, mode="lines", line={"width": 0}, hoverinfo="skip")


def _of(points: NDArray[np.intp], ticks: slice) -> NDArray[np.intp]:
    """Those of the points that are among the ticks, and both ends of these."""
    ends = [ticks.start, ticks.stop - 1] if ticks.stop > ticks.start else []
    inside = points[(points >= ticks.start) & (points < ticks.stop)]
    return np.union1d(inside, np.array(ends, np.intp))


def left_on(kept: Sequence[str], language: str = DEFAULT) -> str:
    """ "words and face", "voice alone"."""
    return (
        alone(kept[0], language) if len(kept) == 1 else joined([name_of(m, language) for m in kept], language)
    )

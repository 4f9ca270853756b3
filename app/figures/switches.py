"""Modalities switched off: the line without them beside the line with all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.analysis import Analysis
from app.asking import Fewer
from app.figures.lines import limit_of, middles, signed_hundredths
from app.figures.reduce import kept_of
from app.figures.style import FAINT, GREY, INK, ZERO, figure, layout, scale_notes, y_axis
from app.i18n import DEFAULT, alone, joined, name_of

HEIGHT = 220


def draw_switched(analysis: Analysis, fewer: Fewer, language: str = DEFAULT) -> go.Figure:
    """The score of all together in ink, and dashed the score of what was left on; the difference shaded."""
    seconds = middles(analysis)
    whole, part = (np.asarray(line, np.float32) for line in (analysis.sentiment.ticks, fewer.ticks))
    limit = limit_of(float(max(np.abs(whole).max(), np.abs(part).max())))
    shown = kept_of([whole, part])
    mode = "lines" if len(seconds) > 1 else "markers"
    common = {"x": seconds[shown], "mode": mode, "hovertemplate": "%{customdata}"}
    traces = [
        go.Scatter(
            y=whole[shown],
            name=name_of("all", language),
            line={"color": INK, "width": 3},
            customdata=[signed_hundredths(float(v)) for v in whole[shown]],
            **common,
        ),
        go.Scatter(
            y=part[shown],
            name=left_on(fewer.kept, language),
            line={"color": GREY, "width": 2.5, "dash": "6px,4px"},
            fill="tonexty" if len(seconds) > 1 else "none",
            fillcolor=FAINT,
            customdata=[signed_hundredths(float(v)) for v in part[shown]],
            **common,
        ),
    ]
    axis = y_axis(-limit, limit, (0, 1), showgrid=True, gridcolor=FAINT, zeroline=True)
    axis |= {"zerolinecolor": ZERO, "tickvals": [-limit, 0, limit]}
    notes = scale_notes(limit, language=language)
    over_time = layout(HEIGHT, analysis.end, language=language)
    return figure(traces, **over_time, yaxis=axis, annotations=notes)


def left_on(kept: Sequence[str], language: str = DEFAULT) -> str:
    """ "words and face", "voice alone"."""
    return (
        alone(kept[0], language) if len(kept) == 1 else joined([name_of(m, language) for m in kept], language)
    )

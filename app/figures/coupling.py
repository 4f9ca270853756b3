"""The coupling over time: for each chain, the signed shares of its output that come from every source."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from app.analysis import MODALITIES, Analysis
from app.figures.lines import middles
from app.figures.shares import share_range, share_traces
from app.figures.style import FAINT, TYPE, beside, figure, layout, y_axis
from app.i18n import DEFAULT, name_of, percent

BAND, GAP, FOOT = 120, 26, 38  # pixels


def draw_coupling(analysis: Analysis, language: str = DEFAULT) -> go.Figure:
    """One stacked panel for each target that has shares, in the order words, voice, face, over one time axis."""
    targets = [m for m in MODALITIES if m in analysis.dynamics.share]
    seconds = middles(analysis)
    inside = max(1, len(targets) * BAND + (len(targets) - 1) * GAP)
    traces: list[Any] = []
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    for i, target in enumerate(targets):
        number = "" if i == 0 else str(i + 1)
        sources = analysis.dynamics.share[target]
        low, high = share_range(sources)
        marks = [v for v in (-1, 0, 1, 2) if low <= v <= high]
        top = 1 - i * (BAND + GAP) / inside
        bottom = max(0.0, top - BAND / inside)
        traces += share_traces(sources, seconds, f"y{number}", language, target)
        axes[f"yaxis{number}"] = y_axis(low, high, (bottom, top), zeroline=True, zerolinecolor=FAINT) | {
            "showticklabels": True,
            "tickvals": marks,
            "ticktext": [percent(v, language) for v in marks],
            "tickfont": {"size": 11},
            "ticklabelstandoff": 6,
        }
        notes.append(
            beside(f"<b>{name_of(target, language)}</b>", (top + bottom) / 2, TYPE[target])
            | {"xshift": -50, "align": "right"}
        )
    return figure(
        traces,
        **layout(inside + FOOT + 8, analysis.end, f"y{len(targets)}" if len(targets) > 1 else "y", language),
        **axes,
        annotations=notes,
    )

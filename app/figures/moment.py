"""Why here: what each modality brought in at each earlier moment, as cells of signed colour."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.analysis import MODALITIES, TimedWord
from app.figures.style import FONT, GREY, TYPE, figure
from app.i18n import DEFAULT, name_of, tell
from app.telling.moments import Moment, gather, said_between, shown_from
from app.telling.numbers import clock, signed

COLUMNS = 120
LEAST = 0.1  # points that full colour stands for at least: next to nothing must not look like much
UP, DOWN = "43,154,87", "154,79,176"
"""Green up and purple down: apart for every common kind of colour blindness, and both read on light and dark."""
SCALE = [
    [0.0, f"rgba({DOWN},1)"],
    [0.25, f"rgba({DOWN},0.55)"],
    [0.5, "rgba(128,138,152,0.10)"],
    [0.75, f"rgba({UP},0.55)"],
    [1.0, f"rgba({UP},1)"],
]


def draw_moment(moment: Moment, words: Sequence[TimedWord] = (), language: str = DEFAULT) -> go.Figure | None:
    """Three rows over the time up to the moment, words on top; the sums beside them.

    Starts where the pulls that are still felt begin. Every cell tells its exact points. None where nothing was
    observed by then: there is nothing to draw.
    """
    if not moment.sources:
        return None
    first = shown_from(moment)
    names = [m for m in MODALITIES if m in moment.sources]
    found = [gather(moment.sources[m], first, COLUMNS) for m in names]
    edges = np.array([moment.starts[i] for i in found[0][0]] + [moment.seconds + moment.step])
    values = np.array([sums for _, sums in found])
    most = max(LEAST, float(np.abs(values).max(initial=0)))
    cells = go.Heatmap(
        x=edges,
        y=[name_of(m, language) for m in names],
        z=values / most,
        zmin=-1,
        zmax=1,
        colorscale=SCALE,
        showscale=False,
        xgap=1 if len(edges) < 70 else 0,
        ygap=7,
        customdata=[
            _told(name_of(m, language), sums, edges, words, language)
            for m, (_, sums) in zip(names, found, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    return figure(
        [cells], **_layout(len(names), edges, language), annotations=_notes(moment, names, language)
    )


def _told(name: str, sums: Any, edges: Any, words: Sequence[TimedWord], language: str) -> list[str]:
    """What each cell of a row tells."""
    told = []
    for start, end, value in zip(edges, edges[1:], sums, strict=False):
        said = html.escape(" ".join(said_between(words, start, end)), quote=False)
        told.append(
            f"<b>{clock(start)} {name}</b><br>{tell('why.cell', language, score=signed(float(value), 3))}"
            f"{'<br>' + tell('quote', language, words=said) if said else ''}"
        )
    return told


def _layout(rows: int, edges: Any, language: str) -> dict[str, Any]:
    return {
        "height": 56 + 66 * rows,
        "autosize": True,
        "margin": {"l": 54, "r": 58, "t": 4, "b": 34, "autoexpand": False},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": GREY},
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": "#d5dae2", "font": {"color": "#1d2431"}},
        "xaxis": {
            "range": [float(edges[0]), float(edges[-1])],
            "fixedrange": True,
            "ticksuffix": tell("seconds.suffix", language),
            "showgrid": False,
            "zeroline": False,
            "nticks": 7,
        },
        "yaxis": {
            "autorange": "reversed",
            "fixedrange": True,
            "showgrid": False,
            "showticklabels": False,
            "ticks": "",
        },
    }


def _notes(moment: Moment, names: Sequence[str], language: str) -> list[dict[str, Any]]:
    """Each row's name at its left and its sum at its right."""
    rows = {m: name_of(m, language) for m in names}
    left = [_beside(m, row, row, 0, -10, "right") for m, row in rows.items()]
    return left + [_beside(m, row, signed(moment.pull(m), 2), 1, 8, "left") for m, row in rows.items()]


def _beside(modality: str, row: str, text: str, x: int, shift: int, anchor: str) -> dict[str, Any]:
    return {
        "text": f"<b>{text}</b>",
        "x": x,
        "xref": "paper",
        "xanchor": anchor,
        "xshift": shift,
        "y": row,
        "yref": "y",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"size": 12, "color": TYPE[modality]},
    }

"""What all pictures share: names, colours, type, and the empty layout they start from.

One colour a modality everywhere: blue, amber and teal differ in lightness as well as hue, so they stay apart for
every common kind of colour blindness. Type in them is darker than lines and areas are, or amber letters would fade on
white. Colours of type, and ink, are exact values that the style sheet replaces on a dark background (see `cards.css`);
everything else reads on both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.i18n import DEFAULT, tell

COLOURS = {"text": "#3b6fd4", "audio": "#c07a00", "visual": "#12907f"}
TYPE = {"text": "#2f5fc0", "audio": "#9a6100", "visual": "#0c7567"}  # as --cm-*-type in `cards.css`
INK = "#1d2430"
GREY = "#667080"
FAINT = "rgba(128,138,152,0.22)"
ZERO = "rgba(128,138,152,0.55)"  # the line of score 0
POSITIVE, NEGATIVE = "#1f7a4d", "#8a3fa3"  # green up and purple down, as in `moment.py`, for every eye
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', Arial, sans-serif"
LEFT, RIGHT = 100, 14  # pixels: at the left there is room for "negative  −1.5", which no margin may cut


def layout(height: int, end: float, lowest: str = "y", language: str = DEFAULT) -> dict[str, Any]:
    """The layout every picture over time starts from: x in seconds from 0 to `end`, transparent, hover over all.

    The time axis stands under the y axis `lowest`. `clock.js` writes its seconds as "0:05", and those of the hover.
    """
    return {
        "height": height,
        "autosize": True,
        "margin": {"l": LEFT, "r": RIGHT, "t": 8, "b": 30, "autoexpand": False},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": GREY},
        "showlegend": False,
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "hoverdistance": 60,
        "hoverlabel": {
            "bgcolor": "#ffffff",
            "bordercolor": "#d5dae2",
            "font": {"family": FONT, "size": 12, "color": "#1d2431"},
        },
        "dragmode": "zoom",
        "xaxis": {
            "anchor": lowest,
            "range": [0, end],
            "minallowed": 0,
            "maxallowed": end,
            "ticksuffix": tell("seconds.suffix", language),
            "hoverformat": ".1f",
            "exponentformat": "none",
            "showgrid": False,
            "zeroline": False,
            "nticks": 12,
            "ticks": "outside",
            "ticklen": 4,
            "tickcolor": FAINT,
            "showspikes": True,
            "spikemode": "across",
            "spikesnap": "cursor",
            "spikethickness": 1,
            "spikedash": "solid",
            "spikecolor": "#8a93a1",
        },
    }


def y_axis(low: float, high: float, domain: tuple[float, float], **more: Any) -> dict[str, Any]:
    """A y axis of one band of a picture; it cannot be dragged, so that a drag always looks closer in time."""
    return {
        "range": [low, high],
        "domain": list(domain),
        "fixedrange": True,
        "anchor": "x",
        "showgrid": False,
        "zeroline": False,
        "showticklabels": False,
        **more,
    }


def beside(text: str, y: float, colour: str = GREY, size: int = 12, hint: str = "") -> dict[str, Any]:
    """An annotation in the left margin at height `y` (0..1 of the picture); pointed at, it tells its `hint`."""
    explained = {"hovertext": hint, "captureevents": True} if hint else {}
    return explained | {
        "text": text,
        "x": 0,
        "xref": "paper",
        "xanchor": "right",
        "xshift": -10,
        "y": y,
        "yref": "paper",
        "yanchor": "middle",
        "align": "right",
        "showarrow": False,
        "font": {"size": size, "color": colour},
    }


def score_axis(
    ends: tuple[float, float], domain: tuple[float, float], *, halves: bool = False
) -> dict[str, Any]:
    """The y axis of a band of scores, with a line at its ends and at 0; with `halves` also halfway to each end."""
    marks = [*ends, 0.0, *((end / 2 for end in ends) if halves else ())]
    lines: dict[str, Any] = {
        "showgrid": True,
        "gridcolor": FAINT,
        "zeroline": True,
        "zerolinecolor": ZERO,
    }
    return y_axis(*ends, domain, **lines, tickvals=sorted(set(marks)))


def scale_notes(
    ends: tuple[float, float], bottom: float = 0.0, top: float = 1.0, language: str = DEFAULT
) -> list[dict[str, Any]]:
    """What the ends of a scale of scores and its 0 mean, beside its band from `bottom` to `top`."""
    low, high = ends
    places = [("neutral", 0.0, bottom + (top - bottom) * -low / (high - low))]
    if high > 0:
        places.insert(0, ("positive", high, top))
    if low < 0:
        places.append(("negative", -low, bottom))
    return [beside(tell(f"timeline.{name}", language, limit=f"{end:g}"), y) for name, end, y in places]


def figure(traces: list[Any], **rest: Any) -> go.Figure:
    """A figure without plotly's own template, which would bring its colours and weight.

    The hover lists traces in the order given: with stacked areas about, plotly lists by falling rank.
    """
    for rank, trace in enumerate(traces):
        trace.legendrank = len(traces) - rank
    return go.Figure(data=traces, layout={"template": "none", **rest})


def ready() -> None:
    """Have plotly import all that is drawn with: a sixth of a second.

    It imports each part when that is first used, and two threads that begin with it at once can end in a deadlock.
    """
    at, thin = np.zeros(1), {"width": 1}
    axes = {"yaxis": y_axis(0, 1, (0, 1), tickfont={"size": 9}), "annotations": [beside("", 0)]}
    traces = [
        go.Scatter(x=at, y=at, line=thin, marker={"size": 1}, textfont={"size": 9}, customdata=at),
        go.Bar(x=at, y=at, marker={"color": INK, "line": thin}),
        go.Heatmap(z=[at]),
    ]
    figure(traces, **layout(100, 1.0, "y"), **axes).update_xaxes(range=[0, 1]).to_plotly_json()

"""One target's source shares as stacked areas, positives above zero and negatives below."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import Line
from app.figures.style import COLOURS, NAMES

HIGHEST, LOWEST = 2.0, -1.0
"""The most an axis shows: near cancellation shares grow without bound, and would flatten all the rest."""


def share_traces(sources: Mapping[str, Line], seconds: NDArray[np.float32], axis: str) -> list[Any]:
    """Two areas a source on y axis `axis`: its positive part stacked upwards, its negative part downwards.

    Only the first is hovered; it tells the signed share, and that it is off the scale where it is.
    """
    low, high = share_range(sources)
    traces: list[Any] = []
    for source, line in sources.items():
        values = np.asarray(line, np.float32)
        told = [_tell(v, low, high) for v in values]
        common = {
            "x": seconds,
            "yaxis": axis,
            "mode": "lines",
            "line": {"width": 0, "color": COLOURS[source]},
            "fillcolor": _fill(COLOURS[source]),
        }
        traces.append(
            go.Scatter(
                **common,
                y=values.clip(0),
                stackgroup=f"{axis} up",
                name=f"from {NAMES[source]}",
                customdata=told,
                hovertemplate="%{customdata}",
            )
        )
        if (values < 0).any():
            traces.append(
                go.Scatter(**common, y=values.clip(None, 0), stackgroup=f"{axis} down", hoverinfo="skip")
            )
    return traces


def share_range(sources: Mapping[str, Line]) -> tuple[float, float]:
    """The axis that shows 99 % of the ticks whole, in quarters, within LOWEST..HIGHEST and always over 0..1."""
    if not sources:
        return 0.0, 1.0
    values = np.array([sources[m] for m in sources])
    top = float(np.quantile(values.clip(0).sum(0), 0.99))
    bottom = float(np.quantile(values.clip(None, 0).sum(0), 0.01))
    high = min(HIGHEST, max(1.0, math.ceil(4 * top - 0.04) / 4))
    low = max(LOWEST, min(0.0, math.floor(4 * bottom + 0.04) / 4))
    return low, high


def _tell(value: float, low: float, high: float) -> str:
    sign = "−" if value < 0 else ""
    off = " (off the scale)" if value > high or value < low else ""
    return f"{sign}{abs(100 * value):.0f} %{off}"


def _fill(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.72)"

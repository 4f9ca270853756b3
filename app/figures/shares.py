"""One target's source shares as stacked areas, positives above zero and negatives below."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import Line
from app.figures.reduce import kept_of
from app.figures.style import COLOURS
from app.i18n import DEFAULT, name_of, percent, tell

HIGHEST, LOWEST = 2.0, -1.0
"""The most an axis shows: near cancellation shares grow without bound, and would flatten all the rest."""


def share_traces(
    sources: Mapping[str, Line],
    seconds: NDArray[np.float32],
    axis: str,
    language: str = DEFAULT,
    target: str | None = None,
) -> list[Any]:
    """Two areas a source on y axis `axis`: its positive part stacked upwards, its negative part downwards.

    Only the first is hovered; it tells the signed share, and that it is off the scale where it is. Where several
    targets stand in one picture, `target` is named in the hover.
    """
    low, high = share_range(sources)
    traces: list[Any] = []
    lines = {source: np.asarray(line, np.float32) for source, line in sources.items()}
    shown = kept_of(lines.values()) if lines else np.zeros(0, np.intp)  # areas are stacked at the same ticks
    # Before anything was put in there is nothing to share: an area that rises from there would be a share of it.
    some = np.array([any(line[i] for line in lines.values()) for i in shown], bool)
    shown = shown[np.logical_or.accumulate(some)]
    for source, line in lines.items():
        values = line[shown]
        told = [_tell(v, low, high, language) for v in values]
        common = {
            "x": seconds[shown],
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
                name=_name(source, target, language),
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


def _name(source: str, target: str | None, language: str) -> str:
    if target is None:
        return tell("share.from", language, name=name_of(source, language))
    return tell("share.into", language, target=name_of(target, language), source=name_of(source, language))


def _tell(value: float, low: float, high: float, language: str) -> str:
    """The share in whole percent, by which it is off the scale too: "0 %" never is."""
    share = percent(value, language)
    return share if low <= round(value, 2) <= high else tell("share.off", language, share=share)


def _fill(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.72)"

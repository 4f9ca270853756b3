"""The time line: sentiment, words, source shares, state norms and presence over one axis in seconds.

One figure with several y axes on a single x, so that zooming and hovering act on all at once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import MODALITIES, Analysis
from app.figures.lines import interval_band, middles, score_limit, score_line, word_hover
from app.figures.shares import share_range, share_traces
from app.figures.style import COLOURS, FAINT, INK, NAMES, OWNERS, beside, figure, layout, y_axis
from app.figures.words import LANES, moved_words, since_observed, word_traces

HEIGHT = 720
BANDS = {
    "sentiment": (0.66, 1.0),
    "words": (0.465, 0.635),
    "shares": (0.24, 0.43),
    "norms": (0.10, 0.215),
    "presence": (0.0, 0.065),
}


def draw_timeline(analysis: Analysis, target: str = "text") -> go.Figure:
    """Everything over time; the shares are those of the chain `target` ("text", "audio" or "visual").

    Raises ValueError for a target without shares.
    """
    if target not in analysis.dynamics.share:
        known = ", ".join(analysis.dynamics.share) or "none"
        raise ValueError(f"there are no shares of {target!r}: choose one of {known}")
    seconds = middles(analysis)
    sources = analysis.dynamics.share[target]
    moved = moved_words(analysis)
    traces = [
        *_sentiment(analysis, seconds),
        *word_traces(moved, analysis.end, "y2"),
        word_hover(analysis, seconds, "y2"),
        *share_traces(sources, seconds, "y3"),
        *_norms(analysis, seconds),
        *_presence(analysis),
    ]
    limit, norm = score_limit([analysis]), _norm_limit(analysis)
    low, high = share_range(sources)
    axes = {
        "yaxis": y_axis(-limit, limit, BANDS["sentiment"], showgrid=True, gridcolor=FAINT, zeroline=True)
        | {"zerolinecolor": "rgba(128,138,152,0.55)", "tickvals": _score_ticks(limit)},
        "yaxis2": y_axis(-1.1, 1.2 + LANES, BANDS["words"], zeroline=True, zerolinecolor=FAINT),
        "yaxis3": y_axis(low, high, BANDS["shares"], zeroline=low < 0, zerolinecolor=FAINT),
        "yaxis4": y_axis(0, norm, BANDS["norms"]),
        "yaxis5": y_axis(-0.5, 2.5, BANDS["presence"]),
    }
    notes = _notes(target, limit, low, high)
    return figure(traces, **layout(HEIGHT, analysis.end, "y5"), **axes, annotations=notes, barmode="overlay")


def _sentiment(analysis: Analysis, seconds: NDArray[np.float32]) -> list[Any]:
    """The line of all together, in ink and on top, with its interval as a band, and each modality's own line."""
    alone = analysis.sentiment.alone
    lines = [
        # Before it was first observed a modality says nothing, so nothing is drawn.
        score_line(
            seconds,
            since_observed(alone[m].ticks, analysis.presence[m], math.nan),
            "y",
            COLOURS[m],
            f"{NAMES[m]} alone",
            1.6,
            between=alone[m].interval,
        )
        for m in MODALITIES
        if m in alone
    ]
    between = analysis.sentiment.interval
    whole = score_line(seconds, analysis.sentiment.ticks, "y", INK, "all together", 3, between=between)
    whole.zorder = 1
    return [whole, *lines, *([] if between is None else [interval_band(seconds, between)])]


def _norms(analysis: Analysis, seconds: NDArray[np.float32]) -> list[Any]:
    norms = analysis.dynamics.state_norm
    return [
        score_line(seconds, norms[m], "y4", COLOURS[m], f"{NAMES[m]} state", 1.5, "{:.2f}".format)
        for m in MODALITIES
        if m in norms
    ]


def _presence(analysis: Analysis) -> list[Any]:
    """A bar for every stretch in which a modality was observed, words on top."""
    bars = []
    for row, name in enumerate(reversed(MODALITIES)):
        spans = stretches(np.asarray(analysis.presence.get(name, ())) > 0)
        starts = [analysis.ticks.start[a] for a, _ in spans]
        ends = [analysis.ticks.start[b - 1] + analysis.ticks.step for _, b in spans]
        bars.append(
            go.Bar(
                x=[b - a for a, b in zip(starts, ends, strict=True)],
                base=starts,
                y=[row] * len(spans),
                orientation="h",
                width=0.55,
                yaxis="y5",
                marker={"color": COLOURS[name], "line": {"width": 0}},
                hoverinfo="skip",
            )
        )
    return bars


def stretches(seen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, end) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _norm_limit(analysis: Analysis) -> float:
    norms = list(analysis.dynamics.state_norm.values())
    return 1.08 * max((max(line) for line in norms), default=0.0) or 1.0


def _score_ticks(limit: float) -> list[float]:
    return [-limit, -limit / 2, 0, limit / 2, limit]


def _notes(target: str, limit: float, low: float, high: float) -> list[dict[str, Any]]:
    """The names of the bands, in the left margin."""

    def at(band: str, share: float) -> float:
        bottom, top = BANDS[band]
        return bottom + share * (top - bottom)

    return [
        beside(f"positive  +{limit:g}", at("sentiment", 1)),
        beside("neutral  0", at("sentiment", 0.5)),
        beside(f"negative  −{limit:g}", at("sentiment", 0)),
        beside("how far each<br>word pulls", at("words", 0.24), size=11),
        beside("what moves", at("shares", 0.9)),
        beside(f"<b>{OWNERS[target]}</b>", at("shares", 0.72), COLOURS[target]),
        beside("state", at("shares", 0.54)),
        beside(f"{100 * low:.0f} to {100 * high:.0f} %".replace("-", "−"), at("shares", 0.06), size=11),
        beside("state size", at("norms", 0.5)),
        beside("heard,<br>seen", at("presence", 0.5)),
    ]

"""The time line: sentiment, words, source shares, state norms and presence over one axis in seconds.

One figure with several y axes on a single x, so that zooming and hovering act on all at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.analysis import MODALITIES, Analysis
from app.figures.lines import interval_band, middles, score_line, score_range, text_hover, word_hover
from app.figures.reading import readings
from app.figures.reduce import MOST
from app.figures.shares import share_range, share_traces
from app.figures.style import (
    COLOURS,
    FAINT,
    INK,
    TYPE,
    beside,
    figure,
    layout,
    scale_notes,
    score_axis,
    y_axis,
)
from app.figures.tone import add_tone
from app.figures.words import lanes_of, moved_words, place, word_list, word_traces
from app.i18n import DEFAULT, alone, name_of, tell
from app.telling.observed import told_line

LANE = 18  # pixels of a line of words
BELOW = {"shares": (164, 293), "norms": (68, 147), "presence": (0, 44)}
"""Where the bands below the words stand, pixels from the bottom."""
WORDS, SCORES, GAP = 317, 232, 17
"""Pixels: from the bottom to the words, of the scores' band, between these two."""
PULLS = 2.3  # lines of words that the bars under them take
MARGINS = 38  # pixels above and below all bands

Ends = tuple[float, float]
Bands = dict[str, Ends]


def draw_timeline(
    analysis: Analysis, target: str = "text", language: str = DEFAULT, tone: bool = False
) -> go.Figure:
    """Everything over time; the shares are those of the chain `target` ("text", "audio" or "visual").

    With `tone` the voice's pitch and loudness stand under the rest, where the analysis knows them.
    Raises ValueError for a target without shares.
    """
    if target not in analysis.dynamics.share:
        known = ", ".join(analysis.dynamics.share) or "none"
        raise ValueError(f"there are no shares of {target!r}: choose one of {known}")
    seconds = middles(analysis)
    sources = analysis.dynamics.share[target]
    moved = moved_words(analysis)
    places = place(moved, analysis.end)
    traces = [
        *_sentiment(analysis, seconds, language),
        *word_traces(moved, places, "y2"),
        word_hover(analysis, seconds, "y2", language),
        *share_traces(sources, seconds, "y3", language),
        *_norms(analysis, seconds, language),
        *_presence(analysis),
        _presence_hover(analysis, seconds, language),
    ]
    ends, reach = score_range([analysis]), share_range(sources)
    lanes = lanes_of(places)
    inside, bands = _bands(lanes)
    axes = _axes(bands, ends, reach, _norm_limit(analysis), lanes)
    picture = figure(
        traces,
        **(layout(inside + MARGINS, analysis.end, "y5", language) | axes),
        # As long as this stays, as with another target, `windows.js` leaves the stretch that is shown as it is.
        uirevision=f"{len(seconds)} {analysis.sentiment.clip.score}",
        # For `words.js`, which lays them out anew for every stretch, and for `reading.js`.
        meta={"words": word_list(moved), "readings": readings(analysis)},
        annotations=_notes(bands, target, ends, reach, language),
        barmode="overlay",
    )
    if tone and analysis.tone is not None:
        add_tone(picture, analysis.tone, seconds, language)
    return picture


def _bands(lanes: int) -> tuple[int, dict[str, tuple[float, float]]]:
    """Pixels of all bands together, and which share of them each takes, with `lanes` lines of words."""
    top = WORDS + round((PULLS + lanes) * LANE)
    inside = top + GAP + SCORES
    pixels = {"sentiment": (top + GAP, inside), "words": (WORDS, top), **BELOW}
    return inside, {band: (low / inside, high / inside) for band, (low, high) in pixels.items()}


def _axes(bands: Bands, ends: Ends, reach: Ends, norm: float, lanes: int) -> dict[str, Any]:
    """The bands' y axes: scores within `ends`, shares within `reach`, norms up to `norm`.

    From the words' axis `words.js` reads how many lanes there are.
    """
    return {
        "yaxis": score_axis(ends, bands["sentiment"], halves=True),
        "yaxis2": y_axis(-1.1, PULLS - 1.1 + lanes, bands["words"], zeroline=True, zerolinecolor=FAINT),
        "yaxis3": y_axis(*reach, bands["shares"], zeroline=reach[0] < 0, zerolinecolor=FAINT),
        "yaxis4": y_axis(0, norm, bands["norms"]),
        "yaxis5": y_axis(-0.5, 2.5, bands["presence"]),
    }


def _sentiment(analysis: Analysis, seconds: NDArray[np.float32], language: str) -> list[Any]:
    """The line of all together, in ink and on top, with its interval as a band, and each modality's own line."""
    said = analysis.sentiment.alone
    lines = [
        # Before it was first observed a modality says nothing, nor after it last was, so nothing is drawn.
        score_line(
            seconds,
            told_line(analysis, said[m].ticks, m),
            "y",
            COLOURS[m],
            alone(m, language),
            1.6,
            between=said[m].interval,
            language=language,
        )
        for m in MODALITIES
        if m in said
    ]
    between = analysis.sentiment.interval
    name = name_of("all", language)
    line = told_line(analysis, analysis.sentiment.ticks)
    whole = score_line(seconds, line, "y", INK, name, 3, between=between, language=language)
    whole.zorder = 1
    return [whole, *lines, *([] if between is None else [interval_band(analysis, between)])]


def _norms(analysis: Analysis, seconds: NDArray[np.float32], language: str) -> list[Any]:
    norms = analysis.dynamics.state_norm
    return [
        score_line(
            seconds,
            norms[m],
            "y4",
            COLOURS[m],
            tell("timeline.state", language, name=name_of(m, language)),
            1.5,
            "{:.2f}".format,
        )
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


def _presence_hover(analysis: Analysis, seconds: NDArray[np.float32], language: str) -> Any:
    texts = _observed(analysis, language)
    return text_hover(texts, seconds, "y5", tell("table.seen", language), each=1 + len(texts) // MOST)


def _observed(analysis: Analysis, language: str) -> list[str]:
    """At each tick what was heard and seen: "words, voice"; a dash where nothing was."""
    comma, names = tell("join.comma", language), {m: name_of(m, language) for m in MODALITIES}
    lines = zip(*(analysis.presence[m] for m in MODALITIES), strict=True)
    return [
        comma.join(names[m] for m, there in zip(MODALITIES, tick, strict=True) if there > 0) or "–"
        for tick in lines
    ]


def stretches(seen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, end) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _norm_limit(analysis: Analysis) -> float:
    norms = list(analysis.dynamics.state_norm.values())
    return 1.08 * max((max(line) for line in norms), default=0.0) or 1.0


def _notes(bands: Bands, target: str, ends: Ends, reach: Ends, language: str) -> list[dict[str, Any]]:
    """The names of the bands, in the left margin."""

    def at(band: str, share: float) -> float:
        bottom, top = bands[band]
        return bottom + share * (top - bottom)

    hints = {
        band: tell(f"timeline.hint.{band}", language) for band in ("pulls", "moves", "norms", "presence")
    }
    low, high = (f"{100 * end:.0f}".replace("-", "−") for end in reach)
    return [
        *scale_notes(ends, *bands["sentiment"], language),
        beside(
            tell("timeline.pulls", language),
            (WORDS + 1.5 * LANE) / WORDS * bands["words"][0],
            size=11,
            hint=hints["pulls"],
        ),
        beside(tell("timeline.moves_before", language), at("shares", 0.9), hint=hints["moves"]),
        beside(
            f"<b>{tell(f'owner.{target}', language)}</b>",
            at("shares", 0.72),
            TYPE[target],
            hint=hints["moves"],
        ),
        beside(tell("timeline.moves_after", language), at("shares", 0.54), hint=hints["moves"]),
        beside(
            tell("timeline.range", language, low=low, high=high),
            at("shares", 0.06),
            size=11,
            hint=hints["moves"],
        ),
        beside(tell("timeline.norms", language), at("norms", 0.5), hint=hints["norms"]),
        beside(tell("timeline.presence", language), at("presence", 0.5), hint=hints["presence"]),
    ]

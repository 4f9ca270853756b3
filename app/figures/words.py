"""Words along the time axis: a bar for how far each took the score, and its text where there is room."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.analysis import Analysis, Line, TimedWord
from app.figures.style import FAINT, GREY, NEGATIVE, POSITIVE

LANES = 4
WIDTH = 760.0  # pixels that the time axis has at least (page.css sees to it); text is laid out for this
LETTER, GAP = 6.6, 7.0  # pixels a letter of 12 px type takes, and the least gap between words
WIDE = 12.0  # pixels of a Chinese or Japanese character, which fills its square
MOVES, MOVES_MUCH = 0.25, 0.75  # pull from which a word is coloured, and set in bold


@dataclass(frozen=True)
class MovedWord:
    """A word and its pull: how far it took the words' own score away from neutral, up (> 0) or down (< 0).

    A return towards neutral counts as nothing, or the pause after every strong word would colour the next one.
    """

    word: TimedWord
    pull: float


def moved_words(analysis: Analysis) -> list[MovedWord]:
    """Each word with its pull, from the words' score before it began to that at the tick where it ends.

    Before any word was heard that score counts as neutral. Without a score of the words every pull is 0.
    """
    alone = analysis.sentiment.alone.get("text")
    if alone is None:
        return [MovedWord(w, 0.0) for w in analysis.transcript.words]
    step, last = analysis.ticks.step, len(alone.ticks) - 1
    line = (0.0, *since_observed(alone.ticks, analysis.presence["text"], 0.0))
    moved = []
    for word in analysis.transcript.words:
        first = min(last, max(0, int(word.start / step)))
        end = min(last, max(first, int(np.ceil(word.end / step - 1e-6)) - 1))
        moved.append(MovedWord(word, _pull(line[first], line[end + 1])))
    return moved


def since_observed(line: Line, presence: Line, before: float) -> Line:
    """The line, with `before` in place of what it says before the modality was first observed."""
    first = next((i for i, seen in enumerate(presence) if seen > 0), len(line))
    return (before,) * first + line[first:]


def _pull(before: float, after: float) -> float:
    return max(0.0, after - max(0.0, before)) if after > 0 else min(0.0, after - min(0.0, before))


def colour(pull: float) -> str:
    """Green where the word took the score up, crimson where it took it down, grey in between."""
    return GREY if abs(pull) < MOVES else POSITIVE if pull > 0 else NEGATIVE


def place(words: list[MovedWord], seconds: float) -> dict[int, int]:
    """{word: lane} of the words whose text fits without overlap.

    Words choose in the order of `choosing`. `words.js` does the same for the stretch that is shown on a screen.
    """
    taken: list[list[tuple[float, float]]] = [[] for _ in range(LANES)]
    lanes = {}
    for i in choosing(words):
        middle = (words[i].word.start + words[i].word.end) / 2 / max(seconds, 1e-6) * WIDTH
        half = (_width(words[i].word.word) + GAP) / 2
        for lane, spans in enumerate(taken):
            if all(middle + half <= a or middle - half >= b for a, b in spans):
                spans.append((middle - half, middle + half))
                lanes[i] = lane
                break
    return lanes


def choosing(words: list[MovedWord]) -> list[int]:
    """The order in which words choose their place: those that pull, the strongest first, then the others as spoken."""

    def weight(moved: MovedWord) -> float:
        return abs(moved.pull) if abs(moved.pull) >= MOVES else 0.0

    return sorted(range(len(words)), key=lambda i: -weight(words[i]))


def word_list(words: list[MovedWord]) -> list[list[Any]]:
    """[text, seconds of its middle, colour, pull, width in pixels] of every word, in the order of `choosing`."""
    return [
        [
            _set(words[i]),
            round((words[i].word.start + words[i].word.end) / 2, 3),
            colour(words[i].pull),
            round(words[i].pull, 2),
            round(_width(words[i].word.word), 1),
        ]
        for i in choosing(words)
    ]


def _width(text: str) -> float:
    """Pixels that the text takes: marks that stand over another letter take none."""
    letters = [c for c in text if not unicodedata.combining(c)]
    return sum(WIDE if unicodedata.east_asian_width(c) in "WF" else LETTER for c in letters)


def word_traces(words: list[MovedWord], seconds: float, axis: str) -> list[Any]:
    """Bars between -1 and 1 (the pull) and text above them, up to 1.2 + LANES."""
    if not words:
        return []
    starts = np.array([w.word.start for w in words])
    ends = np.array([w.word.end for w in words])
    middles, colours = (starts + ends) / 2, [colour(w.pull) for w in words]
    bars = go.Bar(
        x=middles,
        y=np.clip([w.pull for w in words], -1, 1),
        width=np.maximum(ends - starts, 0.04),
        yaxis=axis,
        marker={"color": [FAINT if c == GREY else c for c in colours], "line": {"width": 0}},
        hoverinfo="skip",
    )
    lanes = place(words, seconds)
    used = max(lanes.values()) + 1
    text = go.Scatter(
        x=[middles[i] for i in lanes],
        y=[1.6 + used - 1 - lane for lane in lanes.values()],
        text=[_set(words[i]) for i in lanes],
        textfont={"color": [colours[i] for i in lanes], "size": 12},
        mode="text",
        meta="words",  # by this `words.js` finds it
        cliponaxis=False,
        yaxis=axis,
        hoverinfo="skip",
    )
    return [bars, text]


def words_at(analysis: Analysis) -> list[str]:
    """The words heard in each tick, joined; a dash where there are none."""
    found: list[list[str]] = [[] for _ in analysis.ticks.start]
    step = analysis.ticks.step
    for word in analysis.transcript.words:
        first = max(0, int(word.start / step))
        for i in range(first, min(len(found), max(first + 1, int(np.ceil(word.end / step - 1e-6))))):
            found[i].append(word.word)
    return [" ".join(w) or "–" for w in found]


def _set(moved: MovedWord) -> str:
    """The word for plotly's text, which knows some HTML: what looks like a tag must not become one."""
    text = moved.word.word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<b>{text}</b>" if abs(moved.pull) >= MOVES_MUCH else text

"""Words along the time axis: a bar for how far each took the score, and its text where there is room."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.analysis import Analysis, Line, TimedWord
from app.figures.style import FAINT, GREY, NEGATIVE, POSITIVE

LANES = 4
WIDTH = 760.0  # pixels that the time axis has at least (page.css sees to it); text is laid out for this
LETTER = 6.6  # pixels a letter of 12 px type takes
GAP, SPACE, APART = 7.0, 4.0, 16.0  # pixels between words in a row, in a line of a block, and between blocks
BLOCK = 130.0  # pixels from which a block ends
ASTRAY = 20.0  # pixels that a word in a row may stand from its time
SENTENCE_ENDS = tuple(".!?…。！？")
WIDE = 12.0  # pixels of a Chinese or Japanese character, which fills its square
MOVES, MOVES_MUCH = 0.25, 0.75  # pull from which a word is coloured, and set in bold

Places = dict[int, tuple[float, int]]


@dataclass(frozen=True)
class MovedWord:
    """A word and its pull: how far it took the words' own score away from neutral, up (> 0) or down (< 0).

    A return towards neutral counts as nothing, or the pause after every strong word would colour the next one.
    """

    word: TimedWord
    pull: float


class Block(NamedTuple):
    """Words [first, stop) that stand together, and the pixels where they begin and that a line of them has."""

    first: int
    stop: int
    left: float
    room: float


def moved_words(analysis: Analysis) -> list[MovedWord]:
    """Each word with its pull, from the words' score before it began to that at the tick where it ends.

    Before any word was heard that score counts as neutral. Without a score of the words every pull is 0.
    """
    alone = analysis.sentiment.alone.get("text")
    if alone is None:
        return [MovedWord(w, 0.0) for w in analysis.transcript.words]
    line = (0.0, *since_observed(alone.ticks, analysis.presence["text"], 0.0))
    moved = []
    for word in analysis.transcript.words:
        said = analysis.ticks.touched(word.start, word.end)
        moved.append(MovedWord(word, _pull(line[said.start], line[said.stop])))
    return moved


def since_observed(line: Line, presence: Line, before: float) -> Line:
    """The line, with `before` in place of what it says before the modality was first observed."""
    first = next((i for i, seen in enumerate(presence) if seen > 0), len(line))
    return (before,) * first + line[first:]


def _pull(before: float, after: float) -> float:
    return max(0.0, after - max(0.0, before)) if after > 0 else min(0.0, after - min(0.0, before))


def colour(pull: float) -> str:
    """Green where the word took the score up, purple where it took it down, grey in between."""
    return GREY if abs(pull) < MOVES else POSITIVE if pull > 0 else NEGATIVE


def place(words: list[MovedWord], seconds: float) -> Places:
    """{word: (seconds at which its text begins, lane)} of the words whose text fits without overlap.

    In one lane, each at its own time, where all of them fit so. Else in blocks as subtitles have them, one after
    another along the axis and each read line by line; which words a block has room for is chosen in the order of
    `choosing`. `words.js` does the same for the stretch that is shown on a screen.
    """
    wide = WIDTH / max(seconds, 1e-6)
    order = sorted(range(len(words)), key=lambda i: (words[i].word.start, i))
    spans = [(wide * words[i].word.start, wide * words[i].word.end) for i in order]
    texts = [words[i].word.word for i in order]
    widths = [_width(text) for text in texts]
    row = _in_a_row(spans, widths)
    if row is not None:
        return {i: (x / wide, 0) for i, x in zip(order, row, strict=True)}
    rank = {i: n for n, i in enumerate(choosing(words))}
    found = {}
    for block in _blocks(spans, widths, texts):
        chosen: list[int] = []
        places: list[tuple[float, int]] = []
        for at in sorted(range(block.first, block.stop), key=lambda at: rank[order[at]]):
            more = sorted([*chosen, at])
            flown = _flow([widths[i] for i in more], block.room)
            if flown is not None:
                chosen, places = more, flown
        for at, (x, lane) in zip(chosen, places, strict=True):
            found[order[at]] = ((block.left + x) / wide, lane)
    return found


def lanes_of(places: Places) -> int:
    """How many lanes the words take, at least one."""
    return 1 + max((lane for _, lane in places.values()), default=0)


def _in_a_row(spans: list[tuple[float, float]], widths: list[float]) -> list[float] | None:
    """Where each text begins, in pixels, in one lane and next to its own time; None where they do not fit so."""
    left, found = 0.0, []
    for (begin, end), width in zip(spans, widths, strict=True):
        own = min((begin + end - width) / 2, WIDTH - width)
        left = max(left, own)
        if left - own > ASTRAY or left + width > WIDTH + ASTRAY:
            return None
        found.append(left)
        left += width + GAP
    return found


def _blocks(spans: list[tuple[float, float]], widths: list[float], texts: list[str]) -> list[Block]:
    """Blocks of the words, whose time in pixels is given: begun at a sentence's end where one is near.

    Each has the room up to the next, but not more than its words take in time: it stands where they are said.
    """
    starts = [0]
    for at in range(1, len(spans)):
        wide = spans[at][0] - spans[starts[-1]][0]
        ended = texts[at - 1][-1:] in SENTENCE_ENDS
        least = max(BLOCK * (0.75 if ended else 1), APART + max(widths[starts[-1] : at]))
        if wide >= least and WIDTH - spans[at][0] >= max(0.75 * BLOCK, *widths[at:]):
            starts.append(at)
    stops = [*starts[1:], len(spans)]
    lefts = [max(0.0, min(spans[0][0], WIDTH - BLOCK)), *(spans[first][0] for first in starts[1:])]
    rights = [*(left - APART for left in lefts[1:]), WIDTH]
    return [
        Block(first, stop, left, min(right - left, max(BLOCK, spans[stop - 1][1] - left)))
        for first, stop, left, right in zip(starts, stops, lefts, rights, strict=True)
    ]


def _flow(widths: list[float], room: float) -> list[tuple[float, int]] | None:
    """(left, lane) of texts set line by line in `room` pixels; None where they need more than LANES lines."""
    found, left, lane = [], 0.0, 0
    for width in widths:
        if left and left + width > room:
            left, lane = 0.0, lane + 1
        if lane >= LANES or width > room:
            return None
        found.append((left, lane))
        left += width + SPACE
    return found


def choosing(words: list[MovedWord]) -> list[int]:
    """The order in which words choose their place: those that pull, the strongest first, then the others as spoken."""

    def weight(moved: MovedWord) -> float:
        return abs(moved.pull) if abs(moved.pull) >= MOVES else 0.0

    return sorted(range(len(words)), key=lambda i: -weight(words[i]))


def word_list(words: list[MovedWord]) -> list[list[Any]]:
    """[text, seconds from, to, colour, pull] of every word, in the order of `choosing`."""
    return [
        [
            _set(words[i]),
            round(words[i].word.start, 3),
            round(words[i].word.end, 3),
            colour(words[i].pull),
            round(words[i].pull, 2),
        ]
        for i in choosing(words)
    ]


def _width(text: str) -> float:
    """Pixels that the text takes: marks that stand over another letter take none."""
    letters = [c for c in text if not unicodedata.combining(c)]
    return sum(WIDE if unicodedata.east_asian_width(c) in "WF" else LETTER for c in letters)


def word_traces(words: list[MovedWord], places: Places, axis: str) -> list[Any]:
    """Bars between -1 and 1 (the pull) and text above them, up to 1.2 + `lanes_of`."""
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
    used = lanes_of(places)
    text = go.Scatter(
        x=[begin for begin, _ in places.values()],
        y=[0.6 + used - lane for _, lane in places.values()],
        text=[_set(words[i]) for i in places],
        textfont={"color": [colours[i] for i in places], "size": 12},
        textposition="middle right",
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
    for word in analysis.transcript.words:
        for i in analysis.ticks.touched(word.start, word.end):
            found[i].append(word.word)
    return [" ".join(w) or "–" for w in found]


def _set(moved: MovedWord) -> str:
    """The word for plotly's text, which knows some HTML: what looks like a tag must not become one."""
    text = moved.word.word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<b>{text}</b>" if abs(moved.pull) >= MOVES_MUCH else text

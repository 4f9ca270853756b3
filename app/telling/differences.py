"""What two analyses differ in, in sentences, tables and plain data: pure functions.

The first is always told before the second, and a difference is the second minus the first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.analysis import AloneScore, Analysis, Sentiment
from app.figures.compare import Side, sources_of
from app.i18n import DEFAULT, alone, joined, name_of, tell
from app.telling.moments import said_between
from app.telling.numbers import clock, signed
from app.telling.observed import observed, telling_ticks, told_part, told_ticks

SCHEMA = "coupled-mamba-comparison/1"
COUPLED, INDEPENDENT = tell("compare.coupled"), tell("compare.uncoupled")
ALIKE = 0.05  # points under which two scores are the same
NEAR = 0.6  # seconds before a moment whose words are quoted with it
ROWS = 300  # rows a table has at most


def sides_of(names: tuple[str, str], first: Analysis, second: Analysis) -> tuple[Side, Side]:
    """The two with their names, numbered where these are the same."""
    if names[0] == names[1]:
        names = f"{names[0]} (1)", f"{names[1]} (2)"
    return Side(names[0], first), Side(names[1], second)


def over_sentences(first: Side, second: Side, language: str = DEFAULT) -> list[str]:
    """Of one clip: where the two differ most, what each says of the whole, which modality alone differs most.

    Only of ticks at which something was observed.
    """
    gap, seen = np.abs(_gap(first, second, "")), observed(first.analysis)
    i = _farthest(gap, first.analysis)
    values = _whole_values(first, second, language) | {"mean": f"{gap[seen].mean():.2f}"}
    if gap[i] < ALIKE:
        told = [tell("compare.nowhere", language, apart=f"{ALIKE:g}")]
    else:
        ticks = first.analysis.ticks
        words = first.analysis.transcript.words
        near = said_between(words, ticks.start[i] - NEAR, ticks.start[i] + ticks.step)[-3:]
        words_there = tell("quote", language, words=" ".join(near).rstrip(".,;:!?"))
        moment = {
            "time": clock(ticks.start[i]),
            "words": words_there,
            "first": signed(first.analysis.sentiment.ticks[i], 2),
            "second": signed(second.analysis.sentiment.ticks[i], 2),
            "apart": f"{gap[i]:.2f}",
        }
        key = "compare.farthest_said" if near else "compare.farthest"
        told = [tell(key, language, **values | moment)]
    return [*told, tell("compare.whole_over", language, **values), *_most_alone(first, second, language)]


def beside_sentences(first: Side, second: Side, language: str = DEFAULT) -> list[str]:
    """Of two clips: what each is as a whole, what it rests on where that is not the same, and which modality's own
    score differs most."""
    apart = abs(second.analysis.sentiment.clip.score - first.analysis.sentiment.clip.score)
    values = _whole_values(first, second, language)
    told = [tell("compare.whole_beside", language, **values, apart=f"{apart:.1f}")]
    rests = [sources_of(side.analysis) for side in (first, second)]
    if rests[0] != rests[1]:
        named = [_all_of(names, language) for names in rests]
        told.append(tell("compare.rests", language, **values | {"first": named[0], "second": named[1]}))
    own = {
        m: tuple(s.analysis.sentiment.alone[m].score for s in (first, second)) for m in _shared(first, second)
    }
    if own:
        most = max(own, key=lambda m: abs(own[m][1] - own[m][0]))
    if own and abs(own[most][1] - own[most][0]) >= ALIKE:
        scores = {"first": signed(own[most][0]), "second": signed(own[most][1])}
        told.append(tell(f"compare.most_beside.{most}", language, **scores))
    return told


def score_table(first: Side, second: Side, language: str = DEFAULT) -> tuple[list[str], list[list[str]]]:
    """(header, rows): the clip's score by all together and by each modality, of both, with the difference."""
    rows = []
    for source in ["", *sources_of(first.analysis, second.analysis)]:
        scores = [_score_of(side, source) for side in (first, second)]
        cells = [
            "–" if s is None else _with_interval(_clip_score(s), _clip_ends(s), language) for s in scores
        ]
        known = [_clip_score(s) for s in scores if s is not None]
        apart = signed(known[1] - known[0]) if len(known) == 2 else "–"
        rows.append([_told(source, language), *cells, apart])
    return ["", first.name, second.name, tell("compare.difference", language)], rows


def over_table(
    first: Side, second: Side, most: int = ROWS, language: str = DEFAULT
) -> tuple[list[str], list[list[str]]]:
    """(header, rows) equal to the picture of one clip: time, words, and both scores by every source.

    Up to `most` rows: in a longer clip a row gives the means of several ticks. A cell is empty where its score was not
    yet, or no longer, observed.
    """
    sources = ["", *sources_of(first.analysis, second.analysis)]
    columns = [(side, m) for m in sources for side in (first, second)]
    told = [told_ticks(side.analysis, m) for side, m in columns]
    header = [tell("table.time", language), tell("table.said", language), *_heads(columns, language)]
    ticks, words = first.analysis.ticks, first.analysis.transcript.words
    each = max(1, math.ceil(len(ticks.start) / most))
    rows = []
    for a in range(0, len(ticks.start), each):
        b = min(len(ticks.start), a + each)
        said = " ".join(said_between(words, ticks.start[a], ticks.start[b - 1] + ticks.step))
        cells = [_cell(*c, told_part(t, a, b), language) for c, t in zip(columns, told, strict=True)]
        rows.append([clock(ticks.start[a]), said, *cells])
    return header, rows


def beside_table(
    first: Side, second: Side, most: int = ROWS, language: str = DEFAULT
) -> tuple[list[str], list[list[str]]]:
    """(header, rows) equal to the two pictures: time from each clip's start, and all scores of both; "" past an end."""
    columns = [(side, m) for side in (first, second) for m in ["", *sources_of(side.analysis)]]
    told = [told_ticks(side.analysis, m) for side, m in columns]
    header = [tell("table.time", language), *_heads(columns, language)]
    longest = max((first.analysis, second.analysis), key=lambda a: len(a.ticks.start))
    each = max(1, math.ceil(len(longest.ticks.start) / most))
    starts = range(0, len(longest.ticks.start), each)
    rows = []
    for a in starts:
        cells = [_cell(*c, told_part(t, a, a + each), language) for c, t in zip(columns, told, strict=True)]
        rows.append([clock(longest.ticks.start[a]), *cells])
    return header, rows


def comparison_of(first: Side, second: Side, *, same_clip: bool) -> dict[str, Any]:
    """Both analyses and what they differ in, as plain data in the schema coupled-mamba-comparison/1.

    `scores` has by "together", "text", "audio" and "visual" the two scores of the clip and the second minus the
    first, None where one is not known.
    """
    scores = {}
    for source in ["", *sources_of(first.analysis, second.analysis)]:
        found = [_score_of(side, source) for side in (first, second)]
        a, b = (None if s is None else _clip_score(s) for s in found)
        apart = None if a is None or b is None else b - a
        scores[source or "together"] = {"first": a, "second": b, "difference": apart}
    sentences = over_sentences(first, second) if same_clip else beside_sentences(first, second)
    return {
        "schema": SCHEMA,
        "same_clip": same_clip,
        "names": [first.name, second.name],
        "sentences": sentences,
        "scores": scores,
        "first": first.analysis.to_dict(),
        "second": second.analysis.to_dict(),
    }


def _all_of(names: list[str], language: str) -> str:
    """ "words and voice", "face alone"."""
    return (
        alone(names[0], language)
        if len(names) == 1
        else joined([name_of(m, language) for m in names], language)
    )


def _gap(first: Side, second: Side, source: str) -> NDArray[np.float64]:
    """Second minus first at every tick [L]."""
    lines = [np.asarray(_known(side, source).ticks, np.float64) for side in (first, second)]
    return lines[1] - lines[0]


def _farthest(gap: NDArray[np.float64], analysis: Analysis) -> int:
    """The tick of the widest gap, as `telling_ticks` has it past the clip's start unless the two differ there alone."""
    offered = telling_ticks(analysis)
    if gap[offered].max() < ALIKE:
        offered = np.flatnonzero(observed(analysis))
    return int(offered[np.argmax(gap[offered])])


def _most_alone(first: Side, second: Side, language: str) -> list[str]:
    """The sentence on the modality whose own lines are farthest apart, over the ticks at which it was observed."""
    means = {}
    for m in _shared(first, second):
        seen = np.asarray(first.analysis.presence[m]) > 0
        means[m] = float(np.abs(_gap(first, second, m))[seen].mean()) if seen.any() else 0.0
    if len(means) < 2:
        return []
    most = max(means, key=lambda m: means[m])
    return [tell(f"compare.most_alone.{most}", language, mean=f"{means[most]:.2f}")]


def _shared(first: Side, second: Side) -> list[str]:
    return [m for m in sources_of(first.analysis) if m in second.analysis.sentiment.alone]


def _whole_values(first: Side, second: Side, language: str) -> dict[str, object]:
    clips = first.analysis.sentiment.clip, second.analysis.sentiment.clip
    return {
        "first_name": first.name,
        "second_name": second.name,
        "first_label": tell(f"label.{clips[0].label}", language),
        "second_label": tell(f"label.{clips[1].label}", language),
        "first": signed(clips[0].score),
        "second": signed(clips[1].score),
    }


def _score_of(side: Side, source: str) -> Sentiment | AloneScore | None:
    return side.analysis.sentiment.alone.get(source) if source else side.analysis.sentiment


def _known(side: Side, source: str) -> Sentiment | AloneScore:
    return side.analysis.sentiment.alone[source] if source else side.analysis.sentiment


def _clip_score(score: Sentiment | AloneScore) -> float:
    return score.clip.score if isinstance(score, Sentiment) else score.score


def _clip_ends(score: Sentiment | AloneScore) -> tuple[float, float] | None:
    return None if score.interval is None else (score.interval.low, score.interval.high)


def _with_interval(score: float, ends: tuple[float, float] | None, language: str, digits: int = 1) -> str:
    if ends is None:
        return signed(score, digits)
    low, high = (signed(end, digits) for end in ends)
    return tell("timeline.between", language, score=signed(score, digits), low=low, high=high)


def _cell(side: Side, source: str, ticks: slice, language: str) -> str:
    """The mean score of the ticks with its interval end to end; "" where there are none."""
    score = _score_of(side, source)
    if score is None or not score.ticks[ticks]:
        return ""
    between = score.interval
    ends = None if between is None else (min(between.ticks_low[ticks]), max(between.ticks_high[ticks]))
    return _with_interval(float(np.mean(score.ticks[ticks])), ends, language, 2)


def _told(source: str, language: str) -> str:
    return alone(source, language) if source else name_of("all", language)


def _heads(columns: list[tuple[Side, str]], language: str) -> list[str]:
    """A head for each column: whose score, and by what."""
    return [
        tell("compare.column", language, source=_told(m, language), name=side.name) for side, m in columns
    ]

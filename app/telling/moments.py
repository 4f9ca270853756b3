"""One moment in words: which modality and which earlier moments its score rests on. Pure functions of plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.analysis import MODALITIES, Line, TimedWord
from app.i18n import DEFAULT, name_of, sentences, tell
from app.telling.numbers import clock, signed

LITTLE = 0.05  # points of the score under which a modality is said to hardly matter
A_LITTLE = 0.3  # and under which it moves the score "a little"
MOST = 0.6  # share of a modality's pull that "most of it" stands for
KEPT = 0.98  # share of all pulls, rising or falling, that a picture shows tick by tick
SHORTEST = 20  # ticks a picture shows at least


@dataclass(frozen=True)
class Moment:
    """Why the score at a tick is what it is: base + the sum of all sources, in points of the score.

    starts holds the times of the ticks counted, the moment's own last; sources[m] what modality m brought in at each
    of them through all layers, signed, for every modality that was observed by then; empty where none was. base is what
    the network's constants add. without[m] is the score it gives anew had modality m never been observed; empty where
    fewer than two were.
    """

    starts: Line
    step: float
    score: float
    base: float
    sources: Mapping[str, Line]
    without: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """When the moment's own tick begins."""
        return self.starts[-1]

    def pull(self, modality: str) -> float:
        """Points that the modality adds in all."""
        return float(sum(self.sources.get(modality, ())))


def moment_sentence(moment: Moment, words: Sequence[TimedWord], language: str = DEFAULT) -> str:
    """In a few plain sentences: the score, what moves it most and when that was, the others, and the base."""
    pulls = {m: moment.pull(m) for m in MODALITIES if m in moment.sources}
    told = [tell("why.score", language, time=clock(moment.seconds), score=signed(moment.score))]
    strong = [m for m in sorted(pulls, key=lambda m: -abs(pulls[m])) if abs(pulls[m]) >= LITTLE]
    if strong:
        told.append(_main(moment, strong[0], pulls[strong[0]], words, language))
    others = [_pulls(m, pulls[m], language) for m in strong[1:]]
    weak = [m for m in pulls if m not in strong]
    if weak and strong:
        verb = "why.weak_one" if len(weak) == 1 and weak[0] != "text" else "why.weak_many"
        names = tell("why.weak_join", language).join(name_of(m, language) for m in weak)
        others.append(tell(verb, language, names=names))
    if others:
        pulling = tell("join.semicolon", language).join(others)
        told.append(tell("why.others", language, pulls=_capital(pulling)))
    base = "why.base" if strong else "why.base_only" if pulls else "why.nothing_yet"
    if not strong or round(moment.base, 1):  # beside what does something, 0.0 is no news
        told.append(tell(base, language, score=signed(moment.base)))
    if moment.without:
        told.append(_through(moment, language))
    return sentences(told, language)


def main_span(line: Line, pull: float) -> tuple[int, int]:
    """[first, end): the shortest run of ticks that holds MOST of what pulls the way of `pull`."""
    mass = np.clip(np.sign(pull) * np.asarray(line, np.float64), 0, None)
    total = np.concatenate([[0.0], mass.cumsum()])
    wanted = MOST * total[-1]
    best, first = (0, len(line)), 0
    for end in range(1, len(total)):
        while total[end] - total[first + 1] >= wanted and first + 1 < end:
            first += 1
        if total[end] - total[first] >= wanted and end - first < best[1] - best[0]:
            best = first, end
    return best


def shown_from(moment: Moment) -> int:
    """The tick from which a picture need start: all earlier ones together pull next to nothing.

    0 where nothing was observed by then.
    """
    if not moment.sources:
        return 0
    each = np.abs([moment.sources[m] for m in moment.sources]).sum(0)
    rest = each[::-1].cumsum()
    count = int(np.searchsorted(rest, KEPT * rest[-1])) + 1
    return max(0, len(each) - max(count, SHORTEST))


def gather(line: Line, first: int, columns: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """(first tick of each column, its sum) of the line from tick `first` on, in at most `columns` even columns.

    The columns are counted from the last tick backwards, so that the moment itself ends the last one.
    """
    count = len(line) - first
    each = max(1, -(-count // columns))
    edges = np.unique(np.clip(np.arange(len(line), first - each, -each), first, None))[:-1]
    return edges, np.add.reduceat(np.asarray(line, np.float64), edges)


def moment_table(
    moment: Moment, words: Sequence[TimedWord], rows: int = 30, language: str = DEFAULT
) -> list[list[str]]:
    """Rows of (from when, what was said, a signed number for each modality), earlier ones in one row; then the sums.

    No rows where nothing was observed by then.
    """
    if not moment.sources:
        return []
    first = shown_from(moment)
    names = [m for m in MODALITIES if m in moment.sources]
    found = {m: gather(moment.sources[m], first, rows) for m in names}
    edges = found[names[0]][0]
    ends = [*(moment.starts[i] for i in edges[1:]), moment.seconds + moment.step]
    table = []
    if first:
        before = [signed(sum(moment.sources[m][:first]), 2) for m in names]
        table.append([tell("why.before", language, time=clock(moment.starts[first])), "", *before])
    for column, (edge, end) in enumerate(zip(edges, ends, strict=True)):
        said = " ".join(said_between(words, moment.starts[edge], end))
        table.append([clock(moment.starts[edge]), said, *(signed(found[m][1][column], 2) for m in names)])
    table.append([tell("why.in_all", language), "", *(signed(moment.pull(m), 2) for m in names)])
    if moment.without:
        scores = [signed(moment.without[m], 2) if m in moment.without else "–" for m in names]
        table.append([tell("why.without_it", language), "", *scores])
    return table


def said_between(words: Sequence[TimedWord], start: float, end: float) -> list[str]:
    """The words of which at least half was said between two times, or that were being said all that while."""

    def is_said(word: TimedWord) -> bool:
        shared = min(word.end, end) - max(word.start, start)
        return shared > 0 and shared >= min((word.end - word.start) / 2, end - start) - 1e-6

    return [w.word for w in words if is_said(w)]


def when_most(
    moment: Moment, modality: str, words: Sequence[TimedWord], most: int = 6, language: str = DEFAULT
) -> tuple[str, str]:
    """When most of the modality's pull came, "from 0:02.0 to 0:03.4", and up to `most` words said there, or nothing."""
    first, end = main_span(moment.sources[modality], moment.pull(modality))
    start, stop = moment.starts[first], moment.starts[end - 1] + moment.step
    said = said_between(words, start, stop)
    quote = ""
    if said:
        text = f"{' '.join(said[:most]).rstrip('.,;:')}{' …' if len(said) > most else ''}"
        quote = tell("why.quote", language, words=tell("quote", language, words=text))
    if end - first > 1:
        return tell("why.when", language, start=clock(start), end=clock(stop)), quote
    return tell("why.when_at", language, start=clock(start)), quote


def _main(moment: Moment, modality: str, pull: float, words: Sequence[TimedWord], language: str) -> str:
    when, quote = when_most(moment, modality, words, language=language)
    pulls = _capital(_pulls(modality, pull, language))
    return tell("why.mostly", language, pulls=pulls, when=when, quote=quote)


def _through(moment: Moment, language: str) -> str:
    """What the score would be without each."""
    scores = [
        tell("why.without", language, score=signed(s), name=name_of(m, language))
        for m, s in moment.without.items()
    ]
    return tell("why.through", language, scores=tell("join.comma", language).join(scores))


def _pulls(modality: str, pull: float, language: str) -> str:
    """ "the voice takes it up a little (+0.2)"."""
    little = "_little" if abs(pull) < A_LITTLE else ""
    way = "up" if pull > 0 else "down"
    return tell(f"why.{way}{little}.{modality}", language, score=signed(pull, 2 if little else 1))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

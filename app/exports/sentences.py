"""Sentences of a transcript with their times and scores, put in the order and the room that file formats ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.analysis import Analysis, TimedWord
from app.exports.text import one_line

PAUSE = 0.7  # seconds of silence that end a sentence where the transcript does not tell its sentences
ENDS = (".", "?", "!", "…", "。", "？", "！")
SHORTEST = 0.001  # seconds; formats count in milliseconds and know no cue without length


@dataclass(frozen=True)
class Sentence:
    """Words in a row, none overlapping another, from the first one's start to the last one's end.

    score is the mean of the clip's score (all modalities together) over the ticks that the sentence touches, -3..3.
    """

    words: tuple[TimedWord, ...]
    score: float

    @property
    def start(self) -> float:
        """Seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """Seconds."""
        return self.words[-1].end

    @property
    def text(self) -> str:
        """The words, a space between each."""
        return " ".join(word.word for word in self.words)


def sentences(analysis: Analysis, most: int | None = None) -> list[Sentence]:
    """The transcript's sentences in time; one of more than `most` words is cut into parts of about one length."""
    words, numbers = _in_a_row(analysis)
    found = []
    for first, end in _groups(words, numbers):
        parts = -(-(end - first) // most) if most else 1
        cuts = [first + (end - first) * i // parts for i in range(parts + 1)]
        for a, b in pairwise(cuts):
            found.append(Sentence(tuple(words[a:b]), _score(analysis, words[a].start, words[b - 1].end)))
    return found


def _in_a_row(analysis: Analysis) -> tuple[list[TimedWord], list[int]]:
    """The words, each beginning where the one before has ended or later, and their sentences' numbers, if told."""
    words: list[TimedWord] = []
    numbers: list[int] = []
    last = 0.0
    for i, word in enumerate(analysis.transcript.words):
        text = one_line(word.word)
        if not text:
            continue
        start = round(max(word.start, last), 3)
        last = round(max(word.end, start + SHORTEST), 3)
        words.append(TimedWord(text, start, last))
        numbers += analysis.transcript.sentences[i : i + 1]
    return words, numbers


def _groups(words: list[TimedWord], numbers: list[int]) -> Iterator[tuple[int, int]]:
    """[first, end) of each sentence: by the numbers if there are any, else by full stops and pauses."""
    first = 0
    for i in range(1, len(words)):
        before, word = words[i - 1], words[i]
        by_rule = before.word.endswith(ENDS) or word.start - before.end > PAUSE
        if numbers[i] != numbers[i - 1] if numbers else by_rule:
            yield first, i
            first = i
    if words:
        yield first, len(words)


def _score(analysis: Analysis, start: float, end: float) -> float:
    return float(np.mean([analysis.sentiment.ticks[i] for i in analysis.ticks.touched(start, end)]))

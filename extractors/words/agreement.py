"""Which of the words given are which of the words heard, in time that no text can stretch."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

# Pairs of equal words, one given and one heard, up to which all are looked at: texts of some 4,000 words have as many.
# The time goes with their number and with the words': a text of one word alone would take hours.
MOST_PAIRS = 200_000


def matching(given: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """(index given, index heard) of the words that agree, in order in both.

    Where there are too many to look at all, words that come once in both are found first and what lies between them is
    matched after, until there is too much of that.
    """
    left = MOST_PAIRS
    found: list[tuple[int, int]] = []
    whole = [(-1, -1), (len(given), len(heard))]
    anchors = whole if _pairs(given, heard) <= left else [whole[0], *_once_in_both(given, heard), whole[1]]
    for (a, b), (after_a, after_b) in pairwise(anchors):
        one, other = given[a + 1 : after_a], heard[b + 1 : after_b]
        left -= (cost := _pairs(one, other))
        if left < 0:
            left += cost
        elif cost:
            found += ((a + 1 + i, b + 1 + j) for i, j in _agreeing(one, other))
        if after_a < len(given):
            found.append((after_a, after_b))
    return found


def _pairs(given: Sequence[str], heard: Sequence[str]) -> int:
    """How many pairs of equal words there are."""
    often = Counter(heard)
    return sum(count * often[word] for word, count in Counter(given).items())


def _agreeing(given: Sequence[str], heard: Sequence[str]) -> Iterator[tuple[int, int]]:
    for a, b, size in SequenceMatcher(None, given, heard, autojunk=False).get_matching_blocks():
        yield from ((a + i, b + i) for i in range(size))


def _once_in_both(given: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """The longest run, in order in both, of words that come once in each ("patience")."""
    often = Counter(given), Counter(heard)
    place = {word: j for j, word in enumerate(heard) if often[0][word] == often[1][word] == 1}
    pairs = [(i, place[word]) for i, word in enumerate(given) if word in place]
    ends: list[int] = []  # the heard place at which the best run of each length ends, and which pair that is
    last: list[int] = []
    before = [-1] * len(pairs)
    for k, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before[k] = last[length - 1] if length else -1
        ends[length : length + 1] = [j]
        last[length : length + 1] = [k]
    run, k = [], last[-1] if last else -1
    while k >= 0:
        run.append(pairs[k])
        k = before[k]
    return run[::-1]

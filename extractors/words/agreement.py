"""Which of the words given are which of the words heard, in time that no text can stretch."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from typing import TypeAlias

# Words, and pairs of equal words, one given and one heard, that are looked at for the longest run, again for every run
# that is found: texts of 4,000 words take an eighth of them. All of them take some two seconds.
MOST_STEPS = 6_000_000
Pairs: TypeAlias = list[tuple[int, int]]


def matching(given: Sequence[str], heard: Sequence[str]) -> Pairs:
    """(index given, index heard) of the words that agree, in order in both.

    Where there is too much to look at, words that come once in both are found first and what lies between them is
    matched after, until there is too much of that; what agrees more is taken.
    """
    whole, _, missed = _agreeing(given, heard, MOST_STEPS)
    if not missed:
        return whole
    found, left = [], MOST_STEPS
    for (a, b), (after_a, after_b) in pairwise(
        [(-1, -1), *_once_in_both(given, heard), (len(given), len(heard))]
    ):
        between, left, _ = _agreeing(given[a + 1 : after_a], heard[b + 1 : after_b], left)
        found += [(a + 1 + i, b + 1 + j) for i, j in between]
        if after_a < len(given):
            found.append((after_a, after_b))
    return max(found, whole, key=len)


def _agreeing(given: Sequence[str], heard: Sequence[str], left: int) -> tuple[Pairs, int, bool]:
    """The longest run of equal words, and so on before and after it, as difflib's get_matching_blocks.

    That takes time by the words times the runs, so `left` steps may be taken: also given are those that are left then,
    and whether there was a stretch that would have taken more.
    """
    often = Counter(heard)
    steps = [*accumulate((1 + often[word] for word in given), initial=0)]
    matcher = SequenceMatcher(None, given, heard, autojunk=False)
    found: Pairs = []
    missed = False
    waiting = [(0, len(given), 0, len(heard))]
    while waiting:
        first, last, first_heard, last_heard = waiting.pop()
        if (taken := steps[last] - steps[first]) > left:
            missed = True
            continue
        left -= taken
        a, b, size = matcher.find_longest_match(first, last, first_heard, last_heard)
        found += [(a + i, b + i) for i in range(size)]
        rest = ((first, a, first_heard, b), (a + size, last, b + size, last_heard)) if size else ()
        waiting += [part for part in rest if part[0] < part[1] and part[2] < part[3]]
    return sorted(found), left, missed


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

"""The words of two texts that agree: exactly where there are few, and in bounded time where there are many."""

from __future__ import annotations

import random
import time
from difflib import SequenceMatcher

import pytest

from extractors.words import agreement
from extractors.words.agreement import matching


def spoken(count: int, seed: int = 0) -> list[str]:
    """Words as often as they come in English (Zipf's law), the commonest one in fifteen."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1.7) for rank in range(3000)]
    return [f"w{i}" for i in rng.choices(range(3000), weights, k=count)]


def misheard(words: list[str], seed: int = 0) -> list[str]:
    """The words with one in ten wrong, left out or doubled."""
    rng = random.Random(seed)
    heard: list[str] = []
    for word in words:
        chance = rng.random()
        heard += [word] if chance > 0.1 else [] if chance > 0.066 else [f"x{chance}"] * (1 + (chance > 0.033))
    return heard


def by_hand(given: list[str], heard: list[str]) -> list[tuple[int, int]]:
    blocks = SequenceMatcher(None, given, heard, autojunk=False).get_matching_blocks()
    return [(a + i, b + i) for a, b, size in blocks for i in range(size)]


def test_texts_of_a_usual_length_are_matched_as_a_whole() -> None:
    given = spoken(2000)
    heard = misheard(given)
    assert matching(given, heard) == by_hand(given, heard)
    assert matching([], heard) == matching(given, []) == []


def test_long_texts_are_matched_between_words_that_come_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = spoken(2000)
    heard = misheard(given)
    monkeypatch.setattr(agreement, "MOST_STEPS", 20_000)
    found, whole = matching(given, heard), by_hand(given, heard)
    assert found == sorted(found)
    assert all(given[a] == heard[b] for a, b in found)
    assert len(set(found) & set(whole)) > 0.97 * len(whole)


def test_no_text_takes_time_by_its_cube() -> None:
    """Half an hour of one word, of which one heard word in five is that one."""
    heard = [f"other{i}" if i % 5 else "the" for i in range(5400)]
    anchored = [f"once{i // 200}" if i % 200 == 0 else "the" for i in range(27_000)]
    heard_too = [f"once{i // 40}" if i % 40 == 0 else f"o{i}" if i % 5 else "the" for i in range(5400)]
    # As many runs as words, one beside the other: each was looked for in all that was left.
    alone = [word for i in range(5400) for word in (f"w{i}", "um", "er", "ah", "oh")][:26_900]
    twice = [word for i in range(5300) for word in (f"w{i // 2 % 2700}", "um", f"v{i // 6}", "er", "ah")]
    heard_twice = [word for i in range(2700) for word in (f"w{i // 2}", f"v{i // 3}")]
    begin = time.process_time()
    assert len(matching(alone, [f"w{i}" for i in range(5400)])) > 5000
    assert len(matching(twice, heard_twice)) > 100
    assert time.process_time() - begin < 12
    begin = time.process_time()
    matching(["the"] * 27_000, heard)
    matching(anchored, heard_too)
    assert time.process_time() - begin < 4

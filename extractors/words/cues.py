"""What is said in subtitles, and when: cues without what nobody says, each line once, each cue with a time of its own.

What a file shows and when is read in `extractors.words.captions`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import TypeAlias

from extractors.records import Span
from extractors.words.captions import Caption, close_tags, undo_entities

Cue: TypeAlias = tuple[Span, list[str]]  # its time and its words
ROLLS = 0.1  # seconds within which a cue follows another at once, and in which nothing can be said
LINES = 8  # of a cue, that may roll on in the next: pages of them are no caption
BRISK = 5.0  # words a second: a cue that has this long before the next one begins was said by then
SHOUTED = 0.7  # share of capitals among a text's letters from which they mark nothing
# Notes in brackets, which may wrap: over two ends of lines, or a bracket that is never closed would take a page along.
# No pattern may run past the next bracket of its kind: a file of open brackets would take time by their square.
_NOTE = re.compile(r"\[[^\[\]\n]*(?:\n[^\[\]\n]*){0,2}\]|\([^()\n]*(?:\n[^()\n]*){0,2}\)")
_TURN = re.compile(r"\n|>{2,}")  # captions write >> where another one speaks
_NOT_SAID = re.compile(
    r"[♪♫]+|(?<![\w&*#])[*#]+|(?<=[\w.,!?])\*(?![\w*])"  # emphasis, but not the stars of f**k
    r"|^\s*[-–—]\s*"
)
_NAMED = re.compile(r"^\s*([^\W\d_][\w.'’-]{0,29}(?: \w[\w.'’-]{0,29}){0,3}):(?:\s+|$)")
# Times alone in their line, as pages of transcripts copy them: 0:01, [00:01:02], 0:01 --> 0:04; and "Mary Jones  0:01".
_CLOCK = r"[\[(]?(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?[\])]?"
_TIMES_ALONE = re.compile(
    rf"\s*(?:[A-Z][^\n:]{{0,40}}?(?:  |\t)\s{{0,9}})?{_CLOCK}(?:\s{{0,9}}(?:,|-->|[-–])\s{{0,9}}{_CLOCK})?\s*"
)
_TIME_FIRST = re.compile(rf"\s*{_CLOCK}\s+")
_TAG = re.compile(r"<[^<>\n]*>|\{[^{}\n]*\}")


def plain_lines(text: str) -> list[str]:
    """What is said in each line of plain text, without what nobody says.

    And without times that stand alone in their line, or first in most lines.
    """
    lines = [
        line for line in close_tags(text).splitlines() if line.strip() and not _TIMES_ALONE.fullmatch(line)
    ]
    if sum(_TIME_FIRST.match(line) is not None for line in lines) > len(lines) / 2:
        lines = [_TIME_FIRST.sub("", line) for line in lines]
    spoken = turns([_TAG.sub(" ", line) for line in lines])
    names = speakers(spoken)
    return [said(line, names) for line in spoken]


def turns(lines: Iterable[str], entities: bool = False) -> list[str]:
    """What is said, each speaker's turn in a line of its own.

    Without notes in brackets, which may wrap over lines, signs of music, marks of emphasis, and a dash before a line.

    entities: whether the text writes &amp; for &, as WebVTT does. A bracket that is written so is text and no note's.
    """
    text = _NOTE.sub(" ", "\n".join(lines))
    spoken = _TURN.split(undo_entities(text) if entities else text)
    return [line for turn in spoken if (line := _NOT_SAID.sub(" ", turn).strip())]


def speakers(lines: Iterable[str]) -> set[str]:
    """The names that stand before what they say: "MARY: ", or "Mary Jones: " where lines begin so more than once.

    In a text all of capitals these mark no name, so there too it has to come again. `lines` are as `turns` gives them.
    """
    parted = [_part_name(line) for line in lines]
    named = Counter(name for name, _ in parted if name)
    letters = [letter for _, rest in parted for letter in rest if letter.isalpha()]
    shouted = sum(map(str.isupper, letters)) > SHOUTED * len(letters)
    return {name for name, times in named.items() if times > 1 or (name.isupper() and not shouted)}


def said(line: str, names: Collection[str]) -> str:
    """A line, as `turns` gives it, without a speaker of these names."""
    name, rest = _part_name(line)
    return " ".join((rest if name in names else line).split())


def _part_name(line: str) -> tuple[str, str]:
    """What may be a speaker's name before the line, words with capitals or numbers, and what follows; "" without."""
    found = _NAMED.match(line)
    if found and all(part[0].isupper() or part[0].isdecimal() for part in found[1].split(" ")):
        return found[1], line[found.end() :]
    return "", line


def gather_cues(captions: Iterable[Caption], duration: float, entities: bool = False) -> list[Cue]:
    """Cues within the clip, in order, without what nobody says; lines that a rolling caption repeats come once.

    entities: whether the text writes &amp; for &, as WebVTT does.
    """
    in_order = sorted(captions, key=lambda caption: (caption[0].start, caption[0].end))
    shown = [(span, [line for line in lines if turns([line], entities)]) for span, lines in in_order]
    nothing: Caption = (Span(-1.0, -1.0), [])
    fresh = [
        (now[0], turns(now[1][_rolled(before, now) :], entities))
        for before, now in pairwise([nothing, *shown])
    ]
    names = speakers(line for _, lines in fresh for line in lines)
    cues: list[Cue] = []
    for span, lines in fresh:
        words = " ".join(said(line, names) for line in lines).split()
        inside = Span(max(0.0, span.start), min(span.end, duration))
        if words and inside.end > inside.start:
            cues.append((inside, words))
    return cues


def _rolled(before: Caption, now: Caption) -> int:
    """How many of a cue's first lines are the last ones of the cue before, still shown: those were said once."""
    lines = now[1]
    if _is_shadow(before, now):
        return len(lines)
    if not _rolls(before, now) or (lines and lines[0].startswith("-")):  # who begins to speak says it anew
        return 0
    return _shared(before[1], lines)


def _is_shadow(before: Caption, now: Caption) -> bool:
    """Whether it is the same text at the same time."""
    (then, shown), (span, lines) = before, now
    return shown == lines and max(abs(span.start - then.start), abs(span.end - then.end)) < ROLLS


def _rolls(before: Caption, now: Caption) -> bool:
    """Whether the cue follows at once, and lines can move up or off while others stay.

    Or one of the two is too short for anything to be said, as every other cue of rolling captions is. One line by
    itself that comes twice was else said twice ("very, very").
    """
    (then, shown), (span, lines) = before, now
    several = max(len(shown), len(lines)) > 1
    fleeting = min(then.end - then.start, span.end - span.start) < ROLLS
    return span.start - then.end <= ROLLS and (several or fleeting)


def _shared(shown: list[str], lines: list[str]) -> int:
    """How many lines, the most there can be, end the one and begin the other."""
    most = min(len(shown), len(lines), LINES)
    return next((count for count in range(most, 0, -1) if shown[-count:] == lines[:count]), 0)


def one_after_another(cues: Iterable[Cue]) -> list[Cue]:
    """Cues in order, none over another: the words of two would else be told in turns, which is what nobody said."""
    parted: list[Cue] = []
    for cue in cues:
        if parted and parted[-1][0].end - cue[0].start > ROLLS:
            parted[-1:] = _part(parted[-1], cue)
        else:
            parted.append(cue)
    return parted


def _part(first: Cue, second: Cue) -> list[Cue]:
    """The first until the second begins, if that is long enough for it; else the time of both by their letters."""
    (one, words), (other, more) = first, second
    if other.start - one.start >= len(words) / BRISK:
        return [(Span(one.start, other.start), words), second]
    end = max(one.end, other.end)
    letters = [sum(map(len, part)) for part in (words, more)]
    cut = one.start + (end - one.start) * letters[0] / sum(letters)
    return [(Span(one.start, cut), words), (Span(cut, end), more)]

"""What is said in subtitles, and when: cues without what nobody says, each line once, each cue with a time of its own.

Parsers of subtitles take all between two times for text, so what is none is taken out before: see `tidy`.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from extractors.records import Span

if TYPE_CHECKING:
    from pysubs2 import SSAEvent

Cue: TypeAlias = tuple[Span, list[str]]  # its time and its words
Shown: TypeAlias = tuple[Span, list[str]]  # its time and its lines
ROLLS = 0.1  # seconds within which a cue follows another at once, and in which nothing can be said
LINES = 8  # of a cue, that may roll on in the next: pages of them are no caption
BRISK = 5.0  # words a second: a cue that has this long before the next one begins was said by then
SHOUTED = 0.7  # share of capitals among a text's letters from which they mark nothing
_STAMP = r"-?(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMING = re.compile(rf"^[ \t]{{0,9}}{_STAMP}[ \t]{{0,9}}-->[ \t]{{0,9}}{_STAMP}[^\n]*$", re.MULTILINE)
_INLINE = re.compile(r"<(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}>")
_NO_CUE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)\b")
_BLOCKS = re.compile(r"\n{2,}")
# No pattern may run past the next bracket of its kind: a file of open brackets would take time by their square.
_NOT_SAID = re.compile(
    r"<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)|[♪♫]+"
    r"|(?<![\w&*#])[*#]+|(?<=[\w.,!?])\*(?![\w*])"  # emphasis, but not the stars of f**k
    r"|^\s*(?:>>|[-–])\s*"
)
_NEVER_CLOSED = re.compile(r"<(?![^<>]*>)|\{(?![^{}]*\})")
_GAP = re.compile(r"\n{3,}")
# WebVTT's, no more of HTML's
_ENTITY = re.compile(r"&(?:amp|lt|gt|nbsp|lrm|rlm|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_NAMED = re.compile(r"^\s*([A-Z][\w.'’-]{0,29}(?: [A-Z][\w.'’-]{0,29}){0,3}):\s+")
# Times alone in their line, as pages of transcripts copy them: 0:01, [00:01:02], 0:01 --> 0:04; and "Mary Jones  0:01".
_CLOCK = r"[\[(]?(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?[\])]?"
_TIMES_ALONE = re.compile(
    rf"\s*(?:[A-Z][^\n:]{{0,40}}?(?:  |\t)\s{{0,9}})?{_CLOCK}(?:\s{{0,9}}(?:,|-->|[-–])\s{{0,9}}{_CLOCK})?\s*"
)
_TIME_FIRST = re.compile(rf"\s*{_CLOCK}\s+")


def has_cues(text: str) -> bool:
    """Whether a text has times as subtitles do."""
    return _TIMING.search(text.replace("\r", "\n")) is not None


def tidy(text: str, kind: str) -> str:
    """The text of a file of subtitles, "srt" or "vtt", as its parser reads it rightly.

    Line ends of any kind; times with hours, and none before 0; no times within lines; of WebVTT no identifiers of cues,
    and no blocks that are none (NOTE, STYLE, REGION).
    """
    text = _INLINE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _TIMING.sub(_timing, close_tags(text))
    if kind == "vtt":
        text = "\n\n".join(filter(None, map(_cue_alone, _BLOCKS.split(text))))
    return text


def _timing(found: re.Match[str]) -> str:
    """The line of times with hours; one before the clip is 0."""
    line = found[0].lstrip()
    begin = "00:00:00,000" if line.startswith("-") else _stamp(*found.groups()[:4])
    end = "00:00:00,000" if re.search(r"-->\s{0,9}-", line) else _stamp(*found.groups()[4:])
    return f"{begin} --> {end}"


def _stamp(hours: str | None, minutes: str, seconds: str, fraction: str) -> str:
    return f"{min(int(hours or 0), 99):02d}:{int(minutes):02d}:{int(seconds):02d},{fraction:<03}"


def _cue_alone(block: str) -> str:
    """A block of WebVTT from its times on; of one without, what is no note: cues are written with gaps in them too."""
    lines = block.split("\n")
    first = next((i for i, line in enumerate(lines) if "-->" in line), None)
    if first is None:
        return "" if _NO_CUE.match(block) else block
    return "\n".join(lines[first:])


def close_tags(text: str) -> str:
    """The text without any < or { that is never closed, and without long gaps.

    Parsers look for the end of each, to the end of the file, and for a number after each line break of a gap.
    """
    return _NEVER_CLOSED.sub("", _GAP.sub("\n\n", text))


def plain_lines(text: str) -> list[str]:
    """What is said in each line of plain text, without what `said` leaves out.

    And without times that stand alone in their line, or first in most lines.
    """
    lines = [
        line for line in close_tags(text).splitlines() if line.strip() and not _TIMES_ALONE.fullmatch(line)
    ]
    if sum(_TIME_FIRST.match(line) is not None for line in lines) > len(lines) / 2:
        lines = [_TIME_FIRST.sub("", line) for line in lines]
    names = speakers(lines)
    return [said(line, names, False) for line in lines]


def speakers(lines: Iterable[str]) -> set[str]:
    """The names that stand before what they say: "MARY: ", or "Mary Jones: " where lines begin so more than once.

    In a text all of capitals these mark no name, so there too it has to come again.
    """
    lines = list(lines)
    named = Counter(found[1] for line in lines if (found := _NAMED.match(_NOT_SAID.sub(" ", line))))
    letters = [letter for line in lines for letter in _NAMED.sub("", line) if letter.isalpha()]
    shouted = sum(map(str.isupper, letters)) > SHOUTED * len(letters)
    return {name for name, times in named.items() if times > 1 or (name.isupper() and not shouted)}


def said(line: str, names: Collection[str], entities: bool) -> str:
    """A line without what nobody says: tags, notes in brackets, notes of music, a speaker of these names.

    entities: whether the text writes &amp; for &, as WebVTT does.
    """
    text = _NOT_SAID.sub(" ", line)
    found = _NAMED.match(text)
    if found and found[1] in names:
        text = text[found.end() :]
    if entities:  # last, once: what they stand for is text and never a tag
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return " ".join(text.split())


def gather_cues(events: Iterable[SSAEvent], duration: float, entities: bool = False) -> list[Cue]:
    """Cues within the clip, in order, without what nobody says; lines that a rolling caption repeats come once.

    entities: whether the text writes &amp; for &, as WebVTT does.
    """
    shown = [(Span(event.start / 1000, event.end / 1000), _lines(event)) for event in sorted(events)]
    nothing: Shown = (Span(-1.0, -1.0), [])
    fresh = [(now[0], now[1][_rolled(before, now) :]) for before, now in pairwise([nothing, *shown])]
    names = speakers(line for _, lines in fresh for line in lines)
    cues: list[Cue] = []
    for span, lines in fresh:
        words = " ".join(said(line, names, entities) for line in lines).split()
        inside = Span(max(0.0, span.start), min(span.end, duration))
        if words and inside.end > inside.start:
            cues.append((inside, words))
    return cues


def _lines(event: SSAEvent) -> list[str]:
    """The lines that a cue shows, without tags."""
    event.text = close_tags(event.text)
    lines = (" ".join(line.split()) for line in event.plaintext.splitlines())
    return [line for line in lines if _NOT_SAID.sub(" ", line).strip()]


def _rolled(before: Shown, now: Shown) -> int:
    """How many of a cue's first lines are the last ones of the cue before, still shown: those were said once.

    So it is where the cue follows at once and lines move up or off while others stay; where either is too short for
    anything to be said, as every other cue of rolling captions is; and where a text and its shadow are shown together.
    One line by itself that comes twice was said twice ("very, very"), and so was one that begins with a dash.
    """
    (then, shown), (span, lines) = before, now
    if max(abs(span.start - then.start), abs(span.end - then.end)) < ROLLS and shown == lines:
        return len(lines)
    most = min(len(shown), len(lines), LINES)
    rolled = next((k for k in range(most, 0, -1) if shown[-k:] == lines[:k]), 0)
    fleeting = min(then.end - then.start, span.end - span.start) < ROLLS
    moves = max(len(shown), len(lines)) > 1 or fleeting
    once = span.start - then.end <= ROLLS and moves
    return rolled if rolled and once and not lines[0].startswith("-") else 0


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

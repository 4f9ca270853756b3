"""The captions of a file of subtitles (SubRip, WebVTT): when each is shown, and its lines, without tags.

Read here and not by a library: the usual one takes time by the square of the blanks in a tag, and takes a cue's last
line, where that is a number, for the number of the cue after it.
"""

from __future__ import annotations

import html
import re
from typing import TypeAlias

from extractors.records import Span

Caption: TypeAlias = tuple[Span, list[str]]  # its time and its lines
# Sign, hours, minutes, seconds, fraction; a fraction after a colon has three figures, or it would be the seconds.
_STAMP = r"(-?)(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:(?:[.,]|:(?=\d{3}))(\d{1,3}))?"
_TIMING = re.compile(
    rf"^[ \t]{{0,9}}(?:\d{{1,9}}[ \t]{{1,9}})?{_STAMP}[ \t]{{0,9}}([^\w\s:]{{1,3}})[ \t]{{0,9}}{_STAMP}[^\n]*$",
    re.MULTILINE,
)
_INLINE = re.compile(r"<(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}>")
_NO_CUE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)\b")
_BLOCKS = re.compile(r"\n{2,}")
# No pattern may run past the next bracket of its kind: a file of open brackets would take time by their square.
_NEVER_CLOSED = re.compile(r"<(?![^<>]*>)|\{(?![^{}]*\})")
_TAG = re.compile(r"<[^<>]*>|\{[^{}]*\}")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")
_BREAK = re.compile(r"\n|\\[nN]")
# WebVTT's, no more of HTML's
_ENTITY = re.compile(r"&(?:amp|lt|gt|nbsp|lrm|rlm|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")


def has_cues(text: str) -> bool:
    """Whether a text has times as subtitles do: with an arrow between and, unlike a copied page's, with fractions."""
    return any(found[6] == "-->" and _has_fractions(found) for found in _TIMING.finditer(_even(text)))


def read_captions(text: str, kind: str) -> list[Caption]:
    """The captions in a file of subtitles, "srt" or "vtt", in its order; one that begins before the clip begins at 0.

    Of WebVTT no identifiers of cues, no times within lines, and no blocks that are none (NOTE, STYLE, REGION); of
    SubRip no numbers of cues.
    """
    text = _INLINE.sub("", _even(text))
    if kind == "vtt":
        text = "\n\n".join(filter(None, map(_cue_alone, _BLOCKS.split(text))))
    times = [found for found in _TIMING.finditer(text) if _is_timing(found)]
    ends = [*(found.start() for found in times[1:]), len(text)]
    parts = [text[found.end() : end] for found, end in zip(times, ends, strict=bool(times))]
    if kind == "srt" and times:
        head = text[: times[0].start()]
        parts[:-1] = [_without_number(part, head) for part in parts[:-1]]
    return [
        (Span(_seconds(found, 1), _seconds(found, 7)), plain_caption(part))
        for found, part in zip(times, parts, strict=True)
    ]


def plain_caption(text: str) -> list[str]:
    """The lines of a caption, without tags and without those that are empty."""
    text = _TAG.sub("", close_tags(text)).replace(r"\h", " ")
    return [" ".join(line.split()) for line in _BREAK.split(text) if line.strip()]


def undo_entities(text: str) -> str:
    """What WebVTT writes &amp; for, and the like, undone once."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def is_drawing(text: str) -> bool:
    """Whether a caption of ASS holds a drawing, whose letters are strokes."""
    return _DRAWING.search(close_tags(text)) is not None


def close_tags(text: str) -> str:
    """The text without any < or { that is never closed: looking for the end of each would go on to the text's end."""
    return _NEVER_CLOSED.sub("", text)


def _even(text: str) -> str:
    """The text with line ends of one kind."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_timing(found: re.Match[str]) -> bool:
    """Whether it is a cue's times: with an arrow, or any other sign between if both are told to fractions."""
    return found[6] == "-->" or _has_fractions(found)


def _has_fractions(found: re.Match[str]) -> bool:
    return bool(found[5] and found[11])


def _seconds(found: re.Match[str], first: int) -> float:
    """The time of the stamp whose groups begin at `first`; 0 for one before the clip."""
    sign, hours, minutes, seconds, fraction = found.group(*range(first, first + 5))
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return 0.0 if sign else (1000 * whole + int(f"{fraction or 0:<03}")) / 1000


def _cue_alone(block: str) -> str:
    """A block of WebVTT from its times on; of one without, what is no note: cues are written with gaps in them too."""
    found = _TIMING.search(block)
    if found is None:
        return "" if _NO_CUE.match(block) else block
    return block[found.start() :]


def _without_number(part: str, head: str) -> str:
    """What SubRip has between two times without the number of the cue to come.

    It stands right before its times; with a gap between, it is a number if the first one, in `head`, has a gap too.
    Right after other text it is one in a file that numbers its first cue: else it is the last line of what is said.
    """
    numbered = head.rstrip().rpartition("\n")[2].isdecimal()
    spaced = numbered and head[len(head.rstrip()) :].count("\n") > 1
    before, _, last = (part.rstrip() if spaced else part.removesuffix("\n")).rpartition("\n")
    alone = not before.rpartition("\n")[2].strip()
    return before if last.strip().isdecimal() and (numbered or alone) else part

"""Small pictures of the face at the moments that matter: made for the page and the report, and for nothing else.

They are in no other file that is saved and in no log, and lie on the server only within a session's report.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from app.analysis import Analysis
from app.answered import APART, telling_moments
from app.i18n import DEFAULT, tell
from app.telling.numbers import clock, signed
from extractors.records import Grid, InputError

MOST = 7  # pictures: with their rests between them they fit above the narrowest time line
ROOM = 13  # pictures side by side for which the time axis has room: nearer than that they would overlap


@dataclass(frozen=True)
class Portrait:
    """The face at a moment: seconds, the score at that tick, and a JPEG as a data URI."""

    seconds: float
    score: float
    picture: str


def make_portraits(analysis: Analysis, grid: Grid | None, clip: str | Path) -> list[Portrait]:
    """The face at the telling moments at which it was seen, in order; none where the clip is gone or has no face."""
    if grid is None or grid.looks is None or not len(grid.looks.time):
        return []
    from extractors.media.stills import face_pictures

    half, apart = analysis.ticks.step / 2, max(APART, analysis.end / ROOM)
    moments = [start + half for start in telling_moments(analysis, MOST, apart, "visual")]
    try:
        pictures = face_pictures(clip, grid.looks, moments)
    except InputError:
        return []
    starts, scores = np.asarray(analysis.ticks.start), analysis.sentiment.ticks
    return [
        Portrait(
            seconds,
            scores[max(0, int(np.searchsorted(starts, seconds + 1e-6)) - 1)],
            f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}",
        )
        for seconds, jpeg in pictures
    ]


def portraits_card(portraits: Sequence[Portrait], language: str = DEFAULT, *, seek: bool = True) -> str:
    """A strip above the time line, in which `faces.js` puts each picture over its time; nothing without any.

    With `seek` each is a button that sends the video there; a report has no video.
    """
    if not portraits:
        return ""
    shown = "".join(_shown(portrait, language, seek) for portrait in portraits)
    told = tell("faces.strip", language)
    return f'<div class="cm-faces" role="group" aria-label="{told}">{shown}</div>'


def _shown(portrait: Portrait, language: str, seek: bool) -> str:
    when = clock(portrait.seconds)
    alt = escape(tell("faces.at", language, time=when, score=signed(portrait.score, 1)))
    picture = f'<img src="{portrait.picture}" alt="{alt}" width="56" height="56"><span aria-hidden="true">{when}</span>'
    start = f'class="cm-face" data-start="{portrait.seconds:.3f}" title="{alt}"'
    return f'<button type="button" {start}>{picture}</button>' if seek else f"<span {start}>{picture}</span>"

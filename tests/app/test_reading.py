"""What is told at the playhead is what is in the analysis, and only what was observed there."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np

from app.analysis import MODALITIES, Line
from app.figures import draw_timeline
from app.figures.reading import NOTHING, readings
from app.telling.numbers import signed
from tests.app.made import make_analysis


def numbers(text: str) -> list[int]:
    """As `reading.js` reads them."""
    return np.frombuffer(base64.b64decode(text), np.int8).tolist()


def test_every_tick_is_told_as_the_page_rounds_it() -> None:
    analysis = make_analysis(300)
    found = readings(analysis)
    assert (found["first"], found["step"], list(found["lines"])) == (0.0, 0.2, ["all", *MODALITIES])
    lines: dict[str, Line] = {"all": analysis.sentiment.ticks}
    lines |= {m: analysis.sentiment.alone[m].ticks for m in MODALITIES}
    for name, line in lines.items():
        told = [signed(tenths / 10) for tenths in numbers(found["lines"][name])]
        assert told == [signed(score) for score in line]
    assert draw_timeline(analysis).layout.meta["readings"] == found


def test_nothing_is_told_of_what_is_not_observed_at_that_tick() -> None:
    analysis = make_analysis(6, ("text", "audio"))
    presence = {"text": (0.0, 1.0, 0.0, 0.5, 0.0, 0.0), "audio": (0.0, 0.0, 0.0, 1.0, 1.0, 0.0)}
    found = readings(replace(analysis, presence={**analysis.presence, **presence}))["lines"]
    unread = {name: [tenths == NOTHING for tenths in numbers(text)] for name, text in found.items()}
    assert unread == {
        "all": [True, False, False, False, False, True],  # a pause is bridged, as its line is
        "text": [True, False, True, False, True, True],
        "audio": [True, True, True, False, False, True],
    }


def test_half_an_hour_adds_little_to_the_picture() -> None:
    assert sum(len(text) for text in readings(make_analysis(9000))["lines"].values()) < 50_000

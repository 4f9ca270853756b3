"""What is read at every tick, as a few bytes that go with the time line: `reading.js` tells it at the playhead."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from app.analysis import MODALITIES, Analysis, Line
from app.telling.observed import observed, told_ticks

NOTHING = -128  # where there is nothing to tell


def readings(analysis: Analysis) -> dict[str, Any]:
    """{"first", "step": when the ticks are, "lines": {"all" or modality: int8 [L] in base64, tenths of a point}}.

    All together as its line is drawn; a modality only at ticks at which it was observed, NOTHING at the others: its
    line goes on over a pause, but at the playhead that would say that it is read right now.
    """
    ticks, feeling = analysis.ticks, analysis.sentiment
    told = np.zeros(len(ticks.start), bool)
    told[told_ticks(analysis)] = True
    lines = {"all": _tenths(feeling.ticks, told)}
    for name in MODALITIES:
        if name in feeling.alone:
            lines[name] = _tenths(feeling.alone[name].ticks, observed(analysis, name))
    return {"first": ticks.start[0], "step": ticks.step, "lines": lines}


def _tenths(line: Line, told: Any) -> str:
    """Rounded as the page's numbers are, from the number itself and not from ten times it."""
    values = [
        round(10 * round(score, 1)) if there else NOTHING for score, there in zip(line, told, strict=True)
    ]
    return base64.b64encode(np.array(values, np.int8).tobytes()).decode()

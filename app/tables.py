"""Tables that say what the pictures show, as text cells."""

from __future__ import annotations

import math

import numpy as np

from app.analysis import MODALITIES, Analysis
from app.figures.style import NAMES
from app.figures.words import words_at
from app.wording import clock, signed


def tick_table(analysis: Analysis, most: int = 300) -> tuple[list[str], list[list[str]]]:
    """(header, rows): time, what was said, the score of all together, each modality's alone, whether observed.

    Up to `most` rows: in a longer clip a row stands for several ticks and gives their mean.
    """
    count = len(analysis.ticks.start)
    each = max(1, math.ceil(count / most))
    names = [m for m in MODALITIES if m in analysis.sentiment.alone]
    header = ["time", "said", "all together", *(f"{NAMES[m]} alone" for m in names), "heard or seen"]
    said = words_at(analysis)
    lines = [analysis.sentiment.ticks, *(analysis.sentiment.alone[m].ticks for m in names)]
    rows = []
    for a in range(0, count, each):
        b = min(count, a + each)
        words = " ".join(dict.fromkeys(w for w in said[a:b] if w != "–"))
        scores = [signed(float(np.mean(line[a:b])), 2) for line in lines]
        seen = [NAMES[m] for m in MODALITIES if any(analysis.presence.get(m, ())[a:b])]
        rows.append([clock(analysis.ticks.start[a]), words, *scores, ", ".join(seen)])
    return header, rows

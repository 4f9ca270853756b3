"""CSV: a row a tick, every number of the time line in a column of its own."""

from __future__ import annotations

import csv
import io

from app.analysis import MODALITIES, NAMES, Analysis, Gapped, Interval, Line
from app.exports.text import one_line
from app.figures.words import words_at
from app.telling.observed import told_ticks

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")
"""What makes a spreadsheet take a cell's text for a formula; the wide signs do so in Japanese and Chinese versions."""

Column = list[str]


def render_csv(analysis: Analysis) -> str:
    """The table as text, with a byte order mark, without which spreadsheets take it for Latin-1.

    Columns: time (start of the tick, seconds), said, score, low, high (of all together); then by words, voice and
    face: score, low, high, presence (0..1) and state size; voice_pitch (Hz) and voice_loudness (dB beside the clip's
    speech as a whole); then share_of_X_from_Y, the share of X's output that came from Y. A cell is empty where nothing
    is known: a score before anything, or its modality, was first observed and after it last was, an interval that the
    model was not calibrated for, the pitch of what is not voiced.
    """
    columns = {"time": _numbers(analysis.ticks.start), "said": _said(analysis)}
    whole = _scores("", analysis.sentiment.ticks, analysis.sentiment.interval, len(analysis.ticks.start))
    columns |= _told(whole, told_ticks(analysis))
    for modality, name in NAMES.items():
        columns |= _modality(analysis, modality, f"{name}_")
    columns |= _tone(analysis)
    for target, sources in analysis.dynamics.share.items():
        columns |= {
            f"share_of_{NAMES[target]}_from_{NAMES[m]}": _numbers(sources[m])
            for m in MODALITIES
            if m in sources
        }
    out = io.StringIO()
    writer = csv.writer(out)  # RFC 4180: lines end in CR LF
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return "\ufeff" + out.getvalue()


def harmless(text: str) -> str:
    """The text in one line, and no formula to a spreadsheet: an apostrophe before what would begin one."""
    line = one_line(text)
    return f"'{line}" if line.startswith(FORMULA) else line


def _said(analysis: Analysis) -> Column:
    return [harmless("" if words == "–" else words) for words in words_at(analysis)]


def _modality(analysis: Analysis, modality: str, name: str) -> dict[str, Column]:
    count = len(analysis.ticks.start)
    alone = analysis.sentiment.alone.get(modality)
    presence = analysis.presence.get(modality, (0.0,) * count)
    if alone is None:
        columns = _scores(name, None, None, count)
    else:
        columns = _told(_scores(name, alone.ticks, alone.interval, count), told_ticks(analysis, modality))
    norm = analysis.dynamics.state_norm.get(modality)
    columns[f"{name}presence"] = _numbers(presence)
    columns[f"{name}state"] = _numbers(norm) if norm else [""] * count
    return columns


def _scores(name: str, ticks: Line | None, interval: Interval | None, count: int) -> dict[str, Column]:
    nothing = [""] * count
    return {
        f"{name}score": _numbers(ticks) if ticks else nothing,
        f"{name}low": _numbers(interval.ticks_low) if interval else nothing,
        f"{name}high": _numbers(interval.ticks_high) if interval else nothing,
    }


def _told(columns: dict[str, Column], told: slice) -> dict[str, Column]:
    """The columns with empty cells but in the ticks `told`."""
    return {
        key: [""] * told.start + column[told] + [""] * (len(column) - told.stop)
        for key, column in columns.items()
    }


def _tone(analysis: Analysis) -> dict[str, Column]:
    tone, nothing = analysis.tone, [""] * len(analysis.ticks.start)
    return {
        "voice_pitch": _numbers(tone.pitch) if tone else nothing,
        "voice_loudness": _numbers(tone.loudness) if tone else nothing,
    }


def _numbers(line: Gapped) -> Column:
    """Six decimals at most, as in the JSON; an empty cell where there is no number."""
    return ["" if value is None else f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".") for value in line]

"""Where nothing is observed any more a score is a memory that fades: it is neither told nor drawn nor written."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import numpy as np

from app.analysis import MODALITIES, Analysis
from app.answered import telling_moments
from app.asking import Fewer
from app.exports.elan import sign_changes
from app.exports.ticks import render_csv
from app.figures.compare import draw_beside, draw_over
from app.figures.lines import score_range
from app.figures.switches import draw_switched
from app.figures.timeline import draw_timeline
from app.telling.answer_cards import fewer_card
from app.telling.differences import beside_table, over_sentences, over_table, sides_of
from app.telling.observed import observed, told_line, told_part, told_ticks
from app.telling.tables import tick_table
from app.telling.wording import strongest_moment
from tests.app.made import make_analysis, with_intervals

SEEN = {"text": slice(5, 15), "audio": slice(4, 20), "visual": slice(0, 0)}
"""Ticks of `ending` at which each was observed, but for a pause from 10 to 12."""


def ending(last: float = -2.9) -> Analysis:
    """40 ticks, of which the first 4 and the last 20 hold nothing; the score drifts from 0.5 to `last` by their end."""
    analysis = with_intervals(make_analysis(40, ("text", "audio")))
    presence = {m: np.zeros(40) for m in MODALITIES}
    for m, seen in SEEN.items():
        presence[m][seen] = 1.0
        presence[m][10:12] = 0.0
    ticks = np.full(40, 0.5)
    ticks[10:12], ticks[12], ticks[:4], ticks[20:] = -0.9, 0.7, -0.3, np.linspace(0.5, last, 20)
    feeling = replace(analysis.sentiment, ticks=tuple(ticks.tolist()))
    alone = {m: replace(a, ticks=(0.4,) * 39 + (2.8,)) for m, a in feeling.alone.items()}
    return with_intervals(
        replace(
            analysis,
            presence={m: tuple(line.tolist()) for m, line in presence.items()},
            sentiment=replace(feeling, alone=alone),
        ),
        0.1,
    )


def test_ticks_are_told_from_the_first_observation_to_the_last() -> None:
    analysis = ending()
    assert np.flatnonzero(observed(analysis)).tolist() == [*range(4, 10), *range(12, 20)]
    assert (told_ticks(analysis), told_ticks(analysis, "")) == (slice(4, 20),) * 2
    assert told_ticks(analysis, "text") == slice(5, 15)
    assert told_ticks(analysis, "text", "audio") == slice(4, 20)
    assert told_ticks(analysis, "visual") == slice(0, 0)
    assert [told_part(slice(4, 20), *ends) for ends in ((0, 6), (6, 9), (18, 30))] == [
        slice(4, 6), slice(6, 9), slice(18, 20)
    ]  # fmt: skip
    outside = [told_part(slice(4, 20), *ends) for ends in ((0, 3), (30, 40))]
    assert all(part.start >= part.stop for part in outside)
    line = told_line(analysis, analysis.sentiment.ticks, "text")
    assert [i for i, value in enumerate(line) if not math.isnan(value)] == list(range(5, 15))
    silent = replace(analysis, presence=dict.fromkeys(MODALITIES, (0.0,) * 40))
    assert told_ticks(silent) == slice(0, 40)
    assert told_ticks(silent, "text") == slice(0, 0)


def test_findings_are_of_ticks_at_which_something_was_observed() -> None:
    analysis = ending()
    assert strongest_moment(analysis).startswith("The strongest moment is +0.7 at 0:02.4")
    assert [(name, round(a, 6), round(b, 6)) for name, a, b in sign_changes(analysis)] == [
        ("positive", 0.8, 4.0)
    ]
    assert telling_moments(analysis, 1) == [analysis.ticks.start[12]]
    assert max(telling_moments(analysis, 9, 0.2)) < 4.0
    sides = sides_of(("a", "b"), analysis, ending(2.9))
    assert over_sentences(*sides)[0].startswith("The two are nowhere more than")


def test_what_is_said_before_all_have_appeared_is_no_finding() -> None:
    """With a face alone, and nothing in memory yet, the score leaps about: three findings leave that out alike."""
    analysis = make_analysis(60)
    ticks = np.asarray(analysis.sentiment.ticks)
    ticks[[0, 30]] = 2.9, -2.5
    late = (0.0,) * 5 + (1.0,) * 55
    analysis = replace(
        analysis,
        presence={**analysis.presence, "text": late, "audio": late},
        sentiment=replace(analysis.sentiment, ticks=tuple(ticks.tolist())),
    )
    assert strongest_moment(analysis).startswith("The strongest moment is −2.5 at 0:06.0, at “")
    assert telling_moments(analysis, 1) == [6.0]
    assert min(telling_moments(analysis, 60, 0.1, "visual")) == 1.0
    rows = csv.DictReader(io.StringIO(render_csv(analysis).lstrip("\ufeff"), newline=""))
    assert next(rows)["score"] == "2.9"  # the files stay whole
    calm = replace(analysis.sentiment, ticks=(0.0, *analysis.sentiment.ticks[1:]))
    sides = sides_of(("a", "b"), analysis, replace(analysis, sentiment=calm))
    assert over_sentences(*sides)[0].startswith("The two are farthest apart at 0:00.0")  # and nowhere else
    calm = replace(calm, ticks=(0.0,) * 30 + calm.ticks[31:] + (0.0,))
    sides = sides_of(("a", "b"), analysis, replace(analysis, sentiment=calm))
    assert "0:00.0" not in over_sentences(*sides)[0]


def test_a_face_that_is_seen_at_the_start_alone_is_shown_all_the_same() -> None:
    presence = {"text": (0.0,) * 9 + (1.0,) * 51, "audio": (1.0,) * 60, "visual": (1.0,) * 4 + (0.0,) * 56}
    analysis = replace(make_analysis(60), presence=presence)
    assert max(telling_moments(analysis, 60, 0.1, "visual")) < 0.8
    assert min(telling_moments(analysis, 60, 0.1)) == 1.8


def test_tables_and_files_leave_empty_what_was_not_observed() -> None:
    analysis = ending()
    rows = list(csv.DictReader(io.StringIO(render_csv(analysis).lstrip("\ufeff"), newline="")))
    for name, seen in (("", range(4, 20)), ("words_", range(5, 15)), ("voice_", range(4, 20))):
        for column in ("score", "low", "high"):
            assert [i for i, row in enumerate(rows) if row[f"{name}{column}"]] == list(seen)
    header, told = tick_table(analysis)
    for name, seen in (("all together", range(4, 20)), ("words alone", range(5, 15))):
        cells = [row[header.index(name)] for row in told]
        assert [i for i, cell in enumerate(cells) if cell != "–"] == list(seen)
    # A row of several ticks is of those that are told.
    assert [row[3].split(" ")[0] for row in tick_table(analysis, 3)[1]] == ["+0.40", "+0.40", "–"]
    first, second = sides_of(("a", "b"), analysis, ending())
    for table, skip in ((over_table(first, second), 2), (beside_table(first, second), 1)):
        filled = [i for i, row in enumerate(table[1]) if any(row[skip:])]
        assert filled == list(range(4, 20))
    fewer = Fewer(("text",), analysis.sentiment.clip, (0.5,) * 40)
    card = fewer_card(analysis, fewer)
    assert (card.count("<td>–</td><td>–</td>"), card.count("<td>–</td>")) == (24, 24 + 30)


def test_lines_end_with_the_last_observation_and_the_scale_is_theirs() -> None:
    analysis = ending()
    first, second = sides_of(("a", "b"), analysis, ending())
    # Of the scores within, with their interval, and not of the -2.9 after the end.
    assert score_range([analysis])[0] == -1.5
    end = analysis.ticks.start[20]
    for figure in (draw_timeline(analysis), draw_over(first, second), *draw_beside(first, second)):
        lines = {t.name: t for t in figure.data if t.name and t.name.startswith(("all together", "words"))}
        lines = {name: t for name, t in lines.items() if "state" not in name}
        assert len(lines) >= 2
        for name, line in lines.items():
            seen = SEEN["text"] if name.startswith("words") else slice(4, 20)
            assert np.flatnonzero(~np.isnan(line.y)).tolist() == list(range(seen.start, seen.stop))
        drawn = [t for t in figure.data if t.type == "scatter"]
        bands = [t for t in drawn if t.fill == "toself" or t.line.dash == "1.5px,3px"]
        assert bands
        assert all(max(band.x) < end for band in bands)
    part = Fewer(("text",), analysis.sentiment.clip, (0.5,) * 40)
    whole, base, left = draw_switched(analysis, part).data
    assert (len(whole.x), len(base.x), len(left.x)) == (16, 10, 10)
    assert max(whole.x) < end
    both = Fewer(("text", "audio"), analysis.sentiment.clip, (0.5,) * 40)
    assert len(draw_switched(analysis, both).data) == 2


def test_a_line_of_one_observed_tick_is_seen() -> None:
    analysis = ending()
    once = replace(analysis, presence={**analysis.presence, "text": (0.0,) * 9 + (1.0,) + (0.0,) * 30})
    modes = {t.name: t.mode for t in draw_timeline(once).data if t.type == "scatter"}
    assert (modes["words alone"], modes["voice alone"]) == ("markers", "lines")

"""Two analyses compared: what is drawn, said and tabled stands for what is in them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from app.analysis import MODALITIES, Analysis, ClipScore, TimedWord, label
from app.figures.compare import DASHES, Side, draw_beside, draw_over
from app.figures.style import COLOURS, INK
from app.telling.differences import (
    COUPLED,
    INDEPENDENT,
    beside_sentences,
    beside_table,
    comparison_of,
    over_sentences,
    over_table,
    score_table,
    sides_of,
)
from tests.app.made import make_analysis, with_intervals, with_words


def moved(analysis: Analysis, tick: int, by: float) -> Analysis:
    """The analysis with one tick's score, and so the clip's, moved."""
    ticks = list(analysis.sentiment.ticks)
    ticks[tick] += by
    score = analysis.sentiment.clip.score + by / 10
    feeling = replace(analysis.sentiment, ticks=tuple(ticks), clip=ClipScore(score, label(score)))
    return replace(analysis, sentiment=feeling)


def two(ticks: int = 40) -> tuple[Side, Side]:
    first = with_intervals(make_analysis(ticks))
    return sides_of((COUPLED, INDEPENDENT), first, with_intervals(moved(make_analysis(ticks), 12, -0.9), 1.2))


def test_one_clip_is_drawn_over_one_time_axis_solid_and_dashed() -> None:
    first, second = two()
    figure = draw_over(first, second)
    assert {trace.xaxis or "x" for trace in figure.data} == {"x"}
    lines = {trace.name: trace for trace in figure.data if trace.name and trace.name != "said"}
    for side, dash in ((first, "solid"), (second, DASHES)):
        whole = lines[f"all together, {side.name}"]
        assert np.allclose(whole.y, side.analysis.sentiment.ticks)
        assert (whole.line.color, whole.line.dash) == (INK, dash)
        for m, told in zip(MODALITIES, ("words", "voice", "face"), strict=True):
            line = lines[f"{told}, {side.name}"]
            assert np.allclose(line.y, side.analysis.sentiment.alone[m].ticks)
            assert (line.line.color, line.line.dash) == (COLOURS[m], dash)
    assert len(lines) == 8
    domains = [figure.layout[f"yaxis{n}"].domain for n in ("", "2", "3", "4")]
    assert all(upper[0] > lower[1] for upper, lower in pairwise(domains))
    limits = [figure.layout[f"yaxis{n}"].range[1] for n in ("", "2", "3", "4")]
    assert limits[0] >= limits[1] == limits[2] == limits[3]


def test_both_intervals_are_drawn_and_told() -> None:
    first, second = two()
    figure = draw_over(first, second)
    (band,) = [t for t in figure.data if t.fill == "toself"]
    between = first.analysis.sentiment.interval
    assert between is not None
    assert np.allclose(band.y[:40], between.ticks_high)
    edges = [t for t in figure.data if t.line.dash == "1.5px,3px"]
    other = second.analysis.sentiment.interval
    assert other is not None
    assert np.allclose([edges[0].y, edges[1].y], [other.ticks_low, other.ticks_high])
    told = next(t.customdata for t in figure.data if t.name == "all together, independent")
    assert told[12].count(" to ") == 1


def test_lines_of_another_clip_do_not_go_over_one_axis() -> None:
    first, second = two()
    with pytest.raises(ValueError, match="coupled has 40 ticks and b 50: only analyses of one clip"):
        draw_over(first, Side("b", make_analysis(50)))
    assert draw_beside(first, second)


def test_two_clips_have_their_own_time_and_one_scale() -> None:
    first = Side("a.mp4", with_intervals(make_analysis(20)))
    second = Side("b.mp4", make_analysis(300, ("text", "audio")))
    left, right = draw_beside(first, second)
    assert tuple(left.layout.xaxis.range) == pytest.approx((0, 4))
    assert tuple(right.layout.xaxis.range) == pytest.approx((0, 60))
    assert left.layout.yaxis.range == right.layout.yaxis.range
    assert {t.name for t in right.data} == {"all together", "words alone", "voice alone", "said"}
    assert np.allclose(
        next(t for t in left.data if t.name == "face alone").y, first.analysis.sentiment.alone["visual"].ticks
    )


def test_the_sentences_say_where_and_by_how_much() -> None:
    first, second = two()
    words = with_words(first.analysis, TimedWord("the", 2.0, 2.2), TimedWord("ending,", 2.3, 2.6))
    where, whole, alone = over_sentences(replace(first, analysis=words), second)
    value = first.analysis.sentiment.ticks[12]
    assert where == (
        f"The two are farthest apart at 0:02.4, at “the ending”: coupled +{value:.2f}, "
        f"independent {'+' if value > 0.9 else '−'}{abs(value - 0.9):.2f}, 0.90 points."
    )
    assert whole.endswith("from moment to moment they are 0.02 points apart on average.")  # 0.9 over 40 ticks
    assert "by 0.00 points" in alone
    assert over_sentences(first, replace(second, analysis=first.analysis))[0] == (
        "The two are nowhere more than 0.05 points apart."
    )


def test_two_clips_are_told_by_their_wholes_and_the_modality_that_differs_most() -> None:
    first, second = make_analysis(20, ("text", "audio")), make_analysis(200)
    assert len(beside_sentences(Side("a", first), Side("b", first))) == 1  # alike: none differs most
    told = beside_sentences(*sides_of(("a.mp4", "a.mp4"), first, second))
    assert told[0].startswith("As a whole a.mp4 (1) is ")
    assert told[0].endswith("points apart.")
    gaps = {
        m: abs(second.sentiment.alone[m].score - first.sentiment.alone[m].score) for m in ("text", "audio")
    }
    most = "the words differ" if gaps["text"] > gaps["audio"] else "the voice differs"
    assert most in told[2]  # after what the two rest on, which is not the same
    apart = Side("a", make_analysis(5, ("text",))), Side("b", make_analysis(5, ("visual",)))
    assert len(beside_sentences(*apart)) == 2  # the whole, and what each rests on


def test_tables_hold_what_the_pictures_show() -> None:
    first, second = two()
    header, rows = over_table(first, second)
    assert header[:4] == ["time", "said", "all together, coupled", "all together, independent"]
    assert len(header) == 10
    assert len(rows) == 40
    value = second.analysis.sentiment.ticks[12]
    assert rows[12][3].startswith(f"{'−' if value < 0 else '+'}{abs(value):.2f} (")
    assert len(over_table(first, second, 10)[1]) == 10
    left, right = Side("a", make_analysis(10)), Side("b", make_analysis(30, ("text",)))
    header, rows = beside_table(left, right)
    assert header == [
        "time",
        *(
            f"{n} alone, a" if n != "all together" else f"{n}, a"
            for n in ("all together", "words", "voice", "face")
        ),
        "all together, b",
        "words alone, b",
    ]
    assert len(rows) == 30
    assert rows[10][1:5] == [""] * 4
    assert rows[9][1]
    assert rows[29][5]
    header, rows = score_table(left, right)
    assert header == ["", "a", "b", "difference"]
    assert [row[0] for row in rows] == ["all together", "words alone", "voice alone", "face alone"]
    assert rows[2][2:] == ["–", "–"]


def test_plain_data_holds_both_analyses_and_the_differences() -> None:
    first, second = two()
    plain = comparison_of(first, second, same_clip=True)
    assert Analysis.from_dict(plain["first"]) == first.analysis
    scores = plain["scores"]["together"]
    assert scores["difference"] == pytest.approx(-0.09)
    assert plain["sentences"] == over_sentences(first, second)
    other = comparison_of(first, Side("b", make_analysis(9, ("text",))), same_clip=False)
    assert other["scores"]["visual"]["second"] is None
    assert other["names"] == ["coupled", "b"]


@pytest.mark.parametrize("ticks", [1, 2, 9000])
def test_comparisons_of_any_length(ticks: int) -> None:
    first, second = (with_intervals(make_analysis(ticks)) for _ in range(2))
    assert len(draw_over(Side("a", first), Side("b", second)).to_json()) < 3_000_000
    assert sum(len(f.to_json()) for f in draw_beside(Side("a", first), Side("b", second))) < 3_000_000
    assert len(over_table(Side("a", first), Side("b", second))[1]) <= 300


def test_what_two_clips_rest_on_is_told_where_it_is_not_the_same() -> None:
    spoken, seen = make_analysis(40, ("text", "audio")), make_analysis(40, ("visual",))
    told = beside_sentences(*sides_of(("a.mp4", "b.mp4"), spoken, seen))
    assert told[1] == (
        "a.mp4 rests on words and voice and b.mp4 on face alone: "
        "part of what they differ in may come from that."
    )
    assert not any(
        "rests" in sentence for sentence in beside_sentences(*sides_of(("a", "b"), spoken, spoken))
    )

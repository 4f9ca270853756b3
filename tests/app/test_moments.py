"""One moment in words, and the table equal to its picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from app.analysis import TimedWord
from app.figures.moment import LEAST, draw_moment
from app.telling.answer_cards import moment_card
from app.telling.moments import (
    Moment,
    gather,
    main_span,
    moment_sentence,
    moment_table,
    said_between,
    shown_from,
)

WORDS = (TimedWord("so", 0.2, 0.4), TimedWord("terrible", 2.8, 3.1), TimedWord("boring.", 3.1, 3.3))


def make_moment(ticks: int = 18, base: float = 0.1) -> Moment:
    """Words pull down from 2.8 s on, the voice up a little, the face next to nothing."""
    text, audio = np.zeros(ticks), np.zeros(ticks)
    text[14:16], text[3] = -0.6, -0.05
    audio[-1] = 0.21
    lines = {"text": text, "audio": audio, "visual": np.full(ticks, 0.0001)}
    return Moment(
        tuple((0.2 * np.arange(ticks)).tolist()),
        0.2,
        float(base + sum(line.sum() for line in lines.values())),
        base,
        {m: tuple(line.tolist()) for m, line in lines.items()},
    )


def drawn(moment: Moment, words: tuple[TimedWord, ...] = WORDS) -> go.Figure:
    figure = draw_moment(moment, words)
    assert figure is not None
    return figure


def test_the_sentence_says_what_moved_the_score_and_when() -> None:
    assert moment_sentence(make_moment(), WORDS) == (
        "At 0:03.4 the score is −0.9. The words take it down (−1.2), most of it by what came from 0:02.8 to 0:03.2 "
        "(“terrible boring”). The voice takes it up a little (+0.21); the face hardly matters. "
        "The network’s constants add +0.1."
    )


def test_what_it_would_be_without_each_is_told_and_tabled() -> None:
    moment = replace(make_moment(), without={"text": 0.3, "audio": -1.14, "visual": -0.9})
    scores = "+0.3 without the words, −1.1 without the voice, −0.9 without the face"
    told = f" Run again, the network gives a score of {scores}."
    assert moment_sentence(moment, ()).endswith(told)
    assert moment_table(moment, ())[-1] == ["score without it", "", "+0.30", "−1.14", "−0.90"]


def test_constants_that_add_nothing_are_not_told() -> None:
    assert "constants" not in moment_sentence(make_moment(base=-0.04), WORDS)
    assert moment_sentence(make_moment(base=-0.06), WORDS).endswith("The network’s constants add −0.1.")


def test_a_moment_that_rests_on_constants_alone_says_so() -> None:
    moment = Moment((0.0,), 0.2, 2.0, 2.0, {"visual": (0.01,)})
    assert moment_sentence(moment, ()) == (
        "At 0:00.0 the score is +2.0. Nothing observed brought in much: the network’s constants add +2.0."
    )


def test_before_anything_was_observed_there_is_a_sentence_and_nothing_to_draw() -> None:
    moment = Moment((0.0, 0.2), 0.2, 0.14, 0.14, {})
    assert moment_sentence(moment, WORDS) == (
        "At 0:00.2 the score is +0.1. Nothing was seen or heard by then: the network’s constants alone give +0.1."
    )
    assert draw_moment(moment, WORDS) is None
    assert moment_table(moment, WORDS) == []
    assert "<table" not in moment_card(moment, WORDS)


def test_two_that_hardly_matter_and_a_single_tick() -> None:
    moment = replace(make_moment(), sources={"text": (0.0, 0.01), "audio": (0.0, -0.8), "visual": (0.0, 0.0)})
    moment = replace(moment, starts=(0.0, 0.2))
    told = moment_sentence(moment, ())
    assert "The voice takes it down (−0.8), most of it by what came at 0:00.2." in told
    assert "The words and the face hardly matter." in told


@pytest.mark.parametrize("seed", range(5))
def test_the_main_span_holds_most_of_the_pull_and_no_shorter_one_does(seed: int) -> None:
    line = np.random.default_rng(seed).standard_normal(40)
    mass = line.clip(0)
    first, end = main_span(tuple(line), 1.0)
    assert mass[first:end].sum() >= 0.6 * mass.sum() - 1e-9
    shorter = end - first - 1
    assert all(mass[i : i + shorter].sum() < 0.6 * mass.sum() for i in range(40 - shorter + 1))


@pytest.mark.parametrize(("ticks", "first", "columns"), [(1, 0, 5), (7, 0, 3), (100, 13, 10), (9, 3, 20)])
def test_gathered_columns_hold_all_that_came_since(ticks: int, first: int, columns: int) -> None:
    line = tuple(np.random.default_rng(0).standard_normal(ticks).tolist())
    edges, sums = gather(line, first, columns)
    assert len(edges) == len(sums) <= columns
    assert edges[0] == first
    assert sums.sum() == pytest.approx(sum(line[first:]))


def test_picture_and_table_say_the_same() -> None:
    moment = make_moment()
    (cells,) = drawn(moment).data
    rows = moment_table(moment, WORDS)
    assert list(cells.y) == ["words", "voice", "face"]
    first = shown_from(moment)
    assert cells.z.shape == (3, len(moment.starts) - first)
    assert cells.z[0].min() == pytest.approx(-1)
    assert rows[-1] == ["in all", "", "−1.25", "+0.21", "0.00"]
    terrible = next(row for row in rows if row[1] == "terrible")
    assert terrible == ["0:02.8", "terrible", "−0.60", "0.00", "0.00"]
    assert any("“terrible”" in told and "−0.600 points" in told for told in cells.customdata[0])


def test_next_to_nothing_does_not_look_like_much_and_tags_stay_text() -> None:
    moment = Moment((0.0, 0.2), 0.2, 2.0, 2.0, {"visual": (0.0, LEAST / 10)})
    (cells,) = drawn(moment, (TimedWord("<b>me</b>", 0.0, 0.2),)).data
    assert np.abs(cells.z).max() == pytest.approx(0.1)
    assert "&lt;b&gt;me" in cells.customdata[0][0]


def test_a_long_past_is_cut_where_nothing_is_felt_any_more() -> None:
    ticks = 900
    line = np.zeros(ticks)
    line[-30:] = 0.1
    starts = tuple((0.2 * np.arange(ticks)).tolist())
    moment = Moment(starts, 0.2, 3.0, 0.0, {"text": tuple(line.tolist())})
    assert 0.2 * shown_from(moment) > 170
    assert moment_table(moment, ())[0][0].startswith("before ")
    assert len(drawn(moment).to_json()) < 100_000


def test_words_said_between() -> None:
    assert said_between(WORDS, 2.8, 3.0) == ["terrible"]
    assert said_between(WORDS, 2.85, 2.9) == ["terrible"]
    assert said_between(WORDS, 0.5, 2.0) == []

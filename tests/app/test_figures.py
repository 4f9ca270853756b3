"""Pictures: what is drawn stands for what is in the analysis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from app.analysis import MODALITIES, Analysis, TimedWord
from app.asking import Fewer
from app.exports.sentences import sentences
from app.figures import draw_coupling, draw_timeline
from app.figures.lines import range_of, signed_hundredths
from app.figures.moment import draw_moment
from app.figures.reduce import kept
from app.figures.shares import share_range, share_traces
from app.figures.space import space_points
from app.figures.style import COLOURS, INK
from app.figures.switches import draw_switched
from app.figures.timeline import stretches
from app.figures.words import LANES, WIDTH, MovedWord, lanes_of, moved_words, place, words_at
from model.inference.answers import Paths
from tests.app.made import make_analysis, make_shares, with_intervals, with_tone, with_words
from tests.app.test_moments import make_moment


def test_timeline_draws_every_line_in_its_colour() -> None:
    analysis = make_analysis()
    lines = {trace.name: trace for trace in draw_timeline(analysis).data if trace.name}
    assert np.allclose(lines["all together"].y, analysis.sentiment.ticks)
    assert lines["all together"].line.color == INK
    for name, told in zip(MODALITIES, ("words", "voice", "face"), strict=True):
        assert np.allclose(lines[f"{told} alone"].y, analysis.sentiment.alone[name].ticks)
        assert np.allclose(lines[f"{told} state size"].y, analysis.dynamics.state_norm[name])
        assert lines[f"{told} alone"].line.color == COLOURS[name]


def test_timeline_has_one_axis_in_seconds_and_hovers_over_all() -> None:
    figure = draw_timeline(make_analysis(50))
    assert {trace.xaxis or "x" for trace in figure.data} == {"x"}
    assert tuple(figure.layout.xaxis.range) == pytest.approx((0, 10))
    assert figure.layout.hoversubplots == "axis"
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"  # for light and dark grounds alike


def test_the_hover_tells_what_was_heard_and_seen() -> None:
    analysis = make_analysis(10)
    presence = {"text": (0.0,) * 4 + (1.0,) * 6, "audio": (0.0,) * 2 + (0.5,) * 8, "visual": (0.0,) * 10}
    figure = draw_timeline(replace(analysis, presence=presence))
    (seen,) = [trace for trace in figure.data if trace.name == "heard or seen"]
    told = ["–"] * 2 + ["voice"] * 2 + ["words, voice"] * 6
    assert [*zip(np.round(seen.x.astype(float), 1).tolist(), seen.customdata, strict=True)] == [
        *zip([0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9], told, strict=True)
    ]
    assert seen.yaxis == "y5"
    long = next(t for t in draw_timeline(make_analysis(9000)).data if t.name == "heard or seen")
    assert np.diff(long.x).max() < 0.9  # also in the middle of what does not change it is told


def test_a_modality_that_was_not_observed_has_no_line_and_no_bar() -> None:
    figure = draw_timeline(make_analysis(modalities=("text", "audio")))
    assert "face alone" not in {trace.name for trace in figure.data}
    bars = [trace for trace in figure.data if trace.type == "bar" and trace.orientation == "h"]
    assert sorted(len(bar.x) for bar in bars) == [0, 1, 1]


def test_the_band_is_the_interval_and_the_hover_tells_it() -> None:
    analysis = with_intervals(make_analysis(40))
    between = analysis.sentiment.interval
    assert between is not None
    figure = draw_timeline(analysis)
    (band,) = [trace for trace in figure.data if getattr(trace, "fill", None) == "toself"]
    assert np.allclose(band.y[:40], between.ticks_high)
    assert np.allclose(band.y[40:][::-1], between.ticks_low)
    assert np.allclose(band.x[:40], band.x[40:][::-1])
    assert band.hoverinfo == "skip"
    told = {trace.name: trace.customdata for trace in figure.data if trace.name}
    ends = f"({signed_hundredths(between.ticks_low[3])} to {signed_hundredths(between.ticks_high[3])})"
    assert told["all together"][3] == f"{signed_hundredths(analysis.sentiment.ticks[3])} {ends}"
    assert "(" in told["voice alone"][0]
    low, high = figure.layout.yaxis.range
    assert low <= min(between.ticks_low)
    assert high >= max(between.ticks_high)


def test_a_long_line_keeps_its_extremes_its_ends_and_its_gaps() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=10_000).astype(np.float32)
    values[:2000] = np.nan
    values[[5000, 7001]] = 9, -9
    shown = kept(values, 1000)
    assert len(shown) <= 1002
    assert (np.diff(shown) > 0).all()
    assert {0, 5000, 7001, 9999} <= set(shown.tolist())
    for a in range(2000, 10_000, 500):
        part = values[shown[(shown >= a) & (shown < a + 500)]]
        assert (part.min(), part.max()) == (values[a : a + 500].min(), values[a : a + 500].max())
    assert np.isnan(values[shown[shown < 2000]]).all()
    values[5005:5007] = np.nan  # a gap within a stretch of 20
    assert np.isnan(values[kept(values, 1000)]).sum() == np.isnan(values[shown]).sum() + 1
    assert kept(values[:1000], 1000).tolist() == list(range(1000))


def test_without_an_interval_there_is_no_band() -> None:
    figure = draw_timeline(make_analysis())
    assert not [trace for trace in figure.data if getattr(trace, "fill", None) == "toself"]
    assert all("(" not in text for t in figure.data if t.name == "all together" for text in t.customdata)


def test_pitch_and_loudness_are_a_band_below_all_others_on_demand() -> None:
    analysis = with_tone(make_analysis())
    assert analysis.tone is not None
    plain, more = draw_timeline(analysis), draw_timeline(analysis, tone=True)
    assert more.data[: len(plain.data)] == plain.data
    pitch, loudness = more.data[len(plain.data) :]
    assert (pitch.name, loudness.name) == ("pitch", "loudness")
    assert np.isnan(pitch.y).tolist() == [value is None for value in analysis.tone.pitch]
    assert pitch.customdata[0] == "170 Hz"
    assert loudness.customdata[0] == "−6 dB"
    bands = sorted(more.layout[key].domain for key in more.to_dict()["layout"] if key.startswith("yaxis"))
    assert all(a[1] < b[0] for a, b in pairwise(bands))
    assert [more.layout[f"yaxis{t.yaxis[1:]}"].domain for t in (loudness, pitch)] == bands[:2]
    assert more.layout.xaxis.anchor == loudness.yaxis
    inside = [f.layout.height - f.layout.margin.t - f.layout.margin.b for f in (plain, more)]
    # The other bands keep their size in pixels, and their names stay beside them.
    assert np.ptp(more.layout.yaxis.domain) * inside[1] == pytest.approx(
        np.ptp(plain.layout.yaxis.domain) * inside[0]
    )
    heights = {note.text: note.y for note in more.layout.annotations}
    told = {note.text: note.hovertext for note in more.layout.annotations if note.hovertext}
    assert "0 dB" in told["loudness"]
    # Every name in the margin is explained, but those of the scale.
    unexplained = {text.split("  ")[0] for text in set(heights) - set(told)}
    assert unexplained == {"positive", "neutral", "negative"}
    low, high = more.layout.yaxis5.domain
    assert low < heights["heard,<br>seen"] < high
    assert draw_timeline(make_analysis(), tone=True).layout.height == plain.layout.height


@pytest.mark.parametrize("ticks", [1, 2, 9000])
def test_pictures_of_any_length(ticks: int) -> None:
    words = [TimedWord("honestly", 0.4 * i, 0.4 * i + 0.3) for i in range(ticks // 2)]
    analysis = with_tone(with_intervals(with_words(make_analysis(ticks), *words)))
    assert len(draw_timeline(analysis, tone=True).to_json()) < 3_000_000
    assert len(draw_coupling(analysis).to_json()) < 3_000_000
    fewer = Fewer(("text",), analysis.sentiment.clip, analysis.sentiment.ticks)
    assert len(draw_switched(analysis, fewer).to_json()) < 3_000_000
    moment = draw_moment(make_moment(max(18, ticks)), words)
    assert moment is not None
    assert len(moment.to_json()) < 3_000_000
    paths = Paths(np.full((ticks, 3, 3), -0.123456, np.float32), 0.8)
    assert len(json.dumps(space_points(analysis, paths))) < 3_000_000


def test_long_clips_are_shortened_for_drawing_with_their_extremes() -> None:
    analysis = make_analysis(9000)
    score = np.array(analysis.sentiment.ticks)
    score[[4001, 7777]] = 2.9, -2.9
    own = np.array(analysis.dynamics.share["text"]["text"])
    own[5003] = 1.9
    share = {
        "text": tuple(own.tolist()),
        "audio": tuple((0.6 * (1 - own)).tolist()),
        "visual": tuple((0.4 * (1 - own)).tolist()),
    }
    dynamics = replace(analysis.dynamics, share={**analysis.dynamics.share, "text": share})
    feeling = replace(analysis.sentiment, ticks=tuple(score.tolist()))
    analysis = replace(analysis, sentiment=feeling, dynamics=dynamics)
    traces = share_traces(share, np.arange(9000.0), "y3")
    assert len({tuple(t.x) for t in traces}) == 1  # areas are stacked at the same ticks
    assert len(traces[0].x) <= 4600
    assert 5003 in traces[0].x
    assert np.allclose(sum(np.asarray(t.y) for t in traces), 1)
    whole, part = draw_switched(analysis, Fewer(("text",), feeling.clip, (0.0,) * 9000)).data
    assert len(whole.x) <= 3100
    assert (max(whole.y), min(whole.y)) == pytest.approx((2.9, -2.9))
    assert len(part.x) == len(whole.x)
    points = np.random.default_rng(0).normal(0, 0.1, (9000, 3, 3)).astype(np.float32)
    points[6001, 2, 1] = -0.99
    drawn = space_points(analysis, Paths(points, 0.8))
    assert len(drawn["seconds"]) <= 1900
    assert np.diff(drawn["seconds"]).min() > 0
    assert min(point[1] for point in drawn["paths"]["visual"]) == -0.99
    assert max(drawn["score"]) == 2.9
    assert np.diff(drawn["seconds"]).max() < 2.5  # and it is drawn evenly, too


def test_the_hover_tells_every_word_with_few_points() -> None:
    analysis = with_words(
        make_analysis(9000), TimedWord("long", 10.0, 300.0), TimedWord("short", 900.0, 900.1)
    )
    hover = next(t for t in draw_timeline(analysis).data if t.name == "said")
    assert len(hover.x) == 9
    told = dict(zip(np.round(hover.x.astype(float), 1).tolist(), hover.customdata, strict=True))
    assert (told[10.1], told[299.9], told[900.1], told[300.1]) == ("long", "long", "short", "–")


def test_every_word_is_sent_in_the_order_in_which_words_choose() -> None:
    analysis = make_analysis(60)
    sent = draw_timeline(analysis).layout.meta["words"]
    words = analysis.transcript.words
    assert {(word[0].removeprefix("<b>").removesuffix("</b>"), *word[1:3]) for word in sent} == {
        (
            w.word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
            round(w.start, 3),
            round(w.end, 3),
        )
        for w in words
    }
    pulls = [abs(word[4]) for word in sent if abs(word[4]) >= 0.25]
    assert pulls == sorted(pulls, reverse=True)


def test_unknown_target_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="there are no shares of 'smell': choose one of text, audio, visual"):
        draw_timeline(make_analysis(), "smell")


def test_share_areas_add_up_to_the_signed_shares() -> None:
    sources = make_shares("text", np.arange(80) * 0.2)
    assert min(map(min, sources.values())) < 0
    assert max(map(max, sources.values())) > 1
    traces = share_traces(sources, np.arange(80.0), "y3")
    up = [t for t in traces if t.stackgroup == "y3 up"]
    down = [t for t in traces if t.stackgroup == "y3 down"]
    assert all((np.asarray(t.y) >= 0).all() for t in up)
    assert all((np.asarray(t.y) <= 0).all() for t in down)
    assert np.allclose(sum(np.asarray(t.y) for t in traces), 1)


def test_share_axis_is_limited_and_the_hover_says_so() -> None:
    sources = {"text": (40.0, 1.0), "audio": (-39.0, 0.0)}
    assert share_range(sources) == (-1.0, 2.0)
    told = {t.name: t.customdata for t in share_traces(sources, np.arange(2.0), "y") if t.name}
    assert told["from words"] == ("4000 % (off the scale)", "100 %")
    assert told["from voice"] == ("−3900 % (off the scale)", "0 %")
    assert share_range({"text": (0.4,), "audio": (0.6,)}) == (0.0, 1.0)


def test_what_rounds_to_the_end_of_the_scale_is_on_it() -> None:
    sources = {"text": (1.003, 0.5), "audio": (-0.003, 0.5)}
    assert share_range(sources) == (0.0, 1.0)
    told = {t.name: t.customdata[0] for t in share_traces(sources, np.arange(2.0), "y") if t.name}
    assert told == {"from words": "100 %", "from voice": "0 %"}


def test_coupling_has_a_panel_for_each_target() -> None:
    figure = draw_coupling(make_analysis())
    domains = sorted(figure.layout[f"yaxis{n}"].domain for n in ("", "2", "3"))
    assert all(a[1] < b[0] for a, b in pairwise(domains))
    assert {t.name.split(" ")[0] for t in figure.data if t.name} == {"words", "voice", "face"}


def _with_words_line(ticks: tuple[float, ...], presence: tuple[float, ...], *words: TimedWord) -> Analysis:
    analysis = make_analysis(len(ticks))
    alone = {**analysis.sentiment.alone, "text": replace(analysis.sentiment.alone["text"], ticks=ticks)}
    return replace(
        analysis,
        presence={**analysis.presence, "text": presence},
        sentiment=replace(analysis.sentiment, alone=alone),
        transcript=replace(analysis.transcript, words=words),
    )


def test_a_word_pulls_by_what_it_takes_the_score_away_from_neutral() -> None:
    ticks = (-2.0, 0.0, 1.0, 1.0, 0.2, -0.7, -0.7, -0.1, -0.1, -0.1)
    words = [
        ("first", 0.2, 0.4),
        ("up", 0.4, 0.6),
        ("back", 0.8, 1.0),
        ("down", 1.0, 1.2),
        ("late", 1.9, 9.0),
    ]
    analysis = _with_words_line(ticks, (0.0,) + (1.0,) * 9, *(TimedWord(*w) for w in words))
    assert [m.pull for m in moved_words(analysis)] == pytest.approx([0.0, 1.0, 0.0, -0.7, 0.0])
    assert words_at(analysis)[1:7] == ["first", "up", "–", "back", "down", "–"]


def test_a_picture_tells_zero_as_its_table_does() -> None:
    assert [signed_hundredths(score) for score in (-0.004, 0.0, -0.42)] == ["0.00", "0.00", "−0.42"]


def test_a_word_that_begins_with_a_tick_does_not_touch_the_one_before() -> None:
    assert 0.6 / 0.2 < 3
    ticks = (0.0, 0.0, 2.0, 2.0, 2.0, 2.0)
    analysis = _with_words_line(ticks, (1.0,) * 6, TimedWord("on", 0.6, 0.8))
    assert words_at(analysis) == ["–", "–", "–", "on", "–", "–"]
    assert moved_words(analysis)[0].pull == 0.0  # the score had moved before the word was said
    assert sentences(analysis)[0].score == analysis.sentiment.ticks[3]


def test_a_modality_says_nothing_before_it_is_first_observed_nor_after_it_last_was() -> None:
    analysis = _with_words_line((-2.0, -2.0, 1.0, 1.0), (0.0, 0.0, 0.5, 0.0))
    line = next(t for t in draw_timeline(analysis).data if t.name == "words alone")
    assert np.isnan(line.y).tolist() == [True, True, False, True]


def spoken(*words: tuple[str, float, float], pulls: Mapping[int, float] | None = None) -> list[MovedWord]:
    return [MovedWord(TimedWord(*word), (pulls or {}).get(i, 0.0)) for i, word in enumerate(words)]


def test_characters_that_fill_their_square_are_given_room() -> None:
    def apart(text: str) -> float:
        (first, _), (second, _) = place(spoken((text, 0.0, 0.2), (text, 0.2, 0.4)), 10.0).values()
        return (second - first) * WIDTH / 10

    assert 26 < apart("abcd") < 40
    assert 36 < apart("素敵な") < 46
    assert apart("a\u0301b\u0301c\u0301d\u0301") == pytest.approx(apart("abcd"))


def test_words_that_have_room_stand_in_a_row_at_their_own_times() -> None:
    said = spoken(*((f"word{i}", 1.0 * i, 1.0 * i + 0.6) for i in range(10)))
    places = place(said, 10.0)
    assert [lane for _, lane in places.values()] == [0] * 10
    assert [x for x, _ in places.values()] == pytest.approx([i + 0.3 - 16.5 * 10 / WIDTH for i in range(10)])
    assert lanes_of(places) == lanes_of(place([], 10.0)) == 1


def test_words_without_that_room_are_read_line_by_line_and_none_overlap() -> None:
    said = spoken(*((f"word{'.' if i % 9 == 8 else ''}", i / 3, i / 3 + 0.3) for i in range(60)))
    places = place(said, 20.0)
    assert len(places) == 60
    assert 1 < lanes_of(places) <= LANES
    for i, (x, lane) in places.items():
        assert abs(x - said[i].word.start) < 4.5  # in their block, near their own time
        if lane:
            assert any(
                places[j][1] == lane - 1 and places[j][0] <= x + 3.5 for j in range(i)
            )  # a line goes on below
    for i, j in pairwise(range(60)):
        (x, lane), (next_x, next_lane) = places[i], places[j]
        if lane == next_lane:
            assert (next_x - x) * WIDTH / 20 >= 26
        else:
            assert next_lane == lane + 1 or (next_lane == 0 and next_x > x)
    # A block begins after a sentence where one ends in time.
    begun = [i for i, (_, lane) in places.items() if lane == 0 and (i == 0 or places[i - 1][1])]
    assert [i % 9 for i in begun].count(0) > len(begun) / 2


def test_words_that_pull_most_are_shown_first() -> None:
    crowd = spoken(*(("word", 1.0, 1.1) for _ in range(40)), pulls={38: -0.5, 39: 2.0})
    places = place(crowd, 10.0)
    assert {38, 39} <= set(places)
    assert len(places) < 40
    assert {lane for _, lane in places.values()} == set(range(LANES))
    assert [*places] == sorted(places)
    last = place(spoken(("everything", 9.9, 10.0), ("incredulity", 9.95, 10.0)), 10.0)
    assert len(last) == 2  # at the end of the axis, too


def test_the_time_line_is_as_high_as_its_lines_of_words_need() -> None:
    few = make_analysis(60)
    many = with_words(few, *(TimedWord("honestly", 0.1 * i, 0.1 * i + 0.1) for i in range(120)))
    row, block = draw_timeline(few), draw_timeline(many)
    assert block.layout.height - row.layout.height == 3 * 18
    assert block.layout.yaxis2.range[1] - row.layout.yaxis2.range[1] == pytest.approx(LANES - 1)
    for axis in ("yaxis", "yaxis3", "yaxis5"):
        high = [np.ptp(f.layout[axis].domain) * (f.layout.height - 38) for f in (row, block)]
        assert high[0] == pytest.approx(high[1])


def test_the_names_of_the_widest_scale_have_room_beside_it() -> None:
    analysis = make_analysis()
    ticks = tuple(1.2 * score / max(analysis.sentiment.ticks) for score in analysis.sentiment.ticks)
    fewer = Fewer(("text",), analysis.sentiment.clip, ticks)
    figure = draw_switched(replace(analysis, sentiment=replace(analysis.sentiment, ticks=ticks)), fewer)
    names = [note for note in figure.layout.annotations if "1.5" in note.text]
    assert len(names) == 2
    for note in names:  # letters of the widest of the page's fonts, 12 px high
        assert 6.9 * len(note.text.replace("  ", " ")) - note.xshift <= figure.layout.margin.l


@pytest.mark.parametrize(
    ("lowest", "highest", "ends"),
    [
        (0.3, 2.1, (0.0, 2.5)),  # never negative: no empty half
        (-0.2, 2.1, (-0.5, 2.5)),
        (-1.45, -0.1, (-2.0, 0.0)),  # 1.45 has no room below 1.5
        (-3.0, 3.0, (-3.0, 3.0)),
        (0.0, 0.0, (-1.0, 1.0)),  # noise does not look like a mood
        (0.1, 0.3, (-1.0, 1.0)),
    ],
)
def test_each_end_of_a_scale_is_as_far_as_its_own_scores_need(
    lowest: float, highest: float, ends: tuple[float, float]
) -> None:
    assert range_of(lowest, highest) == ends


def test_a_scale_without_a_negative_half_names_no_negative_end() -> None:
    analysis = make_analysis()
    ticks = tuple(1.0 + 0.5 * score for score in analysis.sentiment.ticks)
    fewer = Fewer(("text",), analysis.sentiment.clip, ticks)
    figure = draw_switched(replace(analysis, sentiment=replace(analysis.sentiment, ticks=ticks)), fewer)
    assert figure.layout.yaxis.range[0] == 0
    assert figure.layout.yaxis.range[1] >= max(ticks)
    heights = {note.text.split()[0]: note.y for note in figure.layout.annotations}
    assert heights == {"positive": 1, "neutral": 0}


def test_nothing_is_shared_before_anything_was_put_in() -> None:
    sources = {"text": (0.0, 0.0, 0.4, 0.0), "audio": (0.0, 0.0, 0.6, 0.0)}
    assert [t.x.tolist() for t in share_traces(sources, np.arange(4.0), "y")] == [[2.0, 3.0]] * 2
    assert not any(len(t.x) for t in share_traces({"text": (0.0,) * 3}, np.arange(3.0), "y"))


def test_stretches_are_runs_of_true() -> None:
    assert stretches(np.array([0, 1, 1, 0, 1], bool)) == [(1, 3), (4, 5)]
    assert stretches(np.zeros(0, bool)) == []


def test_plotly_is_imported_before_threads_could_do_so_at_once() -> None:
    code = (
        "import sys; from app.figures.style import ready; ready(); before = set(sys.modules);"
        "from app.figures import draw_coupling, draw_timeline; from tests.app.made import make_analysis;"
        "made = make_analysis(); draw_timeline(made); draw_coupling(made);"
        "print([n for n in set(sys.modules) - before if n.startswith(('plotly', 'narwhals'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

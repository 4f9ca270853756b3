"""Answers from the kept grid: their cards, pictures and corrected words."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from app.analysis import MODALITIES, Analysis, TimedWord
from app.asking import Fewer, ask_memory, ask_paths, ask_why, ask_without
from app.corrections import rows_to_subtitles, word_rows
from app.figures.space import MOST, space_points
from app.figures.switches import draw_switched
from app.i18n import retell
from app.panels import status, why
from app.service import Service
from app.telling.answer_cards import brief_card, fewer_card, half_life, layers_card, memory_card, space_card
from app.telling.cards import result_card
from app.telling.moments import Moment
from extractors.records import Grid
from extractors.words.subtitles import read_transcript
from model.inference.answers import Memory, Paths
from tests.app.made import make_analysis
from tests.clips import make_clip


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Grid]:
    """A clip's analysis, and the grid that is kept of it."""
    from app.analyze import analyze

    kept: list[Grid] = []
    clip = make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 3.0)
    return analyze(clip, keep=kept.append), kept[0]


def test_a_result_that_is_no_longer_kept_is_told_so_wherever_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", told.append)
    service, me, card = Service(str(tmp_path)), gr.Request(session_hash="me"), result_card(make_analysis())
    asked: list[Callable[[], Any]] = [
        lambda: service.explain(None, None, 1.0, me),
        lambda: service.without(None, None, ["text"], me),
        lambda: service.draw(None, "text", False, me),
        lambda: service.tell_again(None, card, me),
    ]
    for i, ask in enumerate(asked, 1):
        given = ask()
        assert all(value == gr.skip() for value in (given if isinstance(given, list) else [given]))
        assert len(told) == i
        assert "no longer on the server" in told[-1]
    service.tell_again(None, status.invitation(), me)  # nothing was analysed yet
    service.tell_again(make_analysis(), card, me)
    assert len(told) == len(asked)


def test_a_moment_is_explained_from_the_kept_grid(analysed: tuple[Analysis, Grid]) -> None:
    analysis, grid = analysed
    for seconds, tick in ((0.0, 0), (1.5, 7), (99.0, len(grid.start) - 1), (-1.0, 0)):
        moment = ask_why(grid, seconds)
        assert moment.seconds == pytest.approx(grid.start[tick])
        assert moment.score == pytest.approx(analysis.sentiment.ticks[tick], abs=1e-3)
    assert moment.score == pytest.approx(moment.base + sum(map(moment.pull, MODALITIES)), abs=0.2)
    late = ask_why(grid, 2.0)
    assert set(late.sources) == set(analysis.sentiment.alone)
    assert late.score == pytest.approx(late.base + sum(map(late.pull, MODALITIES)), abs=1e-3)


def test_a_moment_before_anything_was_observed_is_answered_without_a_picture(
    analysed: tuple[Analysis, Grid],
) -> None:
    """A recording that begins with half a second of silence, asked about at its first tick."""
    analysis, grid = analysed
    presence = {m: np.where(np.arange(len(line)) < 3, 0, line) for m, line in grid.presence.items()}
    picture, card, _ = why.show(analysis, replace(grid, presence=presence), 0.0)
    assert picture is None
    assert "Nothing was seen or heard by then" in card
    picture, card, _ = why.show(analysis, replace(grid, presence=presence), 2.0)
    assert picture is not None
    assert "Nothing was seen" not in card


def test_all_left_on_is_the_analysis_and_one_alone_its_own_line(analysed: tuple[Analysis, Grid]) -> None:
    analysis, grid = analysed
    assert ask_without(grid, MODALITIES).ticks == pytest.approx(analysis.sentiment.ticks, abs=1e-4)
    voice = ask_without(grid, ["audio"])
    assert voice.ticks == pytest.approx(analysis.sentiment.alone["audio"].ticks, abs=1e-4)
    with pytest.raises(ValueError, match="switch another one on"):
        ask_without(grid, ["smell"])


def test_memory_and_paths_of_a_clip(analysed: tuple[Analysis, Grid]) -> None:
    analysis, grid = analysed
    memory = ask_memory(grid)
    card = layers_card(memory)
    assert card.count("<table") == len(memory.coupling)
    assert f">{memory.coupling[0, 0, 1]:.2f}</td>" in card
    paths = ask_paths(grid)
    data = space_points(analysis, paths)
    assert {len(path) for path in data["paths"].values()} == {len(grid.start)} == {len(data["seconds"])}
    held = re.search(r'data-paths="([^"]*)"', space_card(analysis, paths))
    assert held is not None
    assert json.loads(unescape(held.group(1))) == data


def test_long_paths_are_thinned_and_the_unseen_has_none() -> None:
    analysis = make_analysis(3000, ("text", "audio"))
    points = np.zeros((3000, 3, 3), np.float32)
    points[1234, 0, 2] = 0.7
    data = space_points(analysis, Paths(points, 0.5))
    assert len(data["seconds"]) == len(data["score"]) == len(data["paths"]["text"]) <= MOST
    assert [0.0, 0.0, 0.7] in data["paths"]["text"]  # a turn is not passed over
    assert max(np.diff(data["seconds"])) <= 0.2 * 3000 / (MOST // 2) + 0.2
    assert set(data["paths"]) == {"text", "audio"}


def test_half_lives_in_words() -> None:
    assert [half_life(s) for s in (3.94, 250.4, np.inf)] == ["3.9 s", "250 s", "never"]
    lives = np.array([[1.0, 2.0, np.inf]], np.float32)
    card = layers_card(Memory(np.eye(3, dtype=np.float32)[None], lives, np.array([4.0], np.float32)))
    assert "Layer 1 of 1. All chains together: 4.0 s" in card
    assert "never" in card


def test_the_last_layer_is_seen_and_those_before_it_are_folded_away() -> None:
    coupling = np.stack([np.full((3, 3), weight, np.float32) for weight in (0.1, 0.2, 0.3)])
    memory = Memory(coupling, np.ones((3, 3), np.float32), np.ones(3, np.float32))
    seen, folded = memory_card(memory).split("<details")
    assert (seen.count(">0.30</td>"), seen.count("<table")) == (9, 1)
    assert (folded.count(">0.10</td>"), folded.count(">0.20</td>"), folded.count("<table")) == (9, 9, 2)
    only = Memory(coupling[:1], memory.half_life[:1], memory.together[:1])
    assert "<details" not in memory_card(only)


def test_a_moment_in_one_line_has_the_points_that_add_up_largest_first() -> None:
    sources = {"text": (0.0, -0.4, -0.9), "audio": (0.0, 0.0, 0.02), "visual": (0.1, 0.1, 0.1)}
    moment = Moment((0.0, 0.2, 0.4), 0.2, -0.58, 0.4, sources)
    told = re.sub("<[^>]*>", "", brief_card(moment, [TimedWord("<b>ruined</b>", 0.2, 0.6)]))
    assert unescape(told) == (
        "At 0:00.4 the score is −0.6: words −1.3 · face +0.3 · voice 0.0 · constants +0.4"
        " · words mostly at 0:00.4 (“<b>ruined</b>”)"
    )
    nothing = re.sub("<[^>]*>", "", brief_card(Moment((0.0,), 0.2, 0.1, 0.1, {}), ()))
    assert nothing == "At 0:00.0 the score is +0.1: constants +0.1"


def test_the_line_without_stands_beside_the_line_with_all() -> None:
    analysis = make_analysis(40)
    fewer = Fewer(("text", "visual"), analysis.sentiment.clip, (0.5,) * 40)
    whole, part = draw_switched(analysis, fewer).data
    assert np.allclose(whole.y, analysis.sentiment.ticks)
    assert np.allclose(part.y, 0.5)
    assert part.name == "words and face"
    card = fewer_card(analysis, fewer)
    assert "With words and face the clip as a whole would be" in card
    assert card.count("<tr>") == 41


def test_corrected_rows_become_the_words_of_a_transcript(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [1.0, 1.4, "very"],
        [0.2, 0.5, "It's"],
        [1.4, 1.8, "very"],
        ["", "", ""],
        ["2", 2.0, "good news"],
    ]
    path = tmp_path / "corrected.srt"
    path.write_text(rows_to_subtitles(rows), encoding="utf-8")
    words = read_transcript(path, None, (), 5.0).words
    assert [w.word for w in words] == ["It's", "very", "very", "good", "news"]
    assert words[0].start == pytest.approx(0.2)
    assert words[1].start == pytest.approx(1.0)
    assert words[2].end == pytest.approx(1.8)
    assert words[2].start > words[1].start
    assert word_rows(make_analysis())[0][2] == "so"


@pytest.mark.parametrize(
    "rows",
    [
        [[0.2, 0.6, "No."], [2.0, 2.4, "No."], [4.0, 4.4, "No."]],
        [[0.2, 0.6, "very"], [0.6, 1.0, "very"], [1.0, 1.4, "very"]],
    ],
)
def test_a_word_said_again_keeps_its_own_time(tmp_path: Path, rows: list[list[Any]]) -> None:
    path = tmp_path / "a.srt"
    path.write_text(rows_to_subtitles(rows), encoding="utf-8")
    words = read_transcript(path, None, (), 5.0).words
    assert [[w.start, w.end, w.word] for w in words] == rows


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "keep at least one"),
        ([[None, 1.0, "so"]], r"Row 1 \(“so”\)"),
        ([[0, "x", "so"]], "seconds from and to"),
        ([[0, 1e306, "so"]], "seconds from and to"),
        ([[10**400, 1, "so"]], "seconds from and to"),
    ],
)
def test_rows_that_cannot_be_read_are_told(rows: list[list[Any]], told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        rows_to_subtitles(rows)
    with pytest.raises(gr.Error):
        Service(str(tmp_path)).correct(rows)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[0, 9, "a"]] * 27_001, "holds 27,001 words of 27,001 letters"),
        ([[0, 9, "a a"]] * 13_501, "holds 27,002 words of 27,002 letters"),
        ([[0, 9, "a" * 810_001]], "holds 1 word of 810,001 letters"),
    ],
)
def test_more_rows_than_can_be_said_are_refused_in_every_language(rows: list[list[Any]], told: str) -> None:
    with pytest.raises(
        ValueError, match=f"^The table {told}, more than can be said in 1,800 s: keep"
    ) as refused:
        rows_to_subtitles(rows)
    for language in ("zh", "ja"):
        assert not re.search("[a-z]{2}", retell(str(refused.value), language))


def test_the_same_word_over_and_over_takes_no_time_by_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_MAX_SECONDS", "100000")
    rows = [[0, 9, "abcdefgh"]] * 300_000
    began = time.process_time()
    text = rows_to_subtitles(rows)
    assert time.process_time() - began < 6
    assert text.count("abcdefgh") == 300_000
    assert text.count("-->") == 1


def test_a_refusal_repeats_a_word_no_further_than_it_is_known_by() -> None:
    with pytest.raises(ValueError, match=r"^Row 1 \(“The model The .{0,40}…”\) needs") as told:
        rows_to_subtitles([["x", "y", "The model " * 13_000]])
    assert len(str(told.value)) < 150


def test_the_page_is_given_a_value_for_every_card(analysed: tuple[Analysis, Grid], tmp_path: Path) -> None:
    service = Service(str(tmp_path))
    assert len(service.look(*analysed)) == 8
    assert service.look(None, None) == gr.skip()
    figure, card, _ = why.show(*analysed)
    assert figure.data
    assert "the score is" in card
    assert (
        Path(service.correct([[0.0, 0.5, "so"]]))
        .read_text(encoding="utf-8")
        .startswith("1\n00:00:00,000 -->")
    )

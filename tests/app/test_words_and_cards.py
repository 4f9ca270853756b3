"""Sentences, HTML and tables made of an analysis."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.analysis import MODALITIES, TimedWord
from app.figures import draw_timeline
from app.panels.status import stages_card
from app.report import render_report
from app.server.runs import Run
from app.telling.cards import coupling_card, result_card, table_card, transcript_card
from app.telling.tables import share_table, tick_table
from app.telling.wording import clock, disagreement, presence_words, signed, strongest_moment, typical_shares
from tests.app.made import make_analysis, with_intervals, with_tone, with_warnings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("score", "text"), [(0.42, "+0.4"), (-0.61, "−0.6"), (-0.04, "0.0"), (0.0, "0.0"), (3, "+3.0")]
)
def test_signed_numbers(score: float, text: str) -> None:
    assert signed(score) == text


@pytest.mark.parametrize(("seconds", "text"), [(4.23, "0:04.2"), (59.97, "1:00.0"), (1799.0, "29:59.0")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_disagreement_names_the_sides_and_the_time() -> None:
    analysis = make_analysis(50, ("text", "visual"))
    alone = analysis.sentiment.alone
    alone = {
        "text": replace(alone["text"], ticks=(-1.0,) * 20 + (0.5,) * 30),
        "visual": replace(alone["visual"], ticks=(0.5,) * 50),
    }
    apart = replace(analysis, sentiment=replace(analysis.sentiment, alone=alone))
    assert (
        disagreement(apart) == "Words and face disagree most from 0:00.0 to 0:04.0: words −1.0 and face +0.5."
    )
    assert "nothing to compare" in disagreement(make_analysis(50, ("text",)))
    same = {m: replace(a, ticks=(0.5,) * 50) for m, a in alone.items()}
    agreed = replace(analysis, sentiment=replace(analysis.sentiment, alone=same))
    assert disagreement(agreed).startswith("Words and face do not contradict each other")  # no voice


def test_presence_words_and_the_strongest_moment() -> None:
    analysis = make_analysis(50, ("text", "audio"))
    assert presence_words(analysis, "text") == "heard 100 %"
    assert presence_words(analysis, "visual") == "not seen"
    ticks = list(analysis.sentiment.ticks)
    ticks[30] = -2.9
    moment = strongest_moment(replace(analysis, sentiment=replace(analysis.sentiment, ticks=tuple(ticks))))
    assert moment.startswith("The strongest moment is −2.9 at 0:06.0, at “")


def test_typical_shares_are_not_swayed_by_a_few_ticks_near_cancellation() -> None:
    analysis = make_analysis(51)
    share = {"text": (0.6,) * 50 + (500.0,), "audio": (0.4,) * 50 + (-499.0,), "visual": (0.0,) * 51}
    analysis = replace(analysis, dynamics=replace(analysis.dynamics, share={"text": share}))
    assert typical_shares(analysis) == {"text": pytest.approx({"text": 0.6, "audio": 0.4, "visual": 0.0})}


def test_cards_escape_what_comes_from_outside() -> None:
    analysis = with_warnings(make_analysis(), "<script>alert(1)</script>")
    for html in (
        result_card(analysis),
        transcript_card(analysis),
        table_card(analysis),
        coupling_card(analysis),
    ):
        assert "<script" not in html
        assert "<b>me" not in html
    assert "&lt;b&gt;me&lt;/b&gt;" in transcript_card(analysis)


def test_the_words_say_their_language_and_run_in_its_direction() -> None:
    analysis = make_analysis()
    assert 'lang=""' in transcript_card(analysis, "ja")  # it is not told, and not the page's
    told = transcript_card(replace(analysis, transcript=replace(analysis.transcript, language="he")), "ja")
    assert 'lang="he"' in told
    assert told.count('<p dir="auto"><time>') == told.count("<time>") > 0


def test_the_mark_of_the_words_changes_with_them_alone() -> None:
    def mark(card: str) -> str:
        return re.findall('data-of="([^"]+)"', card)[0]

    analysis = make_analysis()
    said = analysis.transcript
    others = (*said.words[:-1], replace(said.words[-1], word="you"))
    assert mark(transcript_card(analysis, "ja")) == mark(transcript_card(with_tone(analysis)))
    corrected = replace(analysis, transcript=replace(said, words=others))
    assert mark(transcript_card(corrected)) != mark(transcript_card(analysis))


def test_result_card_says_what_was_not_observed() -> None:
    html = result_card(make_analysis(modalities=("text", "audio")))
    face = html[html.index("face alone") :]
    assert "not seen" in face
    assert "–" in face


def test_result_card_says_the_interval_in_words_and_draws_it() -> None:
    analysis = with_intervals(make_analysis())
    score = analysis.sentiment.clip.score
    html = result_card(analysis)
    told = f"90 % range: {signed(score - 0.8)} to {signed(score + 0.8)}"
    assert re.search(
        rf">{re.escape(told)}<span[^>]*> Measured on synthetic streams[^<]*</span></span></p>", html
    )
    assert html.count("<b style=") == 4
    assert f'<b style="left:{100 * (score - 0.8 + 3) / 6:.2f}%;width:{100 * 1.6 / 6:.2f}%">' in html
    assert told in render_report(analysis)


def test_without_an_interval_nothing_is_said_of_it() -> None:
    html = result_card(make_analysis())
    assert "90 % range" not in html
    assert "<b style=" not in html


def test_table_gives_the_interval_that_the_picture_shows() -> None:
    analysis = with_intervals(make_analysis(60))
    between = analysis.sentiment.interval
    assert between is not None
    row = tick_table(analysis)[1][7]
    ends = f"({signed(between.ticks_low[7], 2)} to {signed(between.ticks_high[7], 2)})"
    assert row[2] == f"{signed(analysis.sentiment.ticks[7], 2)} {ends}"
    long = with_intervals(make_analysis(600))
    widest = long.sentiment.interval
    assert widest is not None
    low, high = min(widest.ticks_low[:2]), max(widest.ticks_high[:2])
    assert tick_table(long)[1][0][2].endswith(f"({signed(low, 2)} to {signed(high, 2)})")


def test_table_has_a_row_a_tick_and_sums_up_long_clips() -> None:
    header, rows = tick_table(make_analysis(60))
    assert header[:7] == [
        "time",
        "said",
        "all together",
        "words alone",
        "voice alone",
        "face alone",
        "heard or seen",
    ]
    assert len(rows) == 60
    assert rows[0][6] == "words, voice, face"
    assert len(tick_table(make_analysis(9000))[1]) == 300


def test_the_table_of_a_long_clip_says_every_word_once_and_what_is_repeated_as_often() -> None:
    """In 120 s a row stands for two ticks; some words are shorter than a tick, some longer than a row."""
    told = ["no", "no", "no", "it", "was", "good", "morning", "no", "wait", "it", "was", "so", "so", "good"]
    ticks, each = 600, 0.2
    words = [TimedWord(w, 2 + i * each, 2 + (i + 1) * each) for i, w in enumerate(told)]
    words += [TimedWord("loooong", 5.1, 9.0), TimedWord("end", 0.2 * ticks, 0.2 * ticks)]
    analysis = make_analysis(ticks)
    spoken = replace(analysis, transcript=replace(analysis.transcript, words=tuple(words)))
    assert " ".join(row[1] for row in tick_table(spoken)[1] if row[1]).split() == [*told, "loooong", "end"]


def test_what_is_read_out_of_the_stages_changes_with_them_and_not_with_their_shares() -> None:
    def said(**fractions: float) -> str:
        found = re.search(r'data-said="([^"]*)"', stages_card(Run(fractions=fractions)))
        assert found is not None
        return found.group(1)

    assert said() == said(probe=1.0) == "Analysing"
    assert said(probe=1.0, words=0.1) == said(probe=1.0, words=0.9) == "Analysing: Recognising words"
    assert said(words=0.5, faces=0.0) == "Analysing: Recognising words, Looking at the face"
    assert "aria-live" not in stages_card(Run())


def test_the_tables_have_every_line_of_their_pictures() -> None:
    analysis = with_tone(make_analysis(60))
    header, rows = tick_table(analysis)
    drawn = {trace.name for target in MODALITIES for trace in draw_timeline(analysis, target, tone=True).data}
    drawn -= {None, "said", "from words", "from voice", "from face"}
    assert drawn <= {name.split(" (")[0] for name in header}
    row, tone = dict(zip(header, rows[7], strict=True)), analysis.tone
    assert tone is not None
    assert row["face state size"] == f"{analysis.dynamics.state_norm['visual'][7]:.2f}"
    share = analysis.dynamics.share["text"]["audio"][7]
    assert row["words ← voice"] == f"{signed(100 * share, 0).removeprefix('+')} %"
    assert row["pitch (Hz)"] == f"{tone.pitch[7]:.0f}"
    assert rows[4][header.index("pitch (Hz)")] == "–"
    assert [name for name in header if "←" in name] == share_table(analysis)[0][1:]
    assert len(share_table(analysis)[0]) == 10
    long = make_analysis(9000)
    rows = share_table(long)[1]
    assert len(rows) == 60
    assert rows[1][0] == "0:30.0"
    assert rows[1][1] == f"{100 * np.median(long.dynamics.share['text']['text'][150:300]):.0f} %"
    assert "words ← voice" in coupling_card(analysis)


def test_report_is_one_file_that_fetches_nothing_and_runs_no_word_of_the_transcript() -> None:
    words = make_analysis().transcript.words
    evil = replace(words[0], word="</script><script>alert(1)</script>")
    analysis = make_analysis()
    analysis = replace(analysis, transcript=replace(analysis.transcript, words=(evil, *words[1:])))
    html = render_report(analysis, "<i>clip</i>.mp4")
    assert "<script>alert" not in html
    assert "<i>clip" not in html
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=", html)
    assert "plotly.js v" in html
    assert html.count("Plotly.newPlot(") >= 2


@pytest.mark.parametrize("module", ["app.telling.wording", "app.batch", "app.figures", "app.telling.cards"])
def test_whichever_module_is_imported_first(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

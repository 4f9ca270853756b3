"""What the load test holds a server to, and a small one for real: two visitors at once, told apart by content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import settings
from app.loadtest.__main__ import settled
from app.loadtest.clients import BACK, Request, ask, crowd, digest, make_clips, visit
from app.loadtest.held import Phase, broken, grown, table
from app.loadtest.page import Visit, look
from app.loadtest.server import Count, Server
from extractors.media.reading import probe

GRACE = 2  # seconds that this server waits for a page to come back
QUIET = Count(1_000_000_000, 20, 40, 3, {"app.server.runs.Run": 1}, {"MainThread": 1})


def asked(place: int = 0, waited: float = 0.0, took: float = 2.0, **more: object) -> Request:
    return replace(Request("clip0.mp4", place, waited, took, "answered"), **more)


def test_what_holds_is_silent_and_what_does_not_is_named() -> None:
    good = Phase(4, [asked(), asked(1, 1.9), asked(3, 5.9), asked(ended="busy")])
    assert broken([good], QUIET, QUIET) == []
    bad = Phase(16, [asked(), asked(1, 4.0), asked(own=False), asked(ended="ReadTimeout: ")])
    told = broken([bad], QUIET, QUIET)
    assert len(told) == 3
    assert "1 x ReadTimeout" in told[0]
    assert "clip0.mp4 got another's answer" in told[1]
    assert "number 1 in line waited 4.0 s, a clip costs 2.0 s" in told[2]


def test_a_line_that_nobody_was_turned_away_from_is_named() -> None:
    crowded = Phase(16, [asked(), asked(ended="busy")])
    assert broken([crowded], QUIET, QUIET, 10) == []
    quiet = [Phase(16, [asked()]), Phase(10, [asked()]), Phase(12, [asked()], "on the page")]
    told = broken(quiet, QUIET, QUIET, 10)
    assert told[0] == "16 clients: nobody was told that the server is busy, which takes 10"
    assert told[1].startswith("12 on the page clients: nobody")
    assert len(told) == 2


def test_who_is_turned_away_comes_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    ends = iter(["busy", "answered", "busy", "answered"])
    clock = iter([1.0, 3.0, 9.0, 12.0])
    monkeypatch.setattr(
        "app.loadtest.clients.time", SimpleNamespace(sleep=naps.append, monotonic=lambda: next(clock))
    )

    def way(url: str, clip: Path, wanted: str) -> tuple[Request, str]:
        return asked(ended=next(ends)), ""

    done = visit("", Path("clip0.mp4"), "", 10.0, way)
    assert [r.ended for r in done] == ["busy", "answered", "busy", "answered"]
    assert naps == [BACK, 1.0]


def test_growth_is_named_with_both_numbers() -> None:
    assert grown(QUIET, replace(QUIET, memory=1_049_000_000, threads=19)) == []
    assert grown(QUIET, replace(QUIET, objects={"gradio: sessions": 1})) == [
        "objects of gradio: sessions grew from 0 to 1"
    ]
    more = Count(
        1_060_000_000,
        21,
        41,
        4,
        {"app.server.runs.Run": 3, "app.server.runs.New": 1},
        {"MainThread": 1, "sweep": 1},
    )
    told = grown(QUIET, more)
    assert told[0] == "memory grew from 1000 to 1060 MB"
    assert [line.split()[0] for line in told[1:]] == ["threads", "handles", "kept", "1", "objects", "objects"]
    assert told[4] == "1 new threads sweep"
    assert "objects of app.server.runs.Run grew from 1 to 3" in told


def test_the_table_has_a_row_for_each_number_of_clients() -> None:
    text = table([Phase(1, [asked()]), Phase(4, [asked(1, 1.0), asked(2, 9.0)])], QUIET, QUIET)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert rows[2].split("|")[1:3] == [" 1 ", " 1 "]
    assert "1 of 2" in rows[3]
    assert "Before and after 3 analyses: memory 1000 and 1000 MB (+0.0 %)" in text


def test_an_answers_hash_passes_over_its_timings_alone() -> None:
    assert digest({"a": 1, "timings": {"x": 1}}) == digest({"a": 1, "timings": {"x": 2}})
    assert digest({"a": 1}) != digest({"a": 2})


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_clips(tmp_path_factory.mktemp("clips"), 3)


def test_clips_differ_in_length(clips: list[Path]) -> None:
    assert [round(probe(clip).duration, 1) for clip in clips] == [2.0, 2.1, 2.2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one_at_a_time = {settings.AT_ONCE: "1", settings.WAITING: "1", settings.GRACE: f"{GRACE}"}
    with Server(tmp_path_factory.mktemp("load"), one_at_a_time) as running:
        yield running


@pytest.mark.slow
def test_two_at_once_get_their_own_answers_and_leave_nothing(server: Server, clips: list[Path]) -> None:
    wanted = {}
    for clip in clips[:2]:
        request, wanted[clip] = ask(server.url, clip)
        assert request.ended == "answered"
    assert len(set(wanted.values())) == 2
    before = settled(server, GRACE)
    done = crowd(server.url, clips[:2], wanted, 2, 0.1)
    assert {(r.clip, r.ended, r.own) for r in done} == {(c.name, "answered", True) for c in clips[:2]}
    after = settled(server, GRACE)
    assert (before.kept, after.kept) == (0, 0)
    assert after.objects.get("app.server.runs.Run", 0) <= before.objects.get("app.server.runs.Run", 0)
    kept = {name: n for name, n in after.objects.items() if name.startswith("gradio: ")}
    assert set(kept) > {"gradio: sessions", "gradio: answers to fetch", "gradio: names of files"}
    assert set(kept.values()) == {0}


def test_a_visit_to_the_page_does_all_that_its_browser_does(server: Server, clips: list[Path]) -> None:
    page = Visit(server.url)
    try:
        page.analyse(clips[0])
        shown = page.digest()
        assert {"run", "show", "look", "portray", "report"} <= {name.split("_")[0] for name in page.done}
        assert clips[0].stem in json.dumps(page.shown_of("cm-save-html"))
    finally:
        page.leave()
    request, other = look(server.url, clips[1], shown)
    assert request.ended == "answered"
    assert not request.own  # it is another clip's
    assert other != shown


def test_a_third_is_told_its_place_in_a_full_line(server: Server, clips: list[Path]) -> None:
    done = crowd(server.url, clips, dict.fromkeys(clips, ""), 3, 0.1)
    assert sorted(r.ended for r in done) == ["answered", "answered", "busy"]
    assert sorted(r.place for r in done if r.ended == "answered") == [0, 1]

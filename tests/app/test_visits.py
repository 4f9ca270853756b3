"""What ends what: late answers are left out, answers take their turn, and what ends ends in the language of then."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app import answered
from app.analysis import Analysis
from app.i18n import tell
from app.page import build_page
from app.panels import coupling, space, switches, why
from app.server import runs as running
from app.server import visits as visiting
from app.server.turns import Turns
from app.server.visits import (
    ANALYSIS,
    BATCH,
    CALL,
    COMPARISON,
    DRAW,
    ENDS,
    LOOK,
    PORTRAY,
    REPORT,
    SHOW,
    WHY,
    WITHOUT,
    Visits,
)
from app.service import Service
from app.stages import StoppedError
from tests.app.made import make_analysis, make_grid

ME = gr.Request(session_hash="me")


def speaking(language: str) -> gr.Request:
    request = gr.Request(session_hash="me")
    request.query_params = {"lang": language}  # type: ignore[attr-defined]
    return request


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service whose analyses and answers are made by hand."""

    def answer(clip: str, transcript: str | None, progress: Any, *_: object, **more: Any) -> Analysis:
        progress("probe", 0.5)
        time.sleep(0.1)  # long enough to be seen under way
        more["keep"](make_grid())
        return make_analysis(20)

    monkeypatch.setattr("app.analyze.analyze", answer)
    monkeypatch.setattr(running, "POLL", 0.01)
    monkeypatch.setattr(coupling, "show_layers", lambda grid, language: f"layers {language}")
    monkeypatch.setattr(space, "show", lambda analysis, grid, language: f"paths {language}")
    monkeypatch.setattr(
        why, "show", lambda analysis, grid, seconds=None, language="en": [None, language, seconds]
    )
    monkeypatch.setattr(switches, "answer", lambda analysis, grid, kept, language: [kept, language])
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    return Service(str(tmp_path / "kept"))


def test_each_event_ends_what_it_is_said_to_end_and_nothing_of_anybody_else() -> None:
    for event, ended in ENDS.items():
        visits = Visits()
        mine = {
            kind: visits.begin("me", kind)
            for kind in (ANALYSIS, SHOW, LOOK, PORTRAY, REPORT, DRAW, WHY, WITHOUT, COMPARISON, BATCH, CALL)
        }
        yours = visits.begin("you", ANALYSIS)
        visits.end("me", event)
        assert {kind for kind, work in mine.items() if work.stop.is_set()} == set(ended) & set(mine), event
        assert not yours.stop.is_set()
        assert mine[ANALYSIS].is_replaced == (ANALYSIS in ended and event != "cancel")


def test_what_is_begun_again_ends_what_goes_on_but_calls_go_on_beside() -> None:
    visits = Visits()
    first, second = visits.begin("me", LOOK), visits.begin("me", LOOK)
    assert (first.is_replaced, second.stop.is_set()) == (True, False)
    calls = [visits.begin("me", CALL) for _ in range(2)]
    assert not any(work.stop.is_set() for work in calls)
    visits.finished("me", first)
    assert visits.is_under_way("me", LOOK)
    visits.finished("me", second)
    assert not visits.is_under_way("me", LOOK)


@pytest.mark.parametrize("event", ["run", "forget", "delete"])
def test_late_answers_about_an_earlier_analysis_are_left_out(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    def meanwhile(*_: object, **more: object) -> str:
        if event == "run":
            list(service.run(str(tmp_path / "b.mp4"), None, ME))
        elif event == "forget":
            service.forget(str(tmp_path / "b.mp4"), None, ME)
        else:
            service.delete(ME)
        return "late"

    shown = make_analysis(20), make_grid()
    monkeypatch.setattr(space, "show", meanwhile)
    assert service.look(*shown, ME) == gr.skip()
    monkeypatch.setattr("app.panels.saving.show_report", meanwhile)
    assert service.report(*shown, "a.mp4", ME) == gr.skip()
    monkeypatch.setattr("app.showing.portraits_card", meanwhile)
    assert service.portray(*shown, "a.mp4", ME) == gr.skip()
    monkeypatch.setattr("app.panels.saving.show", meanwhile)
    assert service.show(shown[0], "a.mp4", "text", False, ME) == gr.skip()
    monkeypatch.setattr("app.panels.timeline.draw", meanwhile)
    assert service.draw(shown[0], "text", False, ME) == gr.skip()


@pytest.mark.parametrize("event", ["forget", "delete", "leave"])
def test_questions_in_line_are_not_answered_once_their_clip_is_gone(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    line, shown = Turns(at_once=1, waiting=9), (make_analysis(20), make_grid())
    monkeypatch.setattr(visiting, "answers_of_server", lambda: line)
    monkeypatch.setattr(why, "show", lambda *_: pytest.fail("a moment of a deleted clip was explained"))
    monkeypatch.setattr(switches, "answer", lambda *_, **__: pytest.fail("a deleted clip was read again"))
    ends = {
        "forget": lambda: service.forget(str(tmp_path / "b.mp4"), None, ME),
        "delete": lambda: service.delete(ME),
        "leave": lambda: service.leave(ME),
    }
    questions = (lambda: service.explain(*shown, 1.0, ME), lambda: service.without(*shown, ["text"], ME))
    with ThreadPoolExecutor() as pool, Visits().begin("you", LOOK).step():
        asked = [pool.submit(question) for question in questions]
        while not all(service._visits.is_under_way("me", kind) for kind in (WHY, WITHOUT)):
            assert not any(answer.done() for answer in asked), asked
            time.sleep(0.01)
        ends[event]()
        assert [answer.result(5) for answer in asked] == [gr.skip(), gr.skip()]


def test_what_a_visitor_asked_meanwhile_is_not_replaced(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = make_analysis(20), make_grid()

    def ask(*_: object) -> str:
        assert service.explain(*shown, 2.0, ME) == [None, "en", 2.0]
        assert service.without(*shown, ["text"], ME) == [["text"], "en"]
        return "paths"

    monkeypatch.setattr(switches, "answer", lambda analysis, grid, kept, language, **_: [kept, language])
    assert service.look(*shown, ME)[1] == "en"
    monkeypatch.setattr(space, "show", ask)
    assert service.look(*shown, ME) == [*[gr.skip()] * 6, "layers en", "paths"]
    assert service.look_again(*shown, 1.0, ["audio"], ME)[2] == gr.skip()


def test_another_chain_asked_for_meanwhile_is_not_replaced_by_a_new_language(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = make_analysis(20)

    def ask(*_: object) -> list[str]:
        assert service.draw(analysis, "visual", False, ME) != gr.skip()
        return ["shares", "picture"]

    assert service.retell(analysis, "text", False, [], ME)[3] != gr.skip()
    monkeypatch.setattr(coupling, "show", ask)
    assert service.retell(analysis, "text", False, [], ME)[3] == gr.skip()


def test_an_analysis_in_place_of_another_takes_nothing_from_it(service: Service, tmp_path: Path) -> None:
    first = service.run(str(tmp_path / "a.mp4"), None, ME)
    next(first)
    service.forget(str(tmp_path / "b.mp4"), None, ME)
    assert list(first)[-1] == gr.skip()  # and no word of a stop over the invitation
    cancelled = service.run(str(tmp_path / "a.mp4"), None, ME)
    next(cancelled)
    service.stop(ME)
    assert tell("status.stopped") in list(cancelled)[-1][0]


def test_news_of_an_earlier_video_ends_nothing_newer(service: Service, tmp_path: Path) -> None:
    for began, earlier in ((10.0, str(tmp_path / "a.mp4")), (20.0, None)):
        steps = service.run(str(tmp_path / "b.mp4"), None, ME, at=began)
        next(steps)
        assert service.forget(earlier, None, ME, began - 1) == gr.skip()
        assert list(steps)[-1][1] is not None
        assert service.forget(earlier, None, ME, began - 1) == gr.skip()
    assert service.forget(str(tmp_path / "a.mp4"), None, ME, 30.0)[1] is None
    # Pressed before the video was changed, and known of only after.
    assert list(service.run(str(tmp_path / "b.mp4"), None, ME, at=29.0)) == [gr.skip()]
    assert not service._visits.is_under_way("me", ANALYSIS)


def test_the_sample_does_not_take_the_place_of_a_video_chosen_while_it_was_made(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> Path:
        service.forget(str(tmp_path / "b.mp4"), None, ME, 3000.0)
        return tmp_path / "sample.mp4"

    monkeypatch.setattr("app.service.sample_clip", lambda: tmp_path / "sample.mp4")
    assert service.sample(ME) == str(tmp_path / "sample.mp4")
    monkeypatch.setattr("app.service.sample_clip", make)
    assert service.sample(ME) == gr.skip()
    service.leave(ME)
    assert not service._visits.has_video(ME)


def test_nothing_is_noted_of_who_has_no_name(service: Service, tmp_path: Path) -> None:
    nobody = gr.Request()
    service.speak(nobody)
    steps = service.run(str(tmp_path / "a.mp4"), None, nobody)
    next(steps)
    (work,) = next(iter(service._visits._under_way.values()))
    work.by = "cancel"
    work.stop.set()
    assert tell("status.stopped") in list(steps)[-1][0]
    assert not service._visits.noted()
    assert not service._visits._under_way


def test_what_is_noted_of_a_visit_is_forgotten_but_not_while_it_has_work_under_way(
    service: Service, tmp_path: Path
) -> None:
    steps = service.run(str(tmp_path / "a.mp4"), None, speaking("ja"), at=1.0)
    next(steps)
    service.speak(speaking("ja"))
    assert service._visits.noted() == set()
    service.stop(ME)
    list(steps)
    assert service._visits.noted() == {"me"}
    service._visits.forget(["you"])
    assert (service._failed, service._visits.language(ME)) == ({"me": ""}, "ja")
    service._visits.forget(["me"])
    assert not any(service._visits._notes)


def test_a_transcript_used_for_one_clip_is_not_used_for_the_next(service: Service, tmp_path: Path) -> None:
    first, second, words = (str(tmp_path / name) for name in ("a.mp4", "b.mp4", "a.srt"))
    Path(words).write_text("1\n00:00:00,000 --> 00:00:01,000\nof the first\n")
    service.take_words(words, ME)
    assert service.forget(first, None, ME)[-1] == gr.skip()  # put in before its clip
    list(service.run(first, words, ME))
    assert service.forget(first, None, ME) == gr.skip()
    shown = service.forget(second, None, ME)
    assert (len(shown), shown[-1]) == (8, None)
    assert service.forget(first, None, ME)[-1] == gr.skip()
    list(service.run(first, words, ME))
    service.take_words(words, ME)  # for the next clip, before that came
    assert service.forget(second, None, ME)[-1] == gr.skip()
    list(service.run(second, words, ME))
    assert service.forget(first, first, ME) == [*[gr.skip()] * 7, None]  # opened together with its result
    list(service.run(second, service.correct([[0.0, 0.4, "corrected"]], ME), ME))
    assert service.forget(first, None, ME)[-1] == gr.skip()


def test_a_changed_video_empties_the_transcripts_place() -> None:
    page = build_page()
    ours = {getattr(event.fn, "__qualname__", ""): event for event in page.fns.values()}
    forget, take = ours["Service.forget"], ours["Service.take_words"]
    assert forget.outputs[:-1] == ours["Service.run"].outputs
    assert [forget.outputs[-1]] == take.inputs
    assert forget.outputs[-1].elem_id == "cm-transcript-file"


def test_a_report_is_ended_between_its_steps(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def ask(grid: object, seconds: float) -> None:
        asked.append(seconds)
        service.leave(ME)

    monkeypatch.setattr(answered, "ask_why", ask)
    assert service.report(make_analysis(200), make_grid(), "a.mp4", ME) == gr.skip()
    assert len(asked) == 1


def test_answers_take_their_turn_and_whoever_leaves_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Turns(at_once=2, waiting=9)
    monkeypatch.setattr(visiting, "answers_of_server", lambda: line)
    visits, done = Visits(), threading.Event()
    with visits.begin("you", LOOK).step(), visits.begin("they", LOOK).step():
        mine = visits.begin("me", LOOK)

        def wait() -> None:
            with pytest.raises(StoppedError, match="leave"), mine.step():
                pytest.fail("a third step at once")
            done.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not done.wait(0.3)
        visits.end("me", "leave")
        waiting.join(5)
    assert done.is_set()
    assert line.join().place == 0


def test_an_analysis_ends_in_the_language_chosen_meanwhile(service: Service, tmp_path: Path) -> None:
    steps = service.run(str(tmp_path / "a.mp4"), None, speaking("en"))
    assert tell("status.analysing") in next(steps)[0]
    service.speak(speaking("ja"))
    assert service.tell_again(None, None, speaking("ja")) == gr.skip()
    told = list(steps)
    assert tell("status.analysing", "ja") in told[0][0]
    assert told[-1][0] == service.tell_again(told[-1][1], None, speaking("ja"))
    assert "動画全体" in told[-1][0]


@pytest.mark.parametrize(
    "at", ["abc", "7", [1], {}, float("nan"), float("inf"), -float("inf"), pytest.param(10**400, id="huge")]
)
def test_what_is_no_time_is_never_late_and_is_not_kept(service: Service, tmp_path: Path, at: Any) -> None:
    visits, video = Visits(), str(tmp_path / "a.mp4")
    for told in (at, 7.0, at):
        assert not visits.is_late(ME, told)
    assert visits.is_late(ME, 6.0)
    assert not visits.is_late(gr.Request(session_hash="you"), at)
    assert not visits.has_video(gr.Request(session_hash="you"))
    service.forget(video, None, ME, at=at)
    assert len(list(service.run(video, None, ME, at=at))) > 1
    assert len(list(service.run(video, None, ME, at=7.0))) > 1


def test_why_there_is_no_result_is_told_again(service: Service, tmp_path: Path) -> None:
    steps = service.run(str(tmp_path / "a.mp4"), None, ME)
    next(steps)
    service.stop(ME)
    list(steps)
    service.speak(speaking("zh"))
    assert tell("status.cancelled", "zh") in service.tell_again(None, None, speaking("zh"))
    service.forget(str(tmp_path / "b.mp4"), None, ME)
    assert service.tell_again(None, None, speaking("zh")) == gr.skip()


def test_answers_under_way_end_in_the_language_chosen_meanwhile(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, chosen = (make_analysis(20), make_grid()), speaking("ja")

    def choose(analysis: Analysis, grid: object, language: str) -> str:
        if language == "en":
            service.speak(chosen)
            assert service.look_again(*shown, 1.0, [], chosen) == gr.skip()
        return language

    monkeypatch.setattr(space, "show", choose)
    moment = service.look(*shown, speaking("en"))
    assert (moment[1], moment[5], moment[6], moment[7]) == ("ja", "ja", "layers ja", "ja")


def test_another_language_leaves_the_moment_the_switches_and_the_corrections(service: Service) -> None:
    analysis, grid, rows = make_analysis(60), make_grid(60), [[0.0, 0.4, "corrected"]]
    told = service.look_again(analysis, grid, 7.0, ["visual"], speaking("ja"))
    assert told[2] == 7.0
    assert "value" not in told[3]  # the switches themselves
    assert told[4] == ["visual"]
    again = service.retell(analysis, "audio", False, rows, speaking("ja"))
    _, _, faces, _, _, said, _, text, table = again
    assert faces == gr.skip()
    assert tell("coupling.caption", "ja") in said
    assert tell("transcript.keys", "ja") in text
    assert (table["data"], table["headers"][2]) == (rows, tell("words.word", "ja"))
    assert service.retell(None, "audio", False, rows, ME) == gr.skip()


def test_nothing_that_takes_long_is_lost_because_it_goes_on() -> None:
    """gradio passes over an event that comes while it goes on, and with it all that follows: never in a chain."""
    config = build_page().get_config_file()
    ours = [d for d in config["dependencies"] if d["api_visibility"] == "private" and d["backend_fn"]]
    chained = [d for d in ours if d["trigger_after"] is not None]
    assert len(chained) > 10
    assert {d["trigger_mode"] for d in chained} == {"multiple"}

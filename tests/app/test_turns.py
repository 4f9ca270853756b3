"""The line in front of the analyses: order, places, its end, and who leaves it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app import settings
from app.analysis import Analysis
from app.server import runs as running
from app.server.runs import Runs
from app.server.turns import BusyError, Turns
from app.service import Service
from extractors.records import InputError
from tests.app.made import make_analysis


def test_the_first_have_their_turn_and_the_rest_move_up_in_order() -> None:
    turns = Turns(at_once=2, waiting=2)
    a, b, c, d = (turns.join() for _ in range(4))
    assert [t.place for t in (a, b, c, d)] == [0, 0, 1, 2]
    with pytest.raises(BusyError, match="your place in the line would be 3, and it ends at 2"):
        turns.join()
    b.leave()
    b.leave()
    assert [t.place for t in (a, c, d)] == [0, 0, 1]
    c.leave()  # one that waits may go too
    assert d.place == 0


def test_whoever_waits_is_woken_by_a_move_and_not_by_the_clock() -> None:
    turns = Turns(at_once=1, waiting=1)
    first, second = turns.join(), turns.join()
    threading.Timer(0.05, first.leave).start()
    begin = time.perf_counter()
    assert second.wait(1, 10.0) == 0
    assert time.perf_counter() - begin < 5
    assert Turns(1, 1).join().wait(0, 0.01) == 0


class _Held:
    """Stands in for `analyze`: each clip ends when it is let go."""

    def __init__(self) -> None:
        self.at_once = self.most = 0
        self.go = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Analysis:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.go.wait(10)
        self.at_once -= 1
        return make_analysis()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> _Held:
    held = _Held()
    monkeypatch.setattr("app.analyze.analyze", held)
    monkeypatch.setattr(running, "POLL", 0.01)
    return held


def test_runs_are_told_their_place_and_a_full_line_ends_in_a_sentence(held: _Held) -> None:
    turns = Turns(at_once=1, waiting=1)
    mine, yours, theirs = (Runs(turns=turns).watch(who, "clip.mp4", None) for who in ("me", "you", "they"))
    assert next(mine).place == 0
    assert next(yours).place == 1
    assert "would be 2" in str(next(theirs).error)
    held.go.set()
    assert list(mine)[-1].result is not None
    ended = list(yours)[-1]
    assert (ended.place, ended.result is not None, held.most) == (0, True, 1)
    assert turns.join().place == 0  # nobody is left


def test_whoever_stops_waiting_leaves_the_line(held: _Held) -> None:
    turns, runs = Turns(at_once=1, waiting=5), Runs()
    runs._turns = turns
    first, second = runs.watch("me", "clip.mp4", None), runs.watch("you", "clip.mp4", None)
    next(first)
    next(second).stop.set()
    assert list(second)[-1].result is None
    assert turns.join().place == 1
    held.go.set()


def test_a_stopped_run_keeps_its_turn_until_it_really_ended(held: _Held) -> None:
    turns = Turns(at_once=1, waiting=5)
    watched = Runs(turns=turns).watch("me", "clip.mp4", None)
    next(watched)
    watched.close()  # type: ignore[attr-defined]
    after = turns.join()
    assert after.place == 1
    held.go.set()
    assert after.wait(1, 60.0) == 0


def test_the_page_shows_the_place(held: _Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(at_once=1, waiting=1)
    monkeypatch.setattr(running, "turns_of_server", lambda: turns)
    before = turns.join()
    clip = tmp_path / "clip.mp4"
    clip.touch()
    steps = Service(str(tmp_path)).run(str(clip), None, gr.Request(session_hash="me"))
    assert "Number 1 in line" in next(steps)[0]
    with pytest.raises(gr.Error, match="The server is busy: your place in the line would be 2"):
        list(Service(str(tmp_path)).run(str(clip), None, gr.Request(session_hash="you")))
    before.leave()
    assert "Number" not in next(steps)[0]
    held.go.set()
    list(steps)


def test_settings_are_whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.AT_ONCE, "0")
    with pytest.raises(InputError, match="COUPLED_MAMBA_AT_ONCE is '0': a whole number of at least 1"):
        settings.whole_number(settings.AT_ONCE, 2, 1)
    monkeypatch.setenv(settings.AT_ONCE, "")
    assert settings.whole_number(settings.AT_ONCE, 2, 1) == 2

"""What a session said and was answered goes from the server's memory too, with its page or at its wish."""

from __future__ import annotations

import gc
import json
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware

from app.analysis import Analysis, TimedWord
from app.page import build_page, launch
from app.server.forgetting import forget_by_age
from app.server.keeping import KEPT
from app.server.presence import Presence
from app.server.visits import visits_of
from tests.app.made import make_analysis, with_words

WORD, NAME = "Quorngluffel", "Zwirbelquast"


class Visitor:
    """A page's events as its browser sends them."""

    def __init__(self, page: gr.Blocks, url: str, session: str) -> None:
        self.url, self.session = f"{url}gradio_api/", session
        functions = {i: getattr(event.fn, "__qualname__", "") for i, event in page.fns.items()}
        self._functions = {name: i for i, name in sorted(functions.items(), reverse=True)}

    def upload(self, clip: Path) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}upload", files={"files": clip.open("rb")}, timeout=60)
        return {"path": answer.raise_for_status().json()[0], "meta": {"_type": "gradio.FileData"}}

    def ask(self, what: str, *data: Any) -> None:
        """Send an event without waiting for its answer."""
        body = {"data": data, "fn_index": self._functions[what], "session_hash": self.session}
        httpx.post(f"{self.url}queue/join", json=body, timeout=60).raise_for_status()

    def send(self, what: str, *data: Any) -> list[Any]:
        """Send an event; the last values it gave."""
        self.ask(what, *data)
        query = {"session_hash": self.session}
        with httpx.stream("GET", f"{self.url}queue/data", params=query, timeout=60) as lines:
            for line in lines.iter_lines():
                told = json.loads(line[5:]) if line.startswith("data:") else {}
                if told.get("msg") == "process_completed":
                    assert told["success"], told
                    values: list[Any] = told["output"]["data"]
                    return values
        raise AssertionError("the answer did not come")

    def press(self, what: str) -> None:
        """Send an event that waits in no queue."""
        body = {"data": [], "fn_index": self._functions[what], "session_hash": self.session}
        httpx.post(f"{self.url}run/predict", json=body, timeout=60).raise_for_status()


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[gr.Blocks]:
    def answer(clip: str, *_: object, **more: object) -> Analysis:
        said = make_analysis()
        return with_words(said, TimedWord(WORD, 0.1, 0.5), *said.transcript.words[1:])

    monkeypatch.setattr("app.analyze.analyze", answer)
    monkeypatch.setattr("app.page._warm", lambda: None)
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
    built = build_page()
    # A page is not waited for when its connection ends: that is tested elsewhere.
    brief = {"middleware": [Middleware(Presence, grace=0.1)]}
    launch(built, server_port=None, prevent_thread_lock=True, quiet=True, app_kwargs=brief)
    yield built
    built.close()


@pytest.fixture
def visitor(page: gr.Blocks) -> Visitor:
    return Visitor(page, str(page.local_url), "a-session-of-this-test")


def analyse(visitor: Visitor, folder: Path) -> None:
    """Have a clip of a peculiar name analysed and its words shown; and the same as a program does."""
    clip = folder / f"{NAME}.mp4"
    clip.write_bytes(b"video")
    given = visitor.upload(clip)
    assert WORD not in visitor.send("Service.forget", given, None, None)[0]
    card = visitor.send("Service.run", given, None, "en", None)[0]
    assert "cm-" in card
    shown = visitor.send("Showing.show", None, given, "text", False)
    assert WORD in json.dumps(shown)
    assert WORD in json.dumps(visitor.send("Api.analyze", given, None, ""))


def remembered(page: gr.Blocks, secret: str) -> bool:
    """Whether the word is anywhere in what gradio keeps of sessions; the loop's timers hold a request for seconds."""
    queue = page._queue
    waiting: list[Any] = [
        page.state_holder,
        queue.pending_messages_per_session,
        queue.event_ids_to_events,
        queue.active_jobs,
        page.temp_file_sets,
        page.server_app.iterators if page.server_app else None,
    ]
    seen: set[int] = {id(page), id(page.default_config), id(queue), *map(id, page.blocks.values())}
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and secret in item:
            return True
        if id(item) in seen or isinstance(item, (type, type(gc), type(remembered), AbstractEventLoop)):
            continue
        seen.add(id(item))
        waiting += gc.get_referents(item)
    return False


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_what_was_said_goes_at_delete_now_and_the_page_works_on(
    page: gr.Blocks, visitor: Visitor, tmp_path: Path
) -> None:
    analyse(visitor, tmp_path)
    assert remembered(page, WORD)
    assert remembered(page, NAME)
    for pressed in ("Service.delete", "forget_when_over.<locals>.forget"):
        visitor.press(pressed)
    assert not remembered(page, WORD)
    assert not remembered(page, NAME)
    analyse(visitor, tmp_path)


def test_what_was_said_goes_when_the_page_is_left(page: gr.Blocks, visitor: Visitor, tmp_path: Path) -> None:
    with httpx.stream("GET", f"{visitor.url}heartbeat/{visitor.session}", timeout=60) as beat:
        alive = beat.iter_raw()  # the connection would end with it
        assert next(alive)
        analyse(visitor, tmp_path)
        assert remembered(page, WORD)
    assert wait_for(lambda: visitor.session not in page.state_holder.session_data)
    assert not remembered(page, WORD)
    assert not remembered(page, NAME)
    time.sleep(0.5)  # whatever else listens for the end of a page is not to begin the session anew
    assert visitor.session not in page.state_holder.session_data


def test_what_is_noted_of_visits_goes_though_they_never_say_that_they_left(
    page: gr.Blocks, visitor: Visitor, tmp_path: Path
) -> None:
    analyse(visitor, tmp_path)
    visitor.send("Service.speak")
    visits = visits_of(page.GRADIO_CACHE)
    forget_by_age(page)()
    assert visits.noted() == {visitor.session}
    page.state_holder.time_last_used[visitor.session] -= timedelta(seconds=KEPT + 1)
    forget_by_age(page)()
    assert not visits.noted()


def test_small_requests_cost_nobody_an_analysis(page: gr.Blocks, visitor: Visitor, tmp_path: Path) -> None:
    analyse(visitor, tmp_path)
    holder = page.state_holder
    holder.capacity = 4
    for i in range(9):
        Visitor(page, str(page.local_url), f"small {i}").send("Service.speak")
    assert list(holder.session_data) == [visitor.session, "small 6", "small 7", "small 8"]
    assert set(holder.time_last_used) == set(holder.session_data)
    assert any(isinstance(kept, Analysis) for kept in holder[visitor.session].state_data.values())


def test_of_sessions_that_all_hold_work_the_one_used_least_recently_goes(page: gr.Blocks) -> None:
    holder, made = page.state_holder, make_analysis()
    holder.capacity = 3
    analysis, batch, nothing = made, [SimpleNamespace(path="a.json")], [SimpleNamespace(path="")]
    for name, kept in (("a", analysis), ("b", batch), ("c", nothing), ("d", analysis), ("e", "a.srt")):
        holder[name].state_data[0] = kept
    assert list(holder.session_data) == ["b", "d", "e"]


def test_what_programs_asked_for_goes_though_they_never_say_that_they_left(
    page: gr.Blocks, visitor: Visitor, tmp_path: Path
) -> None:
    clip = tmp_path / f"{NAME}.mp4"
    clip.write_bytes(b"video")
    assert WORD in json.dumps(visitor.send("Api.analyze", visitor.upload(clip), None, ""))
    assert wait_for(lambda: not page._queue.event_ids_to_events)
    forget = forget_by_age(page)
    assert remembered(page, WORD)
    forget()
    assert not remembered(page, WORD)
    visitor.ask("Api.analyze", visitor.upload(clip), None, "")  # and its answer is never fetched
    assert wait_for(lambda: not page._queue.event_ids_to_events)
    forget()
    assert remembered(page, WORD)  # there is still time
    page.state_holder.time_last_used[visitor.session] -= timedelta(seconds=KEPT + 1)
    forget()
    assert not remembered(page, WORD)
    assert visitor.session not in {*page.state_holder.session_data, *page.state_holder.time_last_used}
    assert WORD in json.dumps(visitor.send("Api.analyze", visitor.upload(clip), None, ""))

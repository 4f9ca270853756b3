"""The endpoint through gradio_client, two callers at once, and runs that are stopped."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.analysis import Analysis
from app.api import Api, can_serve_tools
from app.exports import FORMATS
from app.page import build_page, launch
from app.server import runs as running
from app.server.keeping import private_folder, sweep
from app.server.refusals import SURPRISE, explain, refusal
from app.server.runs import Runs
from app.server.turns import Turns
from app.server.visits import ANALYSIS, Visits
from app.service import Service
from app.stages import StoppedError
from extractors.records import InputError
from tests.app.made import make_analysis
from tests.clips import make_clip


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    page = build_page()
    _, url, _ = launch(page, server_port=None, prevent_thread_lock=True, quiet=True)
    yield url
    page.close()


def test_two_clients_at_once_get_their_own_answers(address: str, tmp_path: Path) -> None:
    clips = [make_clip(tmp_path / "a.mp4", 2.0), make_clip(tmp_path / "b.mp4", 3.0, sound=None)]

    def call(clip: Path) -> dict[str, Any]:
        answer: dict[str, Any] = Client(address, verbose=False).predict(
            clip=handle_file(clip), transcript=None, api_name="/analyze"
        )
        return answer

    with ThreadPoolExecutor(2) as pool:
        first, second = (Analysis.from_dict(answer) for answer in pool.map(call, clips))
    assert first.clip.duration == pytest.approx(2.0, abs=0.2)
    assert second.clip.duration == pytest.approx(3.0, abs=0.2)
    assert set(second.sentiment.alone) == {"visual"}


def test_the_endpoint_takes_a_transcript(address: str, tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text("It was the best of times")
    clip = make_clip(tmp_path / "clip.mp4", 3.0, video=None)
    answer = Client(address, verbose=False).predict(
        handle_file(clip), handle_file(tmp_path / "said.txt"), api_name="/analyze"
    )
    assert answer["transcript"]["source"] == "given"


def test_bad_input_reaches_the_client_as_a_sentence(address: str, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(AppError, match="cannot be read as a video"):
        Client(address, verbose=False).predict(handle_file(tmp_path / "text.mp4"), None, api_name="/analyze")


def test_what_is_offered_has_names_types_and_nothing_of_the_page(address: str) -> None:
    offered = Client(address, verbose=False).view_api(return_format="dict", print_info=False)
    endpoints = offered["named_endpoints"]
    assert set(endpoints) == {"/analyze", "/describe", "/save", "/compare"}
    assert not offered["unnamed_endpoints"]
    told = {p["parameter_name"]: p["type"] for p in endpoints["/save"]["parameters"]}
    assert set(told) == {"clip", "kind", "transcript", "language"}
    assert told["kind"]["enum"] == list(FORMATS)
    assert all(
        p["parameter_has_default"] == (p["parameter_name"] != "clip")
        for p in endpoints["/save"]["parameters"]
    )


def test_a_description_and_files_of_a_clip(address: str, tmp_path: Path) -> None:
    client = Client(address, verbose=False, download_files=tmp_path / "got")
    clip = handle_file(make_clip(tmp_path / "my clip.mp4", 2.0))
    assert client.predict(clip=clip, api_name="/describe").startswith("my clip.mp4 (0:02.0): ")
    for kind, holds in {"csv": "time,said,score", "vtt": "WEBVTT", "eaf": "TIME_ORDER"}.items():
        got = Path(client.predict(clip=clip, kind=kind, api_name="/save"))
        assert got.name == f"my_clip.{kind}"
        assert holds in got.read_text(encoding="utf-8")


def test_asking_again_in_another_form_costs_nothing_but_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches: list[Any] = []

    def note(clip: str, transcript: str | None, progress: Any, cache: Any, **more: Any) -> Analysis:
        caches.append(cache)
        return make_analysis()

    monkeypatch.setattr("app.analyze.analyze", note)
    api = Api(str(tmp_path / "kept"))
    for session in ("me", "me", "you", ""):
        path = Path(api.save("a <b>.mp4", "csv", None, "", gr.Request(session_hash=session)))
        assert path.is_relative_to(tmp_path / "kept")
    assert caches[0] == caches[1] != caches[2]
    assert caches[3] is None
    with pytest.raises(gr.Error, match="There is no format doc: choose one of json, csv"):
        api.save("a.mp4", "doc")
    with pytest.raises(gr.Error, match="Give a video file"):
        api.describe("")


def test_what_a_tool_is_given_is_written_where_it_is_swept(address: str) -> None:
    import gradio.mcp

    assert Path(gradio.mcp.DEFAULT_TEMP_DIR) == private_folder()


def test_every_call_of_a_tool_is_a_session_by_itself_that_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Any]] = []

    def note(clip: str, transcript: str | None, progress: Any, cache: Any, **more: Any) -> Analysis:
        seen.append((str(clip), cache))
        assert Path(clip).read_bytes() == b"x"
        return make_analysis()

    monkeypatch.setattr("app.analyze.analyze", note)
    api = Api(str(tmp_path))
    stranger = gr.Request(session_hash="gradio's own", headers={"x-gradio-user": "mcp"})  # whoever it may be
    for call in (api.describe, api.analyze, api.save):
        (tmp_path / "ab12").mkdir(exist_ok=True)
        inbox = tmp_path / "ab12" / "clip.mp4"
        inbox.write_bytes(b"x")
        answer = call(str(inbox), request=stranger)
        assert not inbox.is_symlink()
        assert not inbox.exists()
    assert len({clip for clip, _ in seen}) == 3  # in a room of its own each
    assert not any(Path(clip).exists() for clip, _ in seen)
    assert [cache for _, cache in seen] == [None] * 3  # nobody learns from a quick answer who else brought it
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [Path(answer)]  # type: ignore[arg-type]  # which is still to be fetched, and goes by age


@pytest.mark.skipif(not can_serve_tools(), reason="mcp is optional and not installed")
def test_the_endpoints_are_tools_of_an_mcp_server(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    import httpx
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    clip = make_clip(tmp_path / "clip.mp4", 1.0, sound=None)
    content = f"data:video/mp4;base64,{base64.b64encode(clip.read_bytes()).decode()}"
    callers: list[str] = []
    watch = Runs.watch

    def note(runs: Runs, caller: str, *asked: Any, **more: Any) -> Any:
        callers.append(caller)
        return watch(runs, caller, *asked, **more)

    monkeypatch.setattr(Runs, "watch", note)

    async def talk() -> tuple[Any, Any, Any]:
        async with (
            streamablehttp_client(f"{address}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            told = await session.call_tool("describe", {"clip": content})
            return tools, told, await session.call_tool("save", {"clip": content, "kind": "csv"})

    tools, called, saved = asyncio.run(talk())
    offered = {tool.name: tool for tool in tools}
    assert set(offered) == {"analyze", "describe", "save", "compare"}
    assert "a video file" in offered["describe"].inputSchema["properties"]["clip"]["description"]
    assert not called.isError
    assert "face alone" in called.content[0].text
    assert callers == ["", ""]  # gradio's header says so all the way to the endpoint
    file = httpx.get(re.search(r"http\S+\.csv", saved.content[0].text)[0])  # type: ignore[index]
    assert file.text.removeprefix("\ufeff").startswith("time,said,score")


class _Slow:
    """Stands in for `analyze`: reports for ever, until it is stopped."""

    def __init__(self) -> None:
        self.stopped = False

    def __call__(
        self, clip: str, transcript: str | None, progress: Any, cache: object, **more: Any
    ) -> Analysis:
        try:
            for i in range(10_000):
                progress("faces", i / 10_000)
                time.sleep(0.01)
        except StoppedError:
            self.stopped = True
            raise
        return make_analysis()


def test_a_run_is_stopped_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, runs, visits = _Slow(), Runs(), Visits()
    monkeypatch.setattr("app.analyze.analyze", slow)
    work = visits.begin("me", ANALYSIS)
    watched = runs.watch("me", "clip.mp4", None, stop=work.stop)
    run = next(watched)
    visits.end("somebody else", "cancel")
    assert not run.stop.is_set()
    begin = time.perf_counter()
    visits.end("me", "cancel")
    assert list(watched)[-1].result is None
    while not slow.stopped and time.perf_counter() - begin < 2:
        time.sleep(0.01)
    assert slow.stopped
    assert time.perf_counter() - begin < 2


def test_words_are_forgotten_once_a_clip_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[bool] = []
    monkeypatch.setattr("app.analyze.analyze", lambda *_, **__: make_analysis())
    monkeypatch.setattr(running, "forget_words", lambda: forgotten.append(True))
    assert list(Runs().watch("me", "clip.mp4", None))[-1].result is not None
    assert forgotten == [True]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_turn_is_given_up_whatever_fails_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("the aligner cannot be emptied")

    monkeypatch.setattr("app.analyze.analyze", lambda *_, **__: make_analysis())
    monkeypatch.setattr(running, "forget_words", fail)
    turns = Turns(at_once=1, waiting=0)
    for _ in range(2):
        assert list(Runs(turns=turns).watch("me", "clip.mp4", None))[-1].result is not None


def test_a_page_that_is_left_stops_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, runs = _Slow(), Runs()
    monkeypatch.setattr("app.analyze.analyze", slow)
    watched = runs.watch("me", "clip.mp4", None)
    run = next(watched)
    watched.close()  # type: ignore[attr-defined]
    assert run.stop.is_set()


def test_the_news_of_a_video_that_comes_late_does_not_stop_its_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, service = _Slow(), Service(str(tmp_path))
    monkeypatch.setattr("app.analyze.analyze", slow)
    clips = [tmp_path / "clip.mp4", tmp_path / "other.mp4"]
    for clip in clips:
        clip.touch()
    me = gr.Request(session_hash="me")
    steps = service.run(str(clips[0]), None, me)
    next(steps)  # the button was pressed
    kept = service.forget(str(clips[0]), None, me)  # and only then the browser says which video came
    assert kept == gr.skip()
    assert "Stopped" not in next(steps)[0]
    assert service.forget(str(clips[1]), None, me)[1] is None  # another video ends it
    list(steps)
    assert slow.stopped
    assert service.forget(str(clips[0]), None, me)[1] is None


def test_the_page_is_put_in_order_before_the_error_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(clip: str, transcript: str | None, progress: Any, cache: object, **more: Any) -> Analysis:
        raise InputError("<b>clip</b>.mp4 is empty (0 bytes).")

    monkeypatch.setattr("app.analyze.analyze", fail)
    monkeypatch.setattr(running, "POLL", 0.01)
    clip = tmp_path / "clip.mp4"
    clip.touch()
    steps = Service(str(tmp_path)).run(str(clip), None, gr.Request(session_hash="me"))
    seen: list[list[Any]] = []
    with pytest.raises(gr.Error) as caught:
        seen.extend(step for step in steps)
    assert "&lt;b&gt;clip" in seen[-1][0]
    assert seen[-1][2]["interactive"] is True
    assert "&lt;b&gt;clip" in str(caught.value.message)


def test_a_refusal_is_text_to_programs_and_no_markup_to_browsers() -> None:
    assert str(refusal("The clip's <b>sound</b> is too long.").message) == (
        "The clip's &lt;b&gt;sound&lt;/b&gt; is too long."
    )


def test_surprises_are_not_shown_to_visitors() -> None:
    assert explain(RuntimeError("secret path /home/me")) == SURPRISE
    assert explain(InputError("The clip is empty.")) == "The clip is empty."


def test_who_runs_the_server_is_told_of_its_settings_and_visitors_are_not(caplog: Any) -> None:
    long = "The clip has 9 seconds, more than the limit of 4: cut it"
    assert explain(InputError(f"{long} or raise COUPLED_MAMBA_MAX_SECONDS.")) == f"{long}."
    assert caplog.messages == ["an analysis was refused: look at COUPLED_MAMBA_MAX_SECONDS"]
    for sentence in (
        "COUPLED_MAMBA_YUNET is 'x', which is no file.",
        "OpenCV cannot read a.onnx as YuNet: fetch it again or unset COUPLED_MAMBA_YUNET.",
    ):
        caplog.clear()
        assert explain(InputError(sentence)).startswith("A setting of the server is wrong")
        assert caplog.messages == ["an analysis was refused: look at COUPLED_MAMBA_YUNET"]
    empty = "COUPLED_MAMBA_YUNET.mp4 is empty (0 bytes)."  # a visitor's file, which the log is not to name
    caplog.clear()
    assert (explain(InputError(empty)), caplog.messages) == (empty, [])
    assert explain(StoppedError("stopped")) == ""


def test_no_video_is_a_sentence() -> None:
    with pytest.raises(gr.Error, match="Choose or record a video first"):
        next(Service("/nowhere").run(None, None, gr.Request(session_hash="me")))


def test_what_a_session_worked_out_is_kept_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches: list[Any] = []

    def note(clip: str, transcript: str | None, progress: Any, cache: Any, **more: Any) -> Analysis:
        caches.append(cache)
        return make_analysis()

    monkeypatch.setattr("app.analyze.analyze", note)
    monkeypatch.setattr(running, "POLL", 0.01)
    clip = tmp_path / "clip.mp4"
    clip.touch()
    service = Service(str(tmp_path))
    for session in ("me", "me", "you", ""):
        list(service.run(str(clip), None, gr.Request(session_hash=session)))
    mine, again, yours, nobody = caches
    assert mine == again
    assert mine.folder != yours.folder
    assert {c.folder.parents[1] for c in (mine, yours)} == {tmp_path / "sessions"}
    assert mine.key("faces", 1) != yours.key("faces", 1)
    assert nobody is None  # without a session there is nobody to keep it for
    mine.put("a", None, [])
    sweep(tmp_path, -1)
    assert not list(mine.folder.glob("*"))

"""A real server, asked for what it must not give: its files, other addresses' pages, gradio's doors without a use."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.data_classes import FileData

from app import page as page_room
from app.server import guard as guard_room
from app.server import uploads as uploads_room
from app.server.guard import (
    LONG_NAME,
    MOST,
    MOST_NAME,
    MOST_TOOLS,
    NO_ADDRESS,
    TOOLS,
    Guard,
    is_shut,
    refusal_of,
)
from app.server.keeping import bytes_kept, sweep
from app.server.uploads import FULL, PATH, Disk, counted
from extractors.media.opening import Limits
from extractors.words.subtitles import MOST as SPOKEN
from tests.clips import make_clip

SECRET = "the secret of the house"
FILE = {"_type": "gradio.FileData"}


class Elsewhere(BaseHTTPRequestHandler):
    """An address inside the house that outsiders are not to reach."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(SECRET.encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    Elsewhere.asked = []
    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Elsewhere.asked
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server's address and the folder it keeps its visitors' files in; ffmpeg there leaves a sign when it is run."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "secret.mp4").write_text(SECRET)
    for name in ("ffmpeg", "ffprobe"):
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).write_text(f"#!/bin/sh\ntouch {folder}/was-run\nexit 1\n")
        (folder / "bin" / name).chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COUPLED_MAMBA_CACHE", str(folder / "cache"))
        patch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        patch.setattr(page_room, "_warm", lambda: None)
        page = page_room.build_page()
        _, url, _ = page_room.launch(page, server_port=None, prevent_thread_lock=True, quiet=True)
        yield url.rstrip("/"), folder
        page.close()


def call(url: str, clip: Any, name: str = "describe", more: tuple[Any, ...] = (None, "")) -> str:
    """What an endpoint tells of a clip, or how the request is refused."""
    begun = httpx.post(f"{url}/gradio_api/call/{name}", json={"data": [clip, *more]}, timeout=60)
    if begun.status_code != 200:
        return f"{begun.status_code} {begun.text}"
    with httpx.stream("GET", f"{url}/gradio_api/call/{name}/{begun.json()['event_id']}", timeout=120) as told:
        return "".join(told.iter_text())


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "//etc/passwd",
        "%2Fetc%2Fpasswd",
        "../../../../../etc/passwd",
        "{cache}/../../secret.mp4",
        "{cache}/..%2F..%2Fsecret.mp4",
        "{folder}/secret.mp4",
        "file:///etc/passwd",
        "{code}/model/weights/model.safetensors",
        "{code}/app.py",
        "{cache}",
        "/proc/self/environ",
    ],
)
def test_no_file_of_the_server_is_given_out(house: tuple[str, Path], path: str) -> None:
    url, folder = house
    path = path.format(
        folder=folder, cache=folder / "cache" / "visitors", code=Path(page_room.__file__).parents[1]
    )
    for door in ("file=", "file/"):
        answer = httpx.get(f"{url}/gradio_api/{door}{path}", timeout=60)
        assert answer.status_code in (403, 404)
        assert SECRET not in answer.text
        assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{folder}/secret.mp4", "{cache}/../../secret.mp4", "app.py", ""]
)
def test_no_file_of_the_server_is_analysed(house: tuple[str, Path], path: str) -> None:
    url, folder = house
    path = path.format(folder=folder, cache=folder / "cache" / "visitors")
    for place in (0, 1):  # as the clip, and as its transcript
        given = {"path": path, "meta": FILE, "orig_name": "a.mp4"}
        told = call(url, given if place == 0 else None, more=(given if place == 1 else None, ""))
        assert "event: error" in told or told.startswith("4")
        assert SECRET not in told
        assert "root:" not in told
    assert not list((folder / "cache").rglob("secret.mp4"))  # nor copied to where files are given out


def test_what_another_visitor_brought_cannot_be_guessed(house: tuple[str, Path], tmp_path: Path) -> None:
    """Files lie under names that only who has the file, or was told the name, can know; folders are not listed."""
    url, folder = house
    clip = make_clip(tmp_path / "mine.mp4", 0.5, sound=None)
    (path,) = httpx.post(f"{url}/gradio_api/upload", files={"files": clip.open("rb")}, timeout=60).json()
    inside = Path(path).relative_to(folder / "cache" / "visitors")
    assert max(len(part) for part in inside.parts[:-1]) >= 32
    above = folder / "cache" / "visitors"
    for tried in (above, Path(path).parent, above / "mine.mp4", above / "stages"):
        assert httpx.get(f"{url}/gradio_api/file={tried}", timeout=60).status_code == 403


@pytest.mark.parametrize(
    "given",
    [
        {"path": "{url}/a.mp4", "meta": FILE},
        {"path": "{url}/a.mp4", "url": "{url}/b.mp4", "meta": FILE},
        {"path": "{upper}/a.mp4", "meta": FILE},
        {"path": "https://example.org/a.mp4", "meta": FILE},
    ],
)
def test_no_address_is_fetched_for_a_client(
    house: tuple[str, Path], elsewhere: tuple[str, list[str]], given: dict[str, Any]
) -> None:
    address, asked = elsewhere
    text = json.dumps(given).replace("{url}", address).replace("{upper}", address.replace("http", "HTTP"))
    told = call(house[0], json.loads(text))
    assert told.startswith("400 ")
    assert NO_ADDRESS in told
    assert not asked


def test_an_address_beside_a_path_is_not_read(
    house: tuple[str, Path], elsewhere: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, _ = house
    clip = tmp_path / "text.mp4"
    clip.write_text("no clip")
    (path,) = httpx.post(f"{url}/gradio_api/upload", files={"files": clip.open("rb")}, timeout=60).json()
    told = call(url, {"path": path, "url": f"{elsewhere[0]}/a.mp4", "meta": FILE})
    assert "cannot be read as a video" in told
    assert not elsewhere[1]


@pytest.mark.parametrize("door", ["file=", "file/", "file%3D", "proxy=", "proxy%3D", "/proxy="])
def test_the_server_is_no_way_to_other_servers(
    house: tuple[str, Path], elsewhere: tuple[str, list[str]], door: str
) -> None:
    answer = httpx.get(f"{house[0]}/gradio_api/{door}{elsewhere[0]}/a", timeout=60)
    assert answer.status_code == 404
    # The guard's own answer, not that of gradio's check of addresses.
    assert answer.json()["detail"] == "Not found."
    assert not elsewhere[1]


def test_the_systems_ffmpeg_is_never_run_on_what_a_stranger_brings(
    house: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = house
    page = page_room.build_page()
    playlist = tmp_path / "a.mp4"
    playlist.write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    files = {"video": ("a.mp4", playlist.read_bytes(), "video/mp4")}
    assert httpx.post(f"{url}/gradio_api/process_recording", files=files, timeout=60).status_code == 404
    (path,) = httpx.post(f"{url}/gradio_api/upload", files={"files": playlist.open("rb")}, timeout=60).json()
    assert "event: error" in call(url, {"path": path, "meta": FILE})
    old = make_clip(tmp_path / "b.avi", 0.5, sound=None, video="plain")
    videos = [block for block in page.blocks.values() if isinstance(block, gr.Video)]
    assert videos
    for video in videos:  # gradio converts for some settings of its component
        assert video.preprocess(FileData(path=str(old))) == str(old)
    assert not (folder / "was-run").exists()


@pytest.mark.parametrize(
    "name",
    ["../../a.mp4", "/etc/a.mp4", "..", "..\\..\\a.mp4", "a/../../b.mp4", "%2e%2e%2fa.mp4", "a\x00b.mp4"],
)
def test_no_name_leads_out_of_the_visitors_folder(house: tuple[str, Path], name: str) -> None:
    url, folder = house
    before = set(folder.rglob("*")) - set((folder / "cache" / "visitors").rglob("*"))
    answer = httpx.post(f"{url}/gradio_api/upload", files={"files": (name, b"x" * 50)}, timeout=60)
    if answer.status_code == 200:
        (path,) = answer.json()
        assert Path(path).resolve().is_relative_to(folder / "cache" / "visitors")
    assert set(folder.rglob("*")) - set((folder / "cache" / "visitors").rglob("*")) == before


USED = {
    "/", "/config", "/static", "/assets", "/favicon.ico", "/theme.css", "/svelte", "/manifest.json", "/pwa_icon",
    "/robots.txt", "/login", "/logout", "/openapi.json",
    *(f"/gradio_api/{name}" for name in (
        "user", "login_check", "token", "app_id", "info", "openapi.json", "file=", "file", "reset", "heartbeat", "run",
        "api", "call", "queue", "cancel", "upload", "upload_progress", "startup-events", "theme.css",
    )),
}  # fmt: skip


def test_every_door_of_gradio_is_known(house: tuple[str, Path]) -> None:
    """A new version's new door has to be looked at: it is either used by the page or shut."""
    from gradio.routes import App

    app = App.create_app(page_room.build_page())
    paths = [r.path for r in app.routes if hasattr(r, "path")]
    for inner in (r.original_router for r in app.routes if hasattr(r, "original_router")):
        paths += [route.path for route in inner.routes]
    assert len(paths) > 50
    known = {path for path in paths if is_shut(path)}
    used = {p for p in paths if p.split("{")[0].rstrip("/") in {u.rstrip("/") for u in USED}}
    used |= {p for p in paths if p.startswith(tuple(f"{u}/" for u in USED if u != "/"))}
    assert {p for p in paths if p not in known | used} == set()
    for path in (
        "/monitoring",
        "/monitoring/summary",
        "/gradio_api/deep_link?session_hash=a",
        "/gradio_api/runs",
    ):
        assert httpx.get(f"{house[0]}{path}", timeout=60).status_code == 404


@pytest.mark.parametrize("door", ["run", "api"])
def test_there_is_no_way_around_the_queue(house: tuple[str, Path], door: str) -> None:
    url, _ = house
    known = httpx.get(f"{url}/config", timeout=60).json()["dependencies"]

    def answer(event: dict[str, Any], name: str) -> httpx.Response:
        asked = {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "session_hash": "somebody"}
        return httpx.post(f"{url}/gradio_api/{door}/{name}", json=asked, timeout=60)

    waiting = [event for event in known if event["queue"] and event["backend_fn"]]
    assert len(waiting) > 30
    for event in waiting:
        for name in ("any", event["api_name"]):
            refused = answer(event, name)
            assert (refused.status_code, "join the queue" in refused.text) == (404, True)
    # What is to go on at once, the queue being full, still does.
    (stop,) = (event for event in known if event["api_name"] == "stop")
    assert (stop["queue"], answer(stop, "any").status_code) == (False, 200)


def test_a_request_has_its_most_and_every_answer_says_what_a_browser_may_do(house: tuple[str, Path]) -> None:
    url, _ = house
    large = httpx.post(f"{url}/gradio_api/call/describe", content=b"[" + b" " * MOST + b"]", timeout=60)
    assert large.status_code == 413
    for answer in (
        large,
        httpx.get(url, timeout=60),
        httpx.get(f"{url}/gradio_api/file=/etc/passwd", timeout=60),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "object-src 'none'" in answer.headers["content-security-policy"]


FORM = [(b"content-type", b"multipart/form-data; boundary=x")]


def answer_to(guard: Guard, path: str, body: bytes | int, **more: Any) -> list[Any]:
    """What the guard sends of its own to a request with the body, or one of so many bytes."""
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b" " * body if isinstance(body, int) else body}

    async def send(message: Any) -> None:
        said.append(message)

    scope: Any = {"type": "http", "path": path, "method": "POST", "headers": [], **more}
    asyncio.run(guard(scope, receive, send))
    return said


@pytest.mark.parametrize(
    ("path", "most", "tools", "headers"),
    [
        ("/gradio_api/call/describe", 10, True, []),
        ("/gradio_api/queue/join", 10, True, FORM),  # whatever a request calls itself
        (f"{PATH}s", 10, True, FORM),
        (PATH, 10, True, []),
        (f"{TOOLS}/", 20, True, []),
        (f"{TOOLS}/", 10, False, FORM),
    ],
)
def test_a_request_that_is_too_large_is_told_its_own_limit(
    path: str, most: int, tools: bool, headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.server.guard.MOST", 10)
    monkeypatch.setattr("app.server.guard.MOST_TOOLS", 20)
    guard = Guard(lambda *_: pytest.fail("it was let through"), 30, tools)
    said = answer_to(guard, path, 21, headers=headers)
    assert said[0]["status"] == 413
    assert f"at most {most} bytes" in said[1]["body"].decode()


@pytest.mark.parametrize("part", [b"{},", b"[],", b"1,", b'{"a":[1]},'])
@pytest.mark.parametrize("path", ["/nothing/here", f"{TOOLS}/"])
def test_a_request_of_many_parts_is_refused_before_they_are_looked_at(path: str, part: bytes) -> None:
    """Whatever is asked for: all others wait while they are."""
    body = b"[" + part * ((MOST - 10) // len(part)) + b"1]"
    guard = Guard(lambda *_: pytest.fail("it was let through"), tools=True)
    began = time.process_time()
    said = answer_to(guard, path, body)
    assert time.process_time() - began < 0.3
    assert said[0]["status"] == 413
    assert "at most 200,000 brackets and commas, and this one has" in said[1]["body"].decode()


def test_the_table_of_all_words_that_half_an_hour_can_hold_is_let_through() -> None:
    async def gradio(scope: Any, receive: Any, send: Any) -> None:
        passed.append((await receive())["body"])

    passed: list[bytes] = []
    rows = [[1700 + i / 300, 1700.5 + i / 300, "worldly,"] for i in range(SPOKEN * Limits().max_seconds)]
    table = {"headers": ["from", "to", "word"], "data": [[round(a, 2), round(b, 2), w] for a, b, w in rows]}
    body = json.dumps({"data": [table], "fn_index": 33, "session_hash": "a" * 11}).encode()
    assert answer_to(Guard(gradio), "/gradio_api/queue/join", body) == []
    assert passed == [body]


def test_a_tools_call_may_be_as_long_as_the_package_reads() -> None:
    room = pytest.importorskip("mcp.server.transport_security")
    assert room.DEFAULT_MAX_REQUEST_BODY_SIZE == MOST_TOOLS


def test_what_a_proxy_puts_before_a_path_opens_no_door() -> None:
    async def gradio(scope: Any, receive: Any, send: Any) -> None:
        assert len((await receive())["body"]) == MOST + 1
        passed.append(scope["path"])

    passed: list[str] = []
    guard = Guard(gradio, 2 * MOST)
    assert answer_to(guard, f"/here{PATH}", MOST + 1, root_path="/here", headers=FORM) == []
    assert passed == [f"/here{PATH}"]
    for path in ("/here/gradio_api/process_recording", "/here/gradio_api/proxy=http://a"):
        assert answer_to(guard, path, 1, root_path="/here")[0]["status"] == 404
    assert answer_to(guard, f"/there{PATH}", MOST + 1, root_path="/here", headers=FORM)[0]["status"] == 413


def uploaded(url: str, files: list[Any], **more: Any) -> httpx.Response:
    return httpx.post(f"{url}{PATH}", files=files, timeout=60, **more)


def test_an_upload_holds_files_and_as_many_as_are_allowed(
    house: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = house
    monkeypatch.setattr(guard_room, "counted", lambda receive, most: counted(receive, 30_000))
    several = [("files", (f"{i}.mp4", bytes([i]) * 9_000)) for i in range(4)]
    assert [Path(path).name for path in uploaded(url, several[:3]).json()] == ["0.mp4", "1.mp4", "2.mp4"]
    before = set(folder.rglob("*"))
    too_much = uploaded(url, several)
    assert (too_much.status_code, "bring fewer files at a time" in too_much.text) == (413, True)
    # Gradio would keep it in memory, at any length.
    field = uploaded(url, [("files", (None, b"x" * 20_000))])
    assert (field.status_code, "files alone" in field.text) == (400, True)
    assert set(folder.rglob("*")) == before


def begin_upload(url: str, size: int, field: str = "files") -> socket.socket:
    """An upload of one file, of which more is announced than sent."""
    host, port = url.removeprefix("http://").split(":")
    told = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="a.mp4"\r\n\r\n'.encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {2 * size + len(told)}\r\n"
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode() + told + b"v" * size
    )
    return connection


def sizes(folder: Path) -> list[int]:
    """Of files that are being uploaded."""
    return [path.stat().st_size for path in folder.iterdir() if path.is_file()]


def wait_for(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


@pytest.fixture
def disk(house: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The house's, measured at every turn."""
    monkeypatch.setattr(uploads_room, "AGAIN", -1.0)
    (found,) = (
        thing for thing in gc.get_objects() if type(thing) is Disk and house[1] in thing._folder.parents
    )
    return found


def test_uploads_on_their_way_count_too(
    house: tuple[str, Path], disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, small = house[0], [("files", ("a.mp4", b"a" * 60_000))]
    monkeypatch.setattr(disk, "_most", bytes_kept(disk._folder) + 400_000)
    assert uploaded(url, small).status_code == 200
    with begin_upload(url, 300_000):
        assert wait_for(lambda: sum(sizes(disk._folder)) >= 200_000)
        sweep(disk._folder, -1)  # they take as much of the disk although nobody sees them any more
        refused = uploaded(url, [("files", ("b.mp4", b"b" * 200_000))])
        assert (refused.status_code, refused.text) == (413, FULL)
    assert wait_for(lambda: not disk._coming)
    assert uploaded(url, small).status_code == 200
    monkeypatch.setattr(disk, "_spare", 10**18)
    assert uploaded(url, small).status_code == 413


@pytest.mark.parametrize("field", ["files", "another"])
def test_what_an_upload_leaves_behind_goes_with_it(house: tuple[str, Path], disk: Disk, field: str) -> None:
    with begin_upload(house[0], 300_000, field):
        assert wait_for(lambda: sum(sizes(disk._folder)) >= 200_000)
    assert wait_for(lambda: not any(sizes(disk._folder)))
    assert uploaded(house[0], [(field, ("a.mp4", b"a" * 9_000))]).status_code == 200
    assert not any(sizes(disk._folder))


def test_a_form_is_no_way_around_the_limit(house: tuple[str, Path]) -> None:
    form = {"files": ("a.mp4", b" " * (MOST + 1))}
    answer = httpx.post(f"{house[0]}/gradio_api/queue/join", files=form, timeout=60)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "tools", "asks"),
    [
        (b'{"data": [{"path": "http://a"}]}', False, True),
        (b'{"data": [{"path": " \\u0068TTPS:/a"}]}', False, True),
        (b'{"data": [{"path": "/tmp/a", "url": "http://127.0.0.1/gradio_api/file=/tmp/a"}]}', False, False),
        (b'{"data": [["see http://a", 1], ["http://a"]]}', False, False),  # words of a transcript
        (b'{"params": {"arguments": {"clip": "http://a"}}}', True, True),
        (b'{"params": {"arguments": {"clip": "data:video/mp4;base64,aaaa"}}}', True, False),
        (b"[" * 100_000, False, False),
        (b"[" * 900 + b'{"path": "http://a"}' + b"]" * 900, False, True),
        (b"\xff\xfe", False, False),
        (b"", False, False),
    ],
)
def test_where_an_address_counts(body: bytes, tools: bool, asks: bool) -> None:
    assert refusal_of(body, tools) == (NO_ADDRESS if asks else "")


def test_a_session_has_a_short_name(house: tuple[str, Path]) -> None:
    name, url = "n" * MOST_NAME, f"{house[0]}/gradio_api"
    for body in (b'{"session_hash": "%b"}', b'{"data": [], "session\\u005fhash": "%b"}'):
        assert refusal_of(body % name.encode()) == ""
        assert refusal_of(body % f"{name}n".encode()) == LONG_NAME
    for other in (
        b'{"session_hash": null}',
        b'[{"session_hash": 1}]',
        b'{"data": {"session_hash": "%b"}}' % (b"n" * 99),
    ):
        assert refusal_of(other) == ""
    body = {"data": [], "fn_index": 0, "session_hash": f"{name}n"}
    refused = [httpx.post(f"{url}/{door}", json=body, timeout=60) for door in ("queue/join", "run/predict")]
    assert [(answer.status_code, answer.json()["detail"]) for answer in refused] == [(400, LONG_NAME)] * 2
    assert httpx.get(f"{url}/heartbeat/{name}n", timeout=60).status_code == 404
    assert not is_shut(f"/gradio_api/heartbeat/{name}")

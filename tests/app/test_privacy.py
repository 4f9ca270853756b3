"""A real server: whose files lie where, when they go, and that its log tells nothing of what it was given."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app import settings
from app.analysis import Analysis
from app.server.keeping import KEPT, Rooms
from extractors.cache import Cache
from tests.clips import make_clip

ROOT = Path(__file__).parents[2]
NAME, WORD = "Zwirbelquast-7731", "Quorngluffel"


@dataclass
class Serving:
    url: str
    process: subprocess.Popen[bytes]
    kept: Path
    log: Path

    def files(self) -> list[Path]:
        """What is kept for visitors, without the sample; a folder may go while it is looked into."""
        found = (Path(folder, name) for folder, _, names in os.walk(self.kept) for name in names)
        return [path for path in found if not path.name.startswith("sample-")]


def start(cache: Path) -> Serving:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = cache.parent / "server.log"
    environment = os.environ | {
        "COUPLED_MAMBA_CACHE": str(cache),
        "GRADIO_SERVER_PORT": str(port),
        "HF_HUB_OFFLINE": "1",
        settings.GRACE: "2",
        "PYTHONUNBUFFERED": "1",
    }
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    serving = Serving(f"http://127.0.0.1:{port}/", process, cache / "visitors", log)
    if (
        not wait_for(lambda: _answers(serving.url) or process.poll() is not None, 600)
        or process.poll() is not None
    ):
        process.kill()
        pytest.fail(f"the server did not answer: {log.read_text()}")
    return serving


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True


def wait_for(holds: Callable[[], Any], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)
    return bool(holds())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = start(tmp_path_factory.mktemp("privacy") / "cache")
    yield serving
    serving.process.terminate()
    serving.process.wait(30)


@pytest.fixture(scope="module")
def visit(server: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A visitor who has a clip of a peculiar name analysed and saved, with peculiar words, and a broken one refused."""
    folder = tmp_path_factory.mktemp("brought")
    clip, words = make_clip(folder / f"{NAME}.mp4", 1.5), folder / f"{NAME}.txt"
    words.write_text(f"{WORD} {WORD} was here")
    broken = folder / f"{NAME}-broken.mp4"
    broken.write_bytes(clip.read_bytes()[:2000])
    client = Client(server.url, verbose=False, download_files=folder / "got")
    saved = client.predict(
        clip=handle_file(clip), kind="json", transcript=handle_file(words), api_name="/save"
    )
    assert WORD in Path(saved).read_text(encoding="utf-8")
    with pytest.raises(AppError):
        client.predict(clip=handle_file(broken), api_name="/describe")
    yield client
    client.close()


def test_a_visitors_files_lie_in_a_folder_of_the_session(server: Serving, visit: Client) -> None:
    rooms = list((server.kept / "sessions").iterdir())
    assert len(rooms) == 1
    assert rooms[0].stat().st_mode & 0o777 == 0o700
    outside = [p for p in server.files() if rooms[0] not in p.parents]
    # What gradio was given is but a name there; the empty files are what it makes when it hands a file on.
    assert all(p.is_symlink() or p.stat().st_size == 0 for p in outside)
    assert {p.suffix for p in (rooms[0] / "given").rglob("*") if p.is_file()} == {".mp4", ".txt"}
    assert [p for p in rooms[0].rglob("*.json") if NAME in p.name]


def test_the_log_tells_nothing_of_what_was_given(server: Serving, visit: Client) -> None:
    log = server.log.read_text(encoding="utf-8")
    assert "Running on" in log
    for secret in (NAME, NAME.lower(), WORD, WORD.lower(), "Traceback"):
        assert secret not in log


def test_everything_of_a_session_goes_when_it_ends(server: Serving, visit: Client) -> None:
    visit.close()
    assert wait_for(lambda: not any(p.stat().st_size for p in server.files()))
    assert wait_for(lambda: not list((server.kept / "sessions").iterdir()))


def test_deleting_on_request_through_the_page(server: Serving, tmp_path: Path) -> None:
    """The page's own events, as its browser sends them: the video changes, then Delete now is pressed."""
    session = "a-session-of-this-test"
    clip = make_clip(tmp_path / "mine.mp4", 1.0, sound=None)
    given = _upload(server.url, clip)
    _send(server.url, session, "change", [{"path": given, "meta": {"_type": "gradio.FileData"}}, None, 1.0])
    assert wait_for(Path(given).is_symlink)  # it is the session's now
    _send(server.url, session, "delete", [])
    assert wait_for(lambda: not any(p.name == "mine.mp4" for p in server.files()))


@pytest.mark.slow
def test_killed_in_mid_analysis_it_starts_again_without_what_is_old_and_reads_nothing_by_half(
    server: Serving, tmp_path: Path
) -> None:
    """The last of this module: it ends the server."""
    clip, session = make_clip(tmp_path / "killed.mp4", 8.0), "a-session-that-was-cut-off"
    asked = _client(server, session).submit(clip=handle_file(clip), api_name="/analyze")
    room = Rooms(server.kept).of(session)
    stages = room / "stages"
    assert wait_for(lambda: list(stages.glob("*.npz")), 300)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    assert not asked.done() or asked.exception()  # it was in the middle of it
    mine = next((room / "given").rglob("*.mp4"))
    link = server.kept / mine.parent.name / mine.name
    assert link.readlink() == mine
    kept = {path: path.read_bytes() for path in stages.glob("*.npz")}
    whole = next(iter(kept.values()))
    (stages / ".aside-cut-off").write_bytes(whole[: len(whole) // 2])
    then = time.time() - KEPT - 1
    for path in (mine, link):
        os.utime(path, (then, then), follow_symlinks=False)
    again = start(server.kept.parent)
    try:
        assert wait_for(lambda: not mine.exists() and not link.is_symlink())  # nobody asked for it
        assert {path: path.read_bytes() for path in stages.glob("*.npz")} == kept  # not yet too old
        assert all(Cache(stages).get(path.stem) is not None for path in kept)  # and whole
        answer = _client(again, session).predict(clip=handle_file(clip), api_name="/analyze")
        assert Analysis.from_dict(answer).clip.duration == pytest.approx(8.0, abs=0.2)
    finally:
        again.process.kill()
        again.process.wait(10)


def _client(server: Serving, session: str) -> Client:
    client = Client(server.url, verbose=False)
    client.session_hash = session
    return client


def _upload(url: str, clip: Path) -> str:
    import httpx

    answer = httpx.post(f"{url}gradio_api/upload", files={"files": clip.open("rb")}, timeout=60)
    path: str = answer.raise_for_status().json()[0]
    return path


def _send(url: str, session: str, what: str, data: list[Any]) -> None:
    """Send the event of the page whose function is `forget` (the video changed) or `delete`."""
    import httpx

    config = json.loads(urllib.request.urlopen(f"{url}config", timeout=60).read())
    # Others are named so too, with a number behind it; what is told of a changed video alone has three inputs.
    wanted, inputs = {"change": ("forget", 3), "delete": ("delete", 0)}[what]
    function = next(
        d["id"]
        for d in config["dependencies"]
        if str(d["api_name"]).startswith(wanted) and len(d["inputs"]) == inputs
    )
    body = {"data": data, "fn_index": function, "session_hash": session}
    httpx.post(f"{url}gradio_api/queue/join", json=body, timeout=60).raise_for_status()

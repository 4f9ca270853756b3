"""In a real browser: a page that loses its connection keeps what it has, one that is closed does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.middleware import Middleware

from app import page as page_room
from app.server.presence import Presence
from tests.app.browser.between import Line
from tests.app.browser.visit import DRIVES_A_BROWSER, PATIENCE
from tests.clips import make_clip

pytestmark = DRIVES_A_BROWSER
GRACE = 12.0  # seconds: a browser tries again after three, if the machine has the time


@dataclass
class Served:
    """A page of this process, the line to it, and the folders of its visits."""

    line: Line
    sessions: Path

    def kept(self) -> list[str]:
        """Names of the clips that lie in any visit's folder."""
        return [path.name for path in self.sessions.rglob("*.mp4")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    cache = tmp_path_factory.mktemp("staying") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_room, "_warm", lambda: None)
        patch.setenv("COUPLED_MAMBA_CACHE", str(cache))
        patch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
        built = page_room.build_page()
        brief = {"middleware": [Middleware(Presence, grace=GRACE)]}
        options: dict[str, Any] = {"server_port": None, "prevent_thread_lock": True, "quiet": True}
        page_room.launch(built, app_kwargs=brief, **options)
        with Line(built.server_port).laid() as line:
            yield Served(line, cache / "visitors" / "sessions")
        built.close()


@pytest.fixture
def mine(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A clip of this test's own name."""
    return make_clip(tmp_path / f"{request.node.name}.mp4", 1.0)


@pytest.fixture
def page(browser: Any, served: Served, mine: Path) -> Iterator[Any]:
    """A page to which a clip was brought; its log is not watched, since a lost connection is an error there."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    under_way: list[str] = []
    page.on("request", lambda r: under_way.append(r.url) if "/queue/data" in r.url else None)
    for ends in ("requestfinished", "requestfailed"):
        page.on(ends, lambda r: under_way.remove(r.url) if "/queue/data" in r.url else None)
    page.goto(served.line.url)
    page.wait_for_selector("#cm-video video")
    page.click("#cm-video [aria-label='Clear']")
    page.set_input_files("#cm-video input[type=file]", str(mine))
    page.wait_for_selector(f"#cm-video video[src*='{mine.stem}']")
    assert _until(lambda: mine.name in served.kept())
    page.wait_for_timeout(500)
    while under_way:  # a page that loses the answer to something is loaded anew by gradio
        page.wait_for_timeout(500)
    yield page
    context.close()


def _until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)
    return holds()


def test_a_connection_that_breaks_for_a_moment_costs_nothing(page: Any, served: Served, mine: Path) -> None:
    served.line.cut()
    page.wait_for_timeout(1000)
    served.line.mend()
    page.wait_for_timeout(1000 * (GRACE + 3))
    assert mine.name in served.kept()


def test_a_page_that_is_loaded_anew_is_not_waited_for(page: Any, served: Served, mine: Path) -> None:
    begin = time.monotonic()
    page.reload(wait_until="commit")
    assert _until(lambda: mine.name not in served.kept())
    assert time.monotonic() - begin < GRACE


def test_a_page_that_is_closed_is_not_waited_for(page: Any, served: Served, mine: Path) -> None:
    begin = time.monotonic()
    page.close()
    assert _until(lambda: mine.name not in served.kept())
    assert time.monotonic() - begin < GRACE


def test_a_page_holds_one_connection(browser: Any, served: Served) -> None:
    """Without HTTP/2 a browser has six for all tabs of an address; with two for each the fourth would wait for ever."""
    context = browser.new_context()
    try:
        for _ in range(4):
            page = context.new_page()
            page.set_default_timeout(30_000)
            page.goto(served.line.url)
            page.wait_for_selector("#cm-video video")
            page.wait_for_timeout(1500)
    finally:
        context.close()

"""In a real browser: the page under a path of its own, behind a proxy that takes the path off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import page as page_room
from tests.app.browser.between import prefixed
from tests.app.browser.visit import DRIVES_A_BROWSER, upload
from tests.clips import make_clip

pytestmark = DRIVES_A_BROWSER
PREFIX = "/some/where"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(page_room, "_warm", lambda: None)
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
    monkeypatch.setenv("GRADIO_ROOT_PATH", PREFIX)
    built = page_room.build_page()
    page_room.launch(built, server_port=None, prevent_thread_lock=True, quiet=True)
    with prefixed(PREFIX, built.server_port) as url:
        yield url
    built.close()


def test_all_of_the_page_is_found_under_a_prefix(address: str, visit: Any, tmp_path: Path) -> None:
    """The fixture watches its log, in which whatever is not there would be an error, and its requests elsewhere."""
    page = visit(address)
    page.wait_for_selector("#cm-video video")
    beats: list[tuple[str, str]] = []
    page.on("request", lambda r: beats.append((r.method, r.url)) if "/heartbeat/" in r.url else None)
    page.reload()
    upload(page, make_clip(tmp_path / "mine.mp4", 1.0))
    page.wait_for_function("document.querySelector('#cm-video video').readyState > 0")  # it can be read, too
    assert ("GET", True) in {(method, url.endswith("?page")) for method, url in beats}
    assert all(url.startswith(f"{address}gradio_api/") for _, url in beats)

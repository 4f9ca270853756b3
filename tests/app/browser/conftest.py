"""One server and one browser for all tests of this folder; each visit is in a context of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.app.browser.visit import PATIENCE, ROOT, Address, chromium, watch


@pytest.fixture(scope="package")
def address() -> Iterator[Address]:
    """A server of its own, as `make app` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {"GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1"}
    log = ROOT / "build" / "server.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as out:
        server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env, stdout=out, stderr=out)
        try:
            url = Address(f"http://127.0.0.1:{port}")
            url.process = psutil.Process(server.pid)
            _wait_for(url, server, log)
            yield url
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the server did not answer in a minute: {log.read_text()}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Opens pages; the test fails on any error in the log of one of them, and on any request to elsewhere."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(
        address: str = "",
        width: int = 1280,
        height: int = 900,
        scheme: str = "light",
        language: str = "en-US",
        chromium: Any = browser,
    ) -> Any:
        """A page of a size, a colour scheme and a language, at the address where one is given."""
        size = {"width": width, "height": height}
        contexts.append(chromium.new_context(viewport=size, color_scheme=scheme, locale=language))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        watch(page, faults, address=address)
        if address:
            page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def page(visit: Visit, address: str, request: pytest.FixtureRequest) -> Any:
    """The served page; a test may ask for another (width, height, colour scheme)."""
    width, height, scheme = getattr(request, "param", (1280, 900, "light"))
    return visit(address, width, height, scheme)
